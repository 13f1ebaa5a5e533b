// The k greatest of a row: greater first, equal values by ascending column, NaN last.
#ifndef WEFT_TOP_VALUES_H
#define WEFT_TOP_VALUES_H

#include "isa/op_common.h"

namespace weft::WEFT_ISA {

/**
 * A heap of at most k keys with the lowest on top. A key holds value and column so that integer order is rank order; as
 * all keys differ, the result does not depend on the order of insertion.
 */
struct TopValues {
    uint64_t *keys;
    int64_t k;
    int64_t size;

    static uint64_t key(float value, int64_t column) {
        // adding zero turns -0 into +0, its equal
        const uint32_t bits = as_bits(value + 0.0f);
        const uint32_t rank = value != value ? 0 : bits & 0x80000000u ? ~bits : bits | 0x80000000u;
        return (uint64_t)rank << 32 | (uint32_t)~(uint32_t)column;
    }

    static int32_t column(uint64_t key) {
        return (int32_t)~(uint32_t)key;
    }

    static float value(uint64_t key) {
        const auto rank = (uint32_t)(key >> 32);
        return rank == 0 ? __builtin_nanf("") : as_float(rank & 0x80000000u ? rank ^ 0x80000000u : ~rank);
    }

    void offer(float value, int64_t column) {
        const uint64_t offered = key(value, column);
        if (size < k) {
            rise(offered);
        } else if (offered > keys[0]) {
            sink(offered);
        }
    }

    /** Offers a row whose elements from column j on are the first n lanes of values(j, n). */
    template <class F>
    void offer_all(int64_t length, const F &values) {
        each_vector(length, [&](int64_t j, int64_t n) __attribute__((always_inline)) {
            const vf v = values(j, n);
            // equals of the lowest lose to it: it has the lower column. NaN, and all if the lowest is NaN, are offered
            const vi worse = v <= (size < k ? __builtin_nanf("") : value(keys[0]));
            uint32_t candidates = ~lane_bits(worse) & ((1u << n) - 1);
            float lanes[W];
            store(lanes, v);
            for (; candidates != 0; candidates &= candidates - 1) {
                const int lane = __builtin_ctz(candidates);
                offer(lanes[lane], j + lane);
            }
        });
    }

    /** Leaves the keys in descending order; the heap is used up. */
    void sort() {
        const int64_t all = size;
        while (size > 1) {
            const uint64_t lowest = keys[0];
            const uint64_t last = keys[--size];
            sink(last);
            keys[size] = lowest;
        }
        size = all;
    }

private:
    void rise(uint64_t offered) {
        int64_t hole = size++;
        while (hole > 0 && keys[(hole - 1) / 2] > offered) {
            keys[hole] = keys[(hole - 1) / 2];
            hole = (hole - 1) / 2;
        }
        keys[hole] = offered;
    }

    /** Puts the key in place of the top. */
    void sink(uint64_t offered) {
        int64_t hole = 0;
        for (int64_t child = 1; child < size; child = 2 * hole + 1) {
            child += child + 1 < size && keys[child + 1] < keys[child];
            if (keys[child] >= offered) {
                break;
            }
            keys[hole] = keys[child];
            hole = child;
        }
        keys[hole] = offered;
    }
};

}  // namespace weft::WEFT_ISA

#endif
