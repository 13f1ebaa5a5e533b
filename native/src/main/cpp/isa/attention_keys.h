// The operands of SparseAttention, and the key list of one row.
#ifndef WEFT_ATTENTION_KEYS_H
#define WEFT_ATTENTION_KEYS_H

#include "isa/op_rows.h"

namespace weft::WEFT_ISA::attention {

enum Operand { Q, KV, RING, SINK, POSITIONS, STARTS, SLOTS, CACHE, PAGES, PICKS };
enum Reach { REACH_WINDOW, REACH_ALL, REACH_PICKED };

/** Keys between two changes of the running maximum: part of the contract. */
constexpr int64_t BLOCK_KEYS = 64;

struct Problem {
    const weft_operand *in;
    const weft_operand *out;
    int64_t window;
    int64_t ratio;
    int64_t reach;
    float scale;
    int64_t rows;
    int64_t heads;
    int64_t width;
};

WEFT_INLINE Problem problem(const int64_t *attributes, const weft_operand *in) {
    Problem p = {};
    p.in = in;
    p.window = attributes[0];
    p.ratio = attributes[1];
    p.reach = attributes[2];
    p.scale = real_attribute(attributes[3]);
    p.out = &in[p.reach == REACH_WINDOW ? CACHE : p.reach == REACH_ALL ? PICKS : PICKS + 1];
    p.rows = in[Q].dims[0];
    p.heads = in[Q].dims[1];
    p.width = in[Q].dims[2];
    return p;
}

/** Up to BLOCK_KEYS consecutive keys of a list. Behind the last key follow more of it, so that tiles need no tails. */
template <class T>
struct KeyBlock {
    int64_t count;
    const T *keys[BLOCK_KEYS];
};

/** The key list of one row, read from front to back. */
template <class T>
class Keys {
public:
    Keys(const Problem &p, int64_t row, int64_t b)
        : p_(p),
          sequence_(sequence(p.in[POSITIONS], p.in[STARTS], b)),
          slot_(at(p.in[SLOTS], b)),
          position_(at(p.in[POSITIONS], row)),
          key_(position_ >= p.window ? position_ - p.window + 1 : 0) {
        if (p.reach == REACH_WINDOW) {
            return;
        }
        pages_ = row_of<const int32_t>(p.in[PAGES], b);
        entries_ = (position_ + 1) / p.ratio;
        if (p.reach == REACH_PICKED) {
            picks_ = row_of<const int32_t>(p.in[PICKS], row);
            entries_ = p.in[PICKS].dims[1];
        }
    }

    /** The next keys; none behind the end of the list. */
    void next(KeyBlock<T> &block) {
        int64_t n = 0;
        for (; n < BLOCK_KEYS && key_ <= position_; key_++) {
            block.keys[n++] = step_or_ring<T>(p_.in[KV], p_.in[RING], sequence_, slot_, key_);
        }
        for (; n < BLOCK_KEYS && entry_ < entries_; entry_++) {
            const int64_t index = picks_ != nullptr ? picks_[entry_] : entry_;
            if (index >= 0) {
                block.keys[n++] = entry_of<const T>(p_.in[CACHE], pages_, index);
            }
        }
        block.count = n;
        for (int64_t j = n; n > 0 && j < BLOCK_KEYS; j++) {
            block.keys[j] = block.keys[n - 1];
        }
    }

private:
    const Problem &p_;
    const Sequence sequence_;
    const int64_t slot_;
    const int64_t position_;
    int64_t key_;  // position of the next window key
    const int32_t *pages_ = nullptr;
    const int32_t *picks_ = nullptr;
    int64_t entry_ = 0;
    int64_t entries_ = 0;
};

}  // namespace weft::WEFT_ISA::attention

#endif
