// Rotary factors of the last positions: the layers of a step turn the same rows by the same angles.
#ifndef WEFT_ROTARY_MEMO_H
#define WEFT_ROTARY_MEMO_H

#include <stdint.h>

namespace weft {

/**
 * Tables of rotary factors, each for one list of frequencies and one list of positions. Both are compared by value, so
 * that memory which is used again for other numbers cannot bring back a table. Not thread-safe.
 */
class RotaryMemo {
public:
    /** Null if there is no memory. */
    static RotaryMemo *create() noexcept;
    static void destroy(RotaryMemo *memo) noexcept;

    struct Table {
        /** 2 dim floats for each position; null if a table cannot hold that many. */
        float *factors;
        /** Whether they are there; if not, the caller computes them before it asks again. */
        bool filled;
    };

    /** The table of dim / 2 frequencies and `count` positions. It is valid until the next call. */
    Table table(const float *frequencies, int64_t dim, const int32_t *positions, int64_t count) noexcept;

private:
    struct Entry;
    explicit RotaryMemo(Entry *entries) : entries_(entries) {}
    ~RotaryMemo();

    Entry *entries_;
    int64_t displaced_ = 0;
};

}  // namespace weft

#endif
