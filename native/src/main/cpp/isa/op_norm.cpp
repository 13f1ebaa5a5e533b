// Kernels over whole rows: norms, quantisation, Hadamard rotation, softmax, selection.
#include "isa/row_math.h"
#include "isa/top_values.h"

namespace weft::WEFT_ISA {

namespace {

// ---- norms ----

template <class T>
void rms_norm(const weft_command &command, Pool &pool) {
    const float eps = real_attribute(command.attributes[0]);
    const Rows x = rows_of(command.operands[0]);
    const weft_operand &w = command.operands[1];
    const Rows y = rows_of(command.operands[2]);
    pool.parallel_ranges(x.count(), row_grain(x.columns), [&](int64_t begin, int64_t end, int32_t) {
        for (int64_t i = begin; i < end; i++) {
            rms_norm_row(x.row<T>(i), w, y.row<T>(i), x.columns, eps);
        }
    });
}

float head_factor(const float *x, int64_t n, float eps) {
    return inverse_rms(x, n, eps);
}

/** Every intermediate result is a BF16 tensor in the publisher's code. */
float head_factor(const bf16 *x, int64_t n, float eps) {
    const float mean = round_bf16(row_sum(x, n, [](vf v) { return round_bf16(v * v); }) / (float)n);
    return round_bf16(inverse_root(round_bf16(mean + eps)));
}

template <class T>
void head_norm(const weft_command &command, Pool &pool) {
    const float eps = real_attribute(command.attributes[0]);
    const Rows x = rows_of(command.operands[0]);
    const Rows y = rows_of(command.operands[1]);
    const int64_t length = x.columns;
    pool.parallel_ranges(x.count(), row_grain(2 * length), [&](int64_t begin, int64_t end, int32_t) {
        for (int64_t i = begin; i < end; i++) {
            const T *from = x.row<T>(i);
            T *to = y.row<T>(i);
            const float r = head_factor(from, length, eps);
            each_vector(length, [&](int64_t j, int64_t n) __attribute__((always_inline)) {
                store_upto(to + j, load_upto(from + j, n) * r, n);
            });
        }
    });
}

// ---- quantisation ----

template <class T>
void quantize(const weft_command &command, Pool &pool) {
    const Rows x = rows_of(command.operands[0]);
    const weft_operand &result = command.operands[1];
    const Rows y = rows_of(result);
    const int64_t block = result.scaling & 0xFFFFFFFF;
    const int64_t blocks = x.columns / block;
    const bool e4m3 = result.dtype == WEFT_F8_E4M3;
    uint8_t *scales = static_cast<uint8_t *>(result.scale);
    pool.parallel_ranges(x.count(), row_grain(2 * x.columns), [&](int64_t begin, int64_t end, int32_t) {
        for (int64_t i = begin; i < end; i++) {
            uint8_t *to = y.data + (e4m3 ? y.at(i) : y.at(i) / 2);
            e4m3 ? quantize_row<true>(x.row<T>(i), to, scales + i * blocks, x.columns, block)
                 : quantize_row<false>(x.row<T>(i), to, scales + i * blocks, x.columns, block);
        }
    });
}

template <class T>
void fake_quantize(const weft_command &command, Pool &pool) {
    const bool e4m3 = command.attributes[0] == WEFT_F8_E4M3;
    const int64_t block = command.attributes[1];
    const int64_t lanes = command.attributes[2];
    const Rows x = rows_of(command.operands[0]);
    const Rows y = rows_of(command.operands[1]);
    pool.parallel_ranges(x.count(), row_grain(2 * x.columns), [&](int64_t begin, int64_t end, int32_t) {
        for (int64_t i = begin; i < end; i++) {
            const T *from = x.row<T>(i);
            T *to = y.row<T>(i);
            fake_quantize_lanes(from, to, lanes, block, e4m3);
            if (from != to) {
                __builtin_memcpy(to + lanes, from + lanes, (uint64_t)(x.columns - lanes) * sizeof(T));
            }
        }
    });
}

// ---- Hadamard ----

template <class T>
void hadamard(const weft_command &command, Pool &pool) {
    const Rows x = rows_of(command.operands[0]);
    const Rows y = rows_of(command.operands[1]);
    const int64_t n = x.columns;
    float *scratch = static_cast<float *>(command.workspace);
    pool.parallel_ranges(x.count(), row_grain(2 * n), [&](int64_t begin, int64_t end, int32_t thread) {
        for (int64_t i = begin; i < end; i++) {
            hadamard_row(x.row<T>(i), y.row<T>(i), n, scratch + thread * hadamard_scratch(n));
        }
    });
}

int64_t hadamard_workspace(const int64_t *, const weft_operand *operands, int64_t, int32_t threads) {
    const int64_t length = known(operands[0].dims[operands[0].rank - 1]);
    return threads * hadamard_scratch(length) * (int64_t)sizeof(float);
}

// ---- softmax and selection ----

template <class T>
void softmax(const weft_command &command, Pool &pool) {
    const Rows x = rows_of(command.operands[0]);
    const Rows y = rows_of(command.operands[1]);
    pool.parallel_ranges(x.count(), row_grain(4 * x.columns), [&](int64_t begin, int64_t end, int32_t) {
        for (int64_t i = begin; i < end; i++) {
            softmax_row(x.row<T>(i), y.row<T>(i), x.columns);
        }
    });
}

template <class T>
void top_k(const weft_command &command, Pool &pool) {
    const int64_t k = command.attributes[0];
    const Rows x = rows_of(command.operands[0]);
    const Rows values = rows_of(command.operands[1]);
    const Rows columns = rows_of(command.operands[2]);
    auto *scratch = static_cast<uint64_t *>(command.workspace);
    pool.parallel_ranges(x.count(), row_grain(2 * x.columns), [&](int64_t begin, int64_t end, int32_t thread) {
        for (int64_t i = begin; i < end; i++) {
            const T *from = x.row<T>(i);
            TopValues top = {scratch + thread * k, k, 0};
            top.offer_all(x.columns, [&](int64_t j, int64_t n) { return load_upto(from + j, n); });
            top.sort();
            for (int64_t j = 0; j < k; j++) {
                const int32_t column = TopValues::column(top.keys[j]);
                columns.row<int32_t>(i)[j] = column;
                values.row<T>(i)[j] = from[column];
            }
        }
    });
}

int64_t top_k_workspace(const int64_t *attributes, const weft_operand *, int64_t, int32_t threads) {
    return threads * attributes[0] * (int64_t)sizeof(uint64_t);
}

const char *flow_support(const int64_t *, const weft_operand *operands, int64_t) {
    return flows(operands[0]) ? nullptr : "x must be F32 or BF16";
}

}  // namespace

void register_norm(KernelEntry *table) {
    table[WEFT_RMS_NORM] = {by_flow<rms_norm<float>, rms_norm<bf16>>, "rms_norm", flow_support, nullptr, nullptr};
    table[WEFT_HEAD_NORM] = {by_flow<head_norm<float>, head_norm<bf16>>, "head_norm", flow_support, nullptr, nullptr};
    table[WEFT_QUANTIZE] = {by_flow<quantize<float>, quantize<bf16>>, "quantize", flow_support, nullptr, nullptr};
    table[WEFT_FAKE_QUANTIZE] = {by_flow<fake_quantize<float>, fake_quantize<bf16>>, "fake_quantize", flow_support,
                                 nullptr, nullptr};
    table[WEFT_HADAMARD] = {by_flow<hadamard<float>, hadamard<bf16>>, "hadamard", flow_support, hadamard_workspace,
                            nullptr};
    table[WEFT_SOFTMAX] = {by_flow<softmax<float>, softmax<bf16>>, "softmax", flow_support, nullptr, nullptr};
    table[WEFT_TOP_K] = {by_flow<top_k<float>, top_k<bf16>>, "top_k", flow_support, top_k_workspace, nullptr};
}

}  // namespace weft::WEFT_ISA
