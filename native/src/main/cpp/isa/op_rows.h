// What the attention, compression, index and hyper-connection kernels share: typed access to operands, paged caches, and
// the division of a step's rows into sequences.
#ifndef WEFT_OP_ROWS_H
#define WEFT_OP_ROWS_H

#include "isa/op_common.h"

namespace weft::WEFT_ISA {

constexpr int64_t CACHE_LINE = 64;
/** Floats that every vector width divides: scratch rows are padded to it, so that inner loops have no tails. */
constexpr int64_t VECTOR_PAD = 16;

// ---- operands ----

/** Element 0 of index i on axis 0. */
template <class T>
WEFT_INLINE T *row_of(const weft_operand &operand, int64_t i) {
    return static_cast<T *>(operand.data) + i * operand.pitch;
}

/** Row j of index i of a [*, n, width] operand. */
template <class T>
WEFT_INLINE T *row_of(const weft_operand &operand, int64_t i, int64_t j) {
    return row_of<T>(operand, i) + j * operand.dims[2];
}

/** Entry `index` of a paged cache [P, E, width], through the page list of its sequence. */
template <class T>
WEFT_INLINE T *entry_of(const weft_operand &cache, const int32_t *pages, int64_t index) {
    const int64_t per_page = cache.dims[1];
    return row_of<T>(cache, pages[index / per_page], index % per_page);
}

WEFT_INLINE int64_t at(const weft_operand &indices, int64_t i) {
    return *row_of<const int32_t>(indices, i);
}

/** n elements as floats, then zeros up to whole vectors. */
template <class T>
WEFT_INLINE void widen_row(const T *from, float *to, int64_t n) {
    for (int64_t c = 0; c < n; c += W) {
        store(to + c, load_upto(from + c, n - c));
    }
}

// ---- sequences ----

/** The sequence that holds row i, or -1. Empty sequences hold none. */
WEFT_INLINE int64_t sequence_of(const weft_operand &starts, int64_t i) {
    int64_t low = 0;
    int64_t high = starts.dims[0] - 1;
    if (high < 1 || i < at(starts, 0) || i >= at(starts, high)) {
        return -1;
    }
    while (high - low > 1) {
        const int64_t middle = low + (high - low) / 2;
        if (at(starts, middle) <= i) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

/** Rows [begin, end) of one sequence; its positions are consecutive and begin at `position`. */
struct Sequence {
    int64_t begin;
    int64_t end;
    int64_t position;
};

WEFT_INLINE Sequence sequence(const weft_operand &positions, const weft_operand &starts, int64_t b) {
    Sequence s = {at(starts, b), at(starts, b + 1), 0};
    s.position = s.end > s.begin ? at(positions, s.begin) : 0;
    return s;
}

/** Row at a position: of the step where it has that position, else of the ring [slots, C, width]. */
template <class T>
WEFT_INLINE const T *step_or_ring(const weft_operand &step, const weft_operand &ring, const Sequence &s, int64_t slot,
                                  int64_t position) {
    if (position >= s.position) {
        return row_of<const T>(step, s.begin + position - s.position);
    }
    return row_of<const T>(ring, slot, position % ring.dims[1]);
}

}  // namespace weft::WEFT_ISA

#endif
