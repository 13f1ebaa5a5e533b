// Kernels over whole rows: norms, quantisation, Hadamard rotation, softmax, selection.
#include "isa/op_common.h"
#include "isa/top_values.h"

namespace weft::WEFT_ISA {

namespace {

// ---- norms ----

/** Independent sums hide the latency of the addition. */
constexpr int SUMS = 4;

/** Sum of f over the row, in an order that depends on its length alone. */
template <class T, class F>
float row_sum(const T *x, int64_t n, const F &f) {
    vf sums[SUMS] = {};
    int64_t j = 0;
    for (; j + SUMS * W <= n; j += SUMS * W) {
        for (int s = 0; s < SUMS; s++) {
            const vf v = get(x + j + s * W, W);
            sums[s] += f(v);
        }
    }
    for (int s = 0; j < n; j += W, s++) {
        sums[s] += f(get(x + j, n - j));
    }
    return hsum((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

float inverse_root(float x) {
    return 1.0f / __builtin_sqrtf(x);
}

template <class T, class U>
void rms_norm_row(const T *x, const U *w, T *y, int64_t n, float eps) {
    const float r = inverse_root(row_sum(x, n, [](vf v) { return v * v; }) / (float)n + eps);
    for (int64_t j = 0; j < n; j += W) {
        put(y + j, get(w + j, n - j) * (get(x + j, n - j) * r), n - j);
    }
}

template <class T>
void rms_norm(const weft_command &command, Pool &pool) {
    const float eps = float_attribute(command.attributes[0]);
    const Rows x = rows_of(command.operands[0]);
    const weft_operand &w = command.operands[1];
    const Rows y = rows_of(command.operands[2]);
    pool.parallel_ranges(x.count(), row_grain(x.columns), [&](int64_t begin, int64_t end, int32_t) {
        for (int64_t i = begin; i < end; i++) {
            if (w.dtype == WEFT_F32) {
                rms_norm_row(x.row<T>(i), static_cast<const float *>(w.data), y.row<T>(i), x.columns, eps);
            } else {
                rms_norm_row(x.row<T>(i), static_cast<const bf16 *>(w.data), y.row<T>(i), x.columns, eps);
            }
        }
    });
}

float head_factor(const float *x, int64_t n, float eps) {
    return inverse_root(row_sum(x, n, [](vf v) { return v * v; }) / (float)n + eps);
}

/** Every intermediate result is a BF16 tensor in the publisher's code. */
float head_factor(const bf16 *x, int64_t n, float eps) {
    const float mean = round_bf16(row_sum(x, n, [](vf v) { return round_bf16(v * v); }) / (float)n);
    return round_bf16(inverse_root(round_bf16(mean + eps)));
}

template <class T>
void head_norm(const weft_command &command, Pool &pool) {
    const float eps = float_attribute(command.attributes[0]);
    const Rows x = rows_of(command.operands[0]);
    const Rows y = rows_of(command.operands[1]);
    const int64_t n = x.columns;
    pool.parallel_ranges(x.count(), row_grain(n), [&](int64_t begin, int64_t end, int32_t) {
        for (int64_t i = begin; i < end; i++) {
            const T *from = x.row<T>(i);
            T *to = y.row<T>(i);
            const float r = head_factor(from, n, eps);
            for (int64_t j = 0; j < n; j += W) {
                put(to + j, get(from + j, n - j) * r, n - j);
            }
        }
    });
}

// ---- quantisation ----

/** Scale byte of a block; 255 if it holds a NaN or an infinity. */
template <class T>
uint8_t block_scale(const T *x, int64_t n, int64_t dtype) {
    vf greatest = {};
    vi special = {};
    for (int64_t j = 0; j < n; j += W) {
        const vf v = abs(get(x + j, n - j));
        greatest = max(v, greatest);
        special |= (vi)as_bits(v) >= 0x7F800000;
    }
    if (any(special)) {
        return 255;
    }
    const bool e4m3 = dtype == WEFT_F8_E4M3;
    const float floor = e4m3 ? 1e-4f : 6 * 0x1p-126f;
    const float most = hmax(greatest);
    return float_to_e8m0_ceiling((most > floor ? most : floor) * (e4m3 ? 1.0f / 448 : 1.0f / 6));
}

/** 1 / scale, exact: the floors keep the scale byte in [1, 253]. */
float inverse_scale(uint8_t scale) {
    return as_float((uint32_t)(254 - scale) << 23);
}

/** Stores codes from an even element on. */
void store_codes(uint8_t *to, int64_t dtype, vu codes, int64_t left) {
    const int64_t n = left < W ? left : W;
    const vb bytes = narrow8(codes);
    if (dtype == WEFT_F8_E4M3) {
        __builtin_memcpy(to, &bytes, (uint64_t)n);
        return;
    }
    uint8_t nibbles[W];
    __builtin_memcpy(nibbles, &bytes, W);
    for (int64_t i = 0; i < n; i += 2) {
        to[i / 2] = (uint8_t)(nibbles[i] | nibbles[i + 1] << 4);
    }
}

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
            for (int64_t b = 0; b < blocks; b++) {
                const T *from = x.row<T>(i) + b * block;
                const int64_t element = y.at(i) + b * block;
                uint8_t *to = y.data + (e4m3 ? element : element / 2);
                const uint8_t scale = block_scale(from, block, result.dtype);
                scales[i * blocks + b] = scale;
                if (scale == 255) {
                    __builtin_memset(to, e4m3 ? 0x7F : 0, (uint64_t)(e4m3 ? block : block / 2));
                    continue;
                }
                const float inverse = inverse_scale(scale);
                for (int64_t j = 0; j < block; j += W) {
                    const vf v = get(from + j, block - j) * inverse;
                    const vu codes = e4m3 ? encode_e4m3(v) : encode_e2m1(v);
                    store_codes(to + (e4m3 ? j : j / 2), result.dtype, codes, block - j);
                }
            }
        }
    });
}

template <class T>
void fake_quantize_block(const T *from, T *to, int64_t block, int64_t dtype) {
    const uint8_t scale = block_scale(from, block, dtype);
    const float factor = e8m0_to_float(scale);
    // a NaN scale makes every value NaN, whatever the codes
    const float inverse = scale == 255 ? 0.0f : inverse_scale(scale);
    for (int64_t j = 0; j < block; j += W) {
        const vf v = get(from + j, block - j) * inverse;
        const vf rounded = dtype == WEFT_F8_E4M3 ? decode_e4m3(encode_e4m3(v)) : decode_e2m1(encode_e2m1(v));
        put(to + j, rounded * factor, block - j);
    }
}

template <class T>
void fake_quantize(const weft_command &command, Pool &pool) {
    const int64_t dtype = command.attributes[0];
    const int64_t block = command.attributes[1];
    const int64_t lanes = command.attributes[2];
    const Rows x = rows_of(command.operands[0]);
    const Rows y = rows_of(command.operands[1]);
    pool.parallel_ranges(x.count(), row_grain(2 * x.columns), [&](int64_t begin, int64_t end, int32_t) {
        for (int64_t i = begin; i < end; i++) {
            const T *from = x.row<T>(i);
            T *to = y.row<T>(i);
            for (int64_t j = 0; j < lanes; j += block) {
                fake_quantize_block(from + j, to + j, block, dtype);
            }
            if (from != to) {
                __builtin_memcpy(to + lanes, from + lanes, (uint64_t)(x.columns - lanes) * sizeof(T));
            }
        }
    });
}

// ---- Hadamard ----

/** Butterflies of one stride; below W they are too short for vectors. */
void butterflies(float *x, int64_t n, int64_t stride) {
    for (int64_t i = 0; i < n; i += 2 * stride) {
        float *low = x + i;
        float *high = low + stride;
        if (stride >= W) {
            for (int64_t j = 0; j < stride; j += W) {
                const vf a = load(low + j);
                const vf b = load(high + j);
                store(low + j, a + b);
                store(high + j, a - b);
            }
            continue;
        }
        for (int64_t j = 0; j < stride; j++) {
            const float a = low[j];
            const float b = high[j];
            low[j] = a + b;
            high[j] = a - b;
        }
    }
}

template <class T>
void hadamard(const weft_command &command, Pool &pool) {
    const Rows x = rows_of(command.operands[0]);
    const Rows y = rows_of(command.operands[1]);
    const int64_t n = x.columns;
    const float factor = (float)(1.0 / __builtin_sqrt((double)n));
    float *scratch = static_cast<float *>(command.workspace);
    pool.parallel_ranges(x.count(), row_grain(8 * n), [&](int64_t begin, int64_t end, int32_t thread) {
        float *buffer = scratch + thread * n;
        for (int64_t i = begin; i < end; i++) {
            const T *from = x.row<T>(i);
            T *to = y.row<T>(i);
            for (int64_t j = 0; j < n; j += W) {
                put(buffer + j, get(from + j, n - j), n - j);
            }
            for (int64_t stride = 1; stride < n; stride *= 2) {
                butterflies(buffer, n, stride);
            }
            for (int64_t j = 0; j < n; j += W) {
                put(to + j, get(buffer + j, n - j) * factor, n - j);
            }
        }
    });
}

int64_t hadamard_workspace(const int64_t *, const weft_operand *operands, int64_t, int32_t threads) {
    return threads * known(operands[0].dims[operands[0].rank - 1]) * (int64_t)sizeof(float);
}

// ---- softmax and selection ----

template <class T>
void softmax(const weft_command &command, Pool &pool) {
    const Rows x = rows_of(command.operands[0]);
    const Rows y = rows_of(command.operands[1]);
    pool.parallel_ranges(x.count(), row_grain(8 * x.columns), [&](int64_t begin, int64_t end, int32_t) {
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
    pool.parallel_ranges(x.count(), row_grain(4 * x.columns), [&](int64_t begin, int64_t end, int32_t thread) {
        for (int64_t i = begin; i < end; i++) {
            const T *from = x.row<T>(i);
            TopValues top = {scratch + thread * k, k, 0};
            for (int64_t j = 0; j < x.columns; j++) {
                top.offer(get(from + j), j);
            }
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
    return is_flow(operands[0]) ? nullptr : "x must be F32 or BF16";
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
