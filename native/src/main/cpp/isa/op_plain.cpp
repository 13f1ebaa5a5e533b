// Copies, elementwise arithmetic, rotary embedding and the gated activation.
#include "isa/row_math.h"
#include "rotary_memo.h"

namespace weft::WEFT_ISA {

namespace {

// ---- copies of whole rows, by bytes ----

/** Rows whose elements are `size` bytes wide. */
struct ByteRows {
    Rows rows;
    int64_t size;

    uint8_t *at(int64_t row, int64_t column) const {
        return rows.data + (rows.at(row) + column) * size;
    }
};

ByteRows byte_rows(const weft_operand &operand) {
    return {rows_of(operand), bytes_of(operand.dtype)};
}

void copy(uint8_t *to, const uint8_t *from, int64_t bytes) {
    __builtin_memcpy(to, from, (uint64_t)bytes);
}

template <class T>
T quiet_nan();

template <>
float quiet_nan<float>() {
    return __builtin_nanf("");
}

template <>
bf16 quiet_nan<bf16>() {
    return 0x7FC0;
}

void convert(const float *from, float *to, int64_t n) {
    __builtin_memcpy(to, from, (uint64_t)n * 4);
}

void convert(const bf16 *from, bf16 *to, int64_t n) {
    __builtin_memcpy(to, from, (uint64_t)n * 2);
}

template <class T, class U>
void convert(const T *from, U *to, int64_t length) {
    each_vector(length, [&](int64_t j, int64_t n) __attribute__((always_inline)) {
        store_upto(to + j, load_upto(from + j, n), n);
    });
}

template <class T, class U>
void gather_rows(const weft_command &command, Pool &pool) {
    const Rows table = flat_rows_of(command.operands[0]);
    const int32_t *index = ints(command.operands[1]);
    const Rows y = flat_rows_of(command.operands[2]);
    pool.parallel_ranges(y.outer, row_grain(y.columns), [&](int64_t begin, int64_t end, int32_t) {
        for (int64_t i = begin; i < end; i++) {
            U *to = y.row<U>(i);
            if (index[i] >= 0 && index[i] < table.outer) {
                convert(table.row<T>(index[i]), to, y.columns);
                continue;
            }
            for (int64_t j = 0; j < y.columns; j++) {
                to[j] = quiet_nan<U>();
            }
        }
    });
}

void gather(const weft_command &command, Pool &pool) {
    const bool wide = command.operands[2].dtype == WEFT_F32;
    KernelFn narrow = wide ? gather_rows<bf16, float> : gather_rows<bf16, bf16>;
    (command.operands[0].dtype == WEFT_F32 ? gather_rows<float, float> : narrow)(command, pool);
}

void expand(const weft_command &command, Pool &pool) {
    const int64_t copies = command.attributes[0];
    const ByteRows x = byte_rows(command.operands[0]);
    const ByteRows y = byte_rows(command.operands[1]);
    const int64_t bytes = x.rows.columns * x.size;
    pool.parallel_ranges(y.rows.count(), row_grain(y.rows.columns), [&](int64_t begin, int64_t end, int32_t) {
        for (int64_t i = begin; i < end; i++) {
            copy(y.at(i, 0), x.at(i / copies, 0), bytes);
        }
    });
}

void concat(const weft_command &command, Pool &pool) {
    const ByteRows a = byte_rows(command.operands[0]);
    const ByteRows b = byte_rows(command.operands[1]);
    const ByteRows y = byte_rows(command.operands[2]);
    pool.parallel_ranges(y.rows.count(), row_grain(y.rows.columns), [&](int64_t begin, int64_t end, int32_t) {
        for (int64_t i = begin; i < end; i++) {
            copy(y.at(i, 0), a.at(i, 0), a.rows.columns * a.size);
            copy(y.at(i, a.rows.columns), b.at(i, 0), b.rows.columns * b.size);
        }
    });
}

void slice(const weft_command &command, Pool &pool) {
    const int64_t from = command.attributes[0];
    const ByteRows x = byte_rows(command.operands[0]);
    const ByteRows y = byte_rows(command.operands[1]);
    pool.parallel_ranges(y.rows.count(), row_grain(y.rows.columns), [&](int64_t begin, int64_t end, int32_t) {
        for (int64_t i = begin; i < end; i++) {
            copy(y.at(i, 0), x.at(i, from), y.rows.columns * y.size);
        }
    });
}

void ring_write(const weft_command &command, Pool &pool) {
    const weft_operand &ring = command.operands[0];
    const ByteRows rows = byte_rows(command.operands[1]);
    const int32_t *positions = ints(command.operands[2]);
    const int32_t *starts = ints(command.operands[3]);
    const int32_t *slots = ints(command.operands[4]);
    const int64_t sequences = command.operands[4].dims[0];
    const int64_t capacity = ring.dims[1];
    const int64_t width = ring.dims[2];
    if (sequences == 0) {
        return;
    }
    // rows behind the last sequence are padding
    pool.parallel_ranges(starts[sequences], row_grain(width), [&](int64_t begin, int64_t end, int32_t) {
        int64_t b = 0;
        for (int64_t i = begin; i < end; i++) {
            while (starts[b + 1] <= i) {
                b++;
            }
            // an earlier row of the sequence has the same place as a later one: only the last one is written
            if (i >= starts[b + 1] - capacity) {
                int64_t to = slots[b] * ring.pitch + positions[i] % capacity * width;
                copy(static_cast<uint8_t *>(ring.data) + to * rows.size, rows.at(i, 0), width * rows.size);
            }
        }
    });
}

// ---- elementwise ----

template <class T, class U, class F>
void map(const weft_operand &from, const weft_operand &to, Pool &pool, const F &f) {
    const Rows x = rows_of(from);
    const Rows y = rows_of(to);
    pool.parallel_ranges(y.count(), row_grain(y.columns), [&](int64_t begin, int64_t end, int32_t) {
        for (int64_t i = begin; i < end; i++) {
            const T *p = x.row<T>(i);
            U *q = y.row<U>(i);
            each_vector(y.columns, [&](int64_t j, int64_t n) __attribute__((always_inline)) {
                store_upto(q + j, f(load_upto(p + j, n)), n);
            });
        }
    });
}

template <class T, class F>
void zip(const weft_command &command, Pool &pool, const F &f) {
    const Rows a = rows_of(command.operands[0]);
    const Rows b = rows_of(command.operands[1]);
    const Rows y = rows_of(command.operands[2]);
    pool.parallel_ranges(y.count(), row_grain(y.columns), [&](int64_t begin, int64_t end, int32_t) {
        for (int64_t i = begin; i < end; i++) {
            const T *p = a.row<T>(i);
            const T *q = b.row<T>(i);
            T *to = y.row<T>(i);
            each_vector(y.columns, [&](int64_t j, int64_t n) __attribute__((always_inline)) {
                store_upto(to + j, f(load_upto(p + j, n), load_upto(q + j, n)), n);
            });
        }
    });
}

template <class T>
void add(const weft_command &command, Pool &pool) {
    zip<T>(command, pool, [](vf a, vf b) { return a + b; });
}

template <class T>
void mul(const weft_command &command, Pool &pool) {
    zip<T>(command, pool, [](vf a, vf b) { return a * b; });
}

template <class T>
void scale(const weft_command &command, Pool &pool) {
    const float factor = real_attribute(command.attributes[0]);
    map<T, T>(command.operands[0], command.operands[1], pool, [&](vf v) { return v * factor; });
}

template <class T>
void cast(const weft_command &command, Pool &pool) {
    const auto same = [](vf v) { return v; };
    if (command.operands[1].dtype == WEFT_F32) {
        map<T, float>(command.operands[0], command.operands[1], pool, same);
    } else {
        map<T, bf16>(command.operands[0], command.operands[1], pool, same);
    }
}

template <class T>
void swiglu(const weft_command &command, Pool &pool) {
    const float limit = real_attribute(command.attributes[0]);
    const bool weighted = command.attributes[1] != 0;
    const Rows gate = rows_of(command.operands[0]);
    const Rows up = rows_of(command.operands[1]);
    const float *weights = weighted ? static_cast<const float *>(command.operands[2].data) : nullptr;
    const Rows y = rows_of(command.operands[weighted ? 3 : 2]);
    // an exponential and a division cost about as much as three copies
    pool.parallel_ranges(y.count(), row_grain(3 * y.columns), [&](int64_t begin, int64_t end, int32_t) {
        for (int64_t i = begin; i < end; i++) {
            swiglu_row(gate.row<T>(i), up.row<T>(i), weighted ? weights[i] : 1.0f, limit, y.row<T>(i), y.columns);
        }
    });
}

// ---- dequantisation ----

vf decode(const uint8_t *data, int64_t dtype, int64_t element, int64_t left) {
    const int64_t n = left < W ? left : W;
    vb codes = {};
    if (dtype == WEFT_F8_E4M3) {
        __builtin_memcpy(&codes, data + element, (uint64_t)n);
        return decode_e4m3(widen(codes));
    }
    uint8_t nibbles[W] = {};
    for (int64_t i = 0; i < n; i++) {
        nibbles[i] = data[(element + i) >> 1] >> ((element + i) % 2 * 4) & 15;
    }
    __builtin_memcpy(&codes, nibbles, W);
    return decode_e2m1(widen(codes));
}

template <class U>
void dequantize_to(const weft_command &command, Pool &pool) {
    const weft_operand &operand = command.operands[0];
    const Rows x = rows_of(operand);
    const Rows y = rows_of(command.operands[1]);
    const int64_t block_rows = operand.scaling >> 32;
    const int64_t block = operand.scaling & 0xFFFFFFFF;
    // scales cover the last two axes of each matrix
    const int64_t height = operand.rank > 1 ? operand.dims[operand.rank - 2] : 1;
    const int64_t scale_rows = ceil_div(height, block_rows);
    const int64_t blocks = ceil_div(x.columns, block);
    const uint8_t *scales = static_cast<const uint8_t *>(operand.scale);
    pool.parallel_ranges(y.count(), row_grain(y.columns), [&](int64_t begin, int64_t end, int32_t) {
        for (int64_t i = begin; i < end; i++) {
            const uint8_t *scale_row = scales + (i / height * scale_rows + i % height / block_rows) * blocks;
            U *to = y.row<U>(i);
            for (int64_t b = 0; b < blocks; b++) {
                const float factor = e8m0_to_float(scale_row[b]);
                const int64_t stop = (b + 1) * block < x.columns ? (b + 1) * block : x.columns;
                for (int64_t j = b * block; j < stop; j += W) {
                    store_upto(to + j, decode(x.data, operand.dtype, x.at(i) + j, stop - j) * factor, stop - j);
                }
            }
        }
    });
}

void dequantize(const weft_command &command, Pool &pool) {
    (command.operands[1].dtype == WEFT_F32 ? dequantize_to<float> : dequantize_to<bf16>)(command, pool);
}

// ---- rotary ----

/** Factors of all positions, 2 dim floats each: remembered, or computed into the memo or the workspace. */
const float *rotary_tables(const weft_command &command, Pool &pool, const int32_t *positions, int64_t count) {
    const int64_t dim = command.attributes[0];
    const auto *frequencies = reinterpret_cast<const float *>(command.attributes[1]);
    const RotaryMemo::Table memo = pool.rotary_memo().table(frequencies, dim, positions, count);
    if (memo.filled) {
        return memo.factors;
    }
    float *tables = memo.factors != nullptr ? memo.factors : static_cast<float *>(command.workspace);
    // a cosine and a sine cost about as much as twenty copies
    pool.parallel_ranges(count, row_grain(20 * dim), [&](int64_t begin, int64_t end, int32_t) {
        for (int64_t i = begin; i < end; i++) {
            rotary_table((float)positions[i], frequencies, dim, tables + i * 2 * dim);
        }
    });
    return tables;
}

template <bool inverse, class T>
void rotate_rows(const weft_command &command, Pool &pool) {
    const int64_t dim = command.attributes[0];
    const Rows x = rows_of(command.operands[0]);
    const Rows y = rows_of(command.operands[2]);
    const int64_t first = x.columns - dim;
    const float *tables = rotary_tables(command, pool, ints(command.operands[1]), x.outer);
    pool.parallel_ranges(x.count(), row_grain(x.columns), [&](int64_t begin, int64_t end, int32_t) {
        for (int64_t i = begin; i < end; i++) {
            const T *from = x.row<T>(i);
            T *to = y.row<T>(i);
            if (from != to) {
                __builtin_memcpy(to, from, (uint64_t)first * sizeof(T));
            }
            rotate_lanes<inverse>(from + first, to + first, dim, tables + i / x.inner * 2 * dim);
        }
    });
}

template <class T>
void rotary(const weft_command &command, Pool &pool) {
    (command.attributes[3] != 0 ? rotate_rows<true, T> : rotate_rows<false, T>)(command, pool);
}

int64_t rotary_workspace(const int64_t *attributes, const weft_operand *operands, int64_t, int32_t) {
    return known(operands[0].dims[0]) * 2 * attributes[0] * (int64_t)sizeof(float);
}

// ---- support ----

const char *flow_support(const int64_t *, const weft_operand *operands, int64_t) {
    return flows(operands[0]) ? nullptr : "the first operand must be F32 or BF16";
}

const char *copy_support(const int64_t *, const weft_operand *operands, int64_t) {
    return flows(operands[0]) || operands[0].dtype == WEFT_I32 ? nullptr : "operands must be F32, BF16 or I32";
}

const char *dequantize_support(const int64_t *, const weft_operand *operands, int64_t) {
    const bool codes = operands[0].dtype == WEFT_F8_E4M3 || operands[0].dtype == WEFT_F4_E2M1;
    return codes && operands[0].scaling != 0 ? nullptr : "x must be F8_E4M3 or F4_E2M1 with block scales";
}

}  // namespace

void register_plain(KernelEntry *table) {
    table[WEFT_GATHER] = {gather, "gather", flow_support, nullptr, nullptr};
    table[WEFT_EXPAND] = {expand, "expand", flow_support, nullptr, nullptr};
    table[WEFT_CONCAT] = {concat, "concat", copy_support, nullptr, nullptr};
    table[WEFT_SLICE] = {slice, "slice", copy_support, nullptr, nullptr};
    table[WEFT_RING_WRITE] = {ring_write, "ring_write", flow_support, nullptr, nullptr};
    table[WEFT_ADD] = {by_flow<add<float>, add<bf16>>, "add", flow_support, nullptr, nullptr};
    table[WEFT_MUL] = {by_flow<mul<float>, mul<bf16>>, "mul", flow_support, nullptr, nullptr};
    table[WEFT_SCALE] = {by_flow<scale<float>, scale<bf16>>, "scale", flow_support, nullptr, nullptr};
    table[WEFT_CAST] = {by_flow<cast<float>, cast<bf16>>, "cast", flow_support, nullptr, nullptr};
    table[WEFT_SWIGLU] = {by_flow<swiglu<float>, swiglu<bf16>>, "swiglu", flow_support, nullptr, nullptr};
    table[WEFT_DEQUANTIZE] = {dequantize, "dequantize", dequantize_support, nullptr, nullptr};
    table[WEFT_ROTARY] = {by_flow<rotary<float>, rotary<bf16>>, "rotary", flow_support, rotary_workspace, nullptr};
}

}  // namespace weft::WEFT_ISA
