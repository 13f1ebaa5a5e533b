// What the kernels of all operators but the matrix products share: attributes, operands as rows of the last axis, elements
// as vectors of F32.
#ifndef WEFT_OP_COMMON_H
#define WEFT_OP_COMMON_H

#include <stdint.h>

#include "isa/simd.h"
#include "kernel.h"

namespace weft::WEFT_ISA {

/** Storage of a BF16 element; F32 elements are float. Row kernels are templates over these two. */
typedef uint16_t bf16;

/**
 * Work of one item in copied elements, some 3 microseconds: handing an item to another thread, and its cache misses on
 * what the first thread has just written, cost about one.
 */
constexpr int64_t GRAIN_ELEMENTS = 32768;

// ---- extents and attributes ----

WEFT_INLINE int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

WEFT_INLINE int64_t ceil_div(int64_t value, int64_t unit) {
    return (value + unit - 1) / unit;
}

WEFT_INLINE int64_t padded(int64_t value, int64_t unit) {
    return ceil_div(value, unit) * unit;
}

/** Rows of `columns` elements that make a worthwhile item. */
WEFT_INLINE int64_t row_grain(int64_t columns) {
    return columns >= GRAIN_ELEMENTS ? 1 : ceil_div(GRAIN_ELEMENTS, columns + 1);
}

/** Extents that are unknown while planning count as empty. */
WEFT_INLINE int64_t known(int64_t extent) {
    return extent < 0 ? 0 : extent;
}

/** Attribute word that holds the bits of a double. */
WEFT_INLINE float real_attribute(int64_t word) {
    double value;
    __builtin_memcpy(&value, &word, sizeof value);
    return (float)value;
}

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

/** Whether the element type is one that `load` below knows. */
WEFT_INLINE bool flows(const weft_operand &operand) {
    return (operand.dtype == WEFT_F32 || operand.dtype == WEFT_BF16) && operand.scaling == 0;
}

// ---- elements: float, or bf16 as float ----

WEFT_INLINE vf load(const bf16 *p) {
    return load_bf16(p);
}

WEFT_INLINE vf load_tail(const bf16 *p, int64_t n) {
    return load_bf16_tail(p, n);
}

WEFT_INLINE void store(bf16 *p, vf v) {
    store_bf16(p, v);
}

WEFT_INLINE void store_tail(bf16 *p, vf v, int64_t n) {
    store_bf16_tail(p, v, n);
}

/** First min(n, W) elements, zeros after them. */
template <class T>
WEFT_INLINE vf load_upto(const T *p, int64_t n) {
    return n >= W ? load(p) : load_tail(p, n);
}

template <class T>
WEFT_INLINE void store_upto(T *p, vf v, int64_t n) {
    if (n >= W) {
        store(p, v);
    } else {
        store_tail(p, v, n);
    }
}

WEFT_INLINE float load_one(const float *p) {
    return *p;
}

WEFT_INLINE float load_one(const bf16 *p) {
    return bf16_to_float(*p);
}

/** v rounded to T, as floats. */
template <class T>
WEFT_INLINE vf round_to(vf v) {
    return sizeof(T) == 2 ? round_bf16(v) : v;
}

template <class T>
WEFT_INLINE float round_to(float x) {
    return sizeof(T) == 2 ? round_bf16(x) : x;
}

/**
 * Calls f(j, n) for each vector of a row: its first element and the elements up to the end of the row, at most W. In the
 * loop n is a constant, so that load_upto and store_upto cost no branch.
 */
template <class F>
WEFT_INLINE void each_vector(int64_t length, const F &f) {
    int64_t j = 0;
    for (; j + W <= length; j += W) {
        f(j, (int64_t)W);
    }
    if (j < length) {
        f(j, length - j);
    }
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

// ---- softmax ----

/** Values minus their greatest, exponentiated and divided by their sum; zeros if all are negative infinity. */
template <class T>
void softmax_row(const T *x, T *y, int64_t length) {
    const float lowest = -__builtin_inff();
    vf greatest = broadcast(lowest);
    vi nan = {};
    each_vector(length, [&](int64_t j, int64_t n) __attribute__((always_inline)) {
        const vf v = pad(load_upto(x + j, n), n, lowest);
        greatest = max(v, greatest);  // in this order a NaN is passed over
        nan |= v != v;
    });
    const float top = hmax(greatest);
    if (top == lowest && !any(nan)) {
        __builtin_memset(y, 0, (uint64_t)length * sizeof(T));
        return;
    }
    vf sums = {};
    each_vector(length, [&](int64_t j, int64_t n) __attribute__((always_inline)) {
        sums += pad(exp(load_upto(x + j, n) - top), n, 0.0f);
    });
    const float sum = hsum(sums);
    each_vector(length, [&](int64_t j, int64_t n) __attribute__((always_inline)) {
        store_upto(y + j, exp(load_upto(x + j, n) - top) / sum, n);
    });
}

// ---- kernel tables ----

/** A kernel that exists for F32 and BF16, chosen by the dtype of operand 0. */
template <KernelFn F32, KernelFn BF16>
void by_flow(const weft_command &command, Pool &pool) {
    (command.operands[0].dtype == WEFT_F32 ? F32 : BF16)(command, pool);
}

}  // namespace weft::WEFT_ISA

#endif
