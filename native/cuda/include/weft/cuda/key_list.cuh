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
struct KeyList {
    Sequence sequence;
    i32 slot;
    i32 first;  // position of the first window key
    i32 near;   // window keys
    i32 count;
    const i32 *pages;
    const i32 *picks;

    // Key i of the list; null where nothing was picked.
    template <class T>
    __device__ __forceinline__ const T *key(const Call &call, i32 i) const {
        if (i < near) {
            return step_or_ring<T>(call.at[KV], call.at[RING], sequence, slot, first + i);
        }
        const i32 entry = picks != nullptr ? picks[i - near] : i - near;
        return entry < 0 ? nullptr : entry_of<const T>(call.at[CACHE], pages, entry);
    }
};

// For the whole block. A row of no sequence has no keys.
__device__ __forceinline__ KeyList key_list(const Call &call, i64 row) {
    KeyList list = {sequence_of(call.at[POSITIONS], call.at[STARTS], row), 0, 0, 0, 0, nullptr, nullptr};
    const Sequence &s = list.sequence;
    if (s.index < 0) {
        return list;
    }
    const i32 window = static_cast<i32>(call.attribute[WINDOW]);
    const i32 position = s.position + static_cast<i32>(row) - s.begin;
    list.slot = index_at(call.at[SLOTS], s.index);
    list.first = position >= window ? position - window + 1 : 0;
    list.near = position + 1 - list.first;
    list.count = list.near;
    if (call.attribute[REACH] == REACH_WINDOW) {
        return list;
    }
    list.pages = row_of<const i32>(call.at[PAGES], s.index);
    if (call.attribute[REACH] == REACH_PICKED) {
        list.picks = row_of<const i32>(call.at[PICKS], row);
        list.count += static_cast<i32>(call.at[PICKS].dims[1]);
    } else {
        list.count += (position + 1) / static_cast<i32>(call.attribute[RATIO]);
    }
    return list;
}

}  // namespace attention

}  // namespace weft

#endif
