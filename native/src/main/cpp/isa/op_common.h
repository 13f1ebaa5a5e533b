// What the kernels that work row by row share: operands as rows of the last axis, elements as vectors of F32.
#ifndef WEFT_OP_COMMON_H
#define WEFT_OP_COMMON_H

#include <stdint.h>

#include "isa/simd.h"
#include "kernel.h"

namespace weft::WEFT_ISA {

/** Storage of a BF16 element; F32 elements are float. Row kernels are templates over these two. */
typedef uint16_t bf16;

/** Work for one item in elements: some microseconds, far above the cost of handing an item out. */
constexpr int64_t GRAIN_ELEMENTS = 16384;

// ---- operands ----

/** An operand as rows of its last axis. A rank-1 operand is one row. */
struct Rows {
    uint8_t *data;
    int64_t outer;    // extent of axis 0
    int64_t inner;    // rows per index of axis 0
    int64_t columns;
    int64_t pitch;    // elements between indices of axis 0

    int64_t count() const {
        return outer * inner;
    }

    /** Elements before row i. */
    int64_t at(int64_t i) const {
        return inner == 1 ? i * pitch : i / inner * pitch + i % inner * columns;
    }

    template <class T>
    T *row(int64_t i) const {
        return reinterpret_cast<T *>(data) + at(i);
    }
};

WEFT_INLINE Rows rows_of(const weft_operand &operand) {
    int64_t columns = operand.rank == 0 ? 1 : operand.dims[operand.rank - 1];
    Rows rows = {static_cast<uint8_t *>(operand.data), 1, 1, columns, 0};
    if (operand.rank > 1) {
        rows.outer = operand.dims[0];
        rows.pitch = operand.pitch;
    }
    for (int64_t axis = 1; axis < operand.rank - 1; axis++) {
        rows.inner *= operand.dims[axis];
    }
    return rows;
}

/** The elements of an operand that follow one index of axis 0, as one row. */
WEFT_INLINE Rows flat_rows_of(const weft_operand &operand) {
    Rows rows = rows_of(operand);
    rows.columns *= rows.inner;
    rows.inner = 1;
    return rows;
}

WEFT_INLINE const int32_t *ints(const weft_operand &operand) {
    return static_cast<const int32_t *>(operand.data);
}

/** Bytes of an element of the unpacked formats. */
WEFT_INLINE int64_t bytes_of(int64_t dtype) {
    return dtype == WEFT_F32 || dtype == WEFT_I32 ? 4 : dtype == WEFT_BF16 ? 2 : 1;
}

WEFT_INLINE float float_attribute(int64_t word) {
    double value;
    __builtin_memcpy(&value, &word, 8);
    return (float)value;
}

WEFT_INLINE int64_t ceil_div(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}

/** Rows of `columns` elements that make a worthwhile item. */
WEFT_INLINE int64_t row_grain(int64_t columns) {
    return columns >= GRAIN_ELEMENTS ? 1 : ceil_div(GRAIN_ELEMENTS, columns + 1);
}

/** Extents that are unknown while planning count as empty. */
WEFT_INLINE int64_t known(int64_t extent) {
    return extent < 0 ? 0 : extent;
}

// ---- elements: `left` is the number of elements up to the end of the row; lanes behind it are zero ----

WEFT_INLINE vf get(const float *p, int64_t left) {
    return left >= W ? load(p) : load_tail(p, left);
}

WEFT_INLINE vf get(const bf16 *p, int64_t left) {
    return left >= W ? load_bf16(p) : load_bf16_tail(p, left);
}

WEFT_INLINE void put(float *p, vf v, int64_t left) {
    if (left >= W) {
        store(p, v);
    } else {
        store_tail(p, v, left);
    }
}

WEFT_INLINE void put(bf16 *p, vf v, int64_t left) {
    if (left >= W) {
        store_bf16(p, v);
    } else {
        store_bf16_tail(p, v, left);
    }
}

WEFT_INLINE float get(const float *p) {
    return *p;
}

WEFT_INLINE float get(const bf16 *p) {
    return bf16_to_float(*p);
}

/** v with `other` in the lanes behind the end of the row. */
WEFT_INLINE vf pad(vf v, int64_t left, float other) {
    if (left >= W) {
        return v;
    }
    vi lane;
    for (int i = 0; i < W; i++) {
        lane[i] = i;
    }
    return select(lane < (int32_t)left, v, broadcast(other));
}

WEFT_INLINE bool any(vi mask) {
    int32_t bits = 0;
    for (int i = 0; i < W; i++) {
        bits |= mask[i];
    }
    return bits != 0;
}

// ---- softmax ----

/** Values minus their greatest, exponentiated and divided by their sum; zeros if all are negative infinity. */
template <class T>
void softmax_row(const T *x, T *y, int64_t n) {
    const float lowest = -__builtin_inff();
    vf greatest = broadcast(lowest);
    vi nan = {};
    for (int64_t j = 0; j < n; j += W) {
        vf v = pad(get(x + j, n - j), n - j, lowest);
        greatest = max(v, greatest);  // in this order a NaN is passed over
        nan |= v != v;
    }
    const float top = hmax(greatest);
    if (top == lowest && !any(nan)) {
        __builtin_memset(y, 0, (uint64_t)n * sizeof(T));
        return;
    }
    vf sums = {};
    for (int64_t j = 0; j < n; j += W) {
        sums += pad(exp(get(x + j, n - j) - top), n - j, 0.0f);
    }
    const float sum = hsum(sums);
    for (int64_t j = 0; j < n; j += W) {
        put(y + j, exp(get(x + j, n - j) - top) / sum, n - j);
    }
}

// ---- kernel tables ----

/** A kernel that exists for F32 and BF16, chosen by the dtype of operand 0. */
template <KernelFn F32, KernelFn BF16>
void by_flow(const weft_command &command, Pool &pool) {
    (command.operands[0].dtype == WEFT_F32 ? F32 : BF16)(command, pool);
}

/** Support of kernels whose first operand is F32 or BF16. */
WEFT_INLINE bool is_flow(const weft_operand &operand) {
    return (operand.dtype == WEFT_F32 || operand.dtype == WEFT_BF16) && operand.scaling == 0;
}

}  // namespace weft::WEFT_ISA

#endif
