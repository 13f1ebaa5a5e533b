// The operands of SparseAttention, and the key list of one row.
#ifndef WEFT_CUDA_KEY_LIST_CUH
#define WEFT_CUDA_KEY_LIST_CUH

#include "weft/cuda/sequences.cuh"

namespace weft {

namespace attention {

enum At { Q, KV, RING, SINK, POSITIONS, STARTS, SLOTS, CACHE, PAGES, PICKS };
enum Attribute { WINDOW, RATIO, REACH, SCALE, ATTRIBUTES };
enum Reach { REACH_WINDOW, REACH_ALL, REACH_PICKED };

// Keys between two changes of the running maximum, counted along the list: a row's bits do not depend on where keys lie.
constexpr int BLOCK_KEYS = 64;

__device__ __forceinline__ const Operand &result(const Call &call) {
    const i64 reach = call.attribute[REACH];
    return call.at[reach == REACH_WINDOW ? CACHE : reach == REACH_ALL ? PICKS : PICKS + 1];
}

__device__ __forceinline__ float scale(const Call &call) {
    return static_cast<float>(real(call.attribute[SCALE]));
}

// The keys of one row: window positions ascending, then compressed entries ascending or as picked.
class KeyList {
public:
    // For the whole block. A row of no sequence has no keys.
    __device__ __forceinline__ KeyList(const Call &call, i64 row)
        : call_(call), sequence_(sequence_of(call.at[POSITIONS], call.at[STARTS], row)) {
        if (sequence_.index < 0) {
            return;
        }
        const i64 window = call.attribute[WINDOW];
        const i64 position = sequence_.position + row - sequence_.begin;
        slot_ = index_at(call.at[SLOTS], sequence_.index);
        first_ = position >= window ? position - window + 1 : 0;
        near_ = position + 1 - first_;
        count_ = near_;
        if (call.attribute[REACH] == REACH_WINDOW) {
            return;
        }
        pages_ = row_of<const i32>(call.at[PAGES], sequence_.index);
        if (call.attribute[REACH] == REACH_PICKED) {
            picks_ = row_of<const i32>(call.at[PICKS], row);
            count_ += call.at[PICKS].dims[1];
        } else {
            count_ += (position + 1) / call.attribute[RATIO];
        }
    }

    __device__ __forceinline__ i64 count() const {
        return count_;
    }

    // Key i of the list; null where nothing was picked.
    template <class T>
    __device__ __forceinline__ const T *key(i64 i) const {
        if (i < near_) {
            return step_or_ring<T>(call_.at[KV], call_.at[RING], sequence_, slot_, first_ + i);
        }
        const i64 entry = picks_ != nullptr ? picks_[i - near_] : i - near_;
        return entry < 0 ? nullptr : entry_of<const T>(call_.at[CACHE], pages_, entry);
    }

private:
    const Call &call_;
    const Sequence sequence_;
    i64 slot_ = 0;
    i64 first_ = 0;  // position of the first window key
    i64 near_ = 0;   // window keys
    i64 count_ = 0;
    const i32 *pages_ = nullptr;
    const i32 *picks_ = nullptr;
};

}  // namespace attention

}  // namespace weft

#endif
