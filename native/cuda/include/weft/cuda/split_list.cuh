// Key lists that are attended to in tiles: a tile's softmax, how tiles are merged, and where splits of a list are kept.
#ifndef WEFT_CUDA_SPLIT_LIST_CUH
#define WEFT_CUDA_SPLIT_LIST_CUH

#include "weft/cuda/key_list.cuh"

namespace weft {

namespace attention {

constexpr float LOG2_E = 1.44269504f;

// The words of a launch: tiles of keys that are in memory at once, and blocks that share a row's list (0: one block).
enum LaunchWord { STAGES = ATTRIBUTES, SPLITS };

// ---- a softmax that is not finished: maximum in units of log 2, and sum of exponentials ----

struct Softmax {
    float most;
    float sum;
};

// Factors of what has been summed and of what is added.
struct Merge {
    float kept;
    float added;
};

__device__ __forceinline__ float power(float x, float origin) {
    return x == -infinity() ? 0.0f : exp2f(x - origin);
}

__device__ __forceinline__ Merge merge(Softmax &all, const Softmax &tile) {
    const float most = fmaxf(all.most, tile.most);
    const Merge m = {power(all.most, most), power(tile.most, most)};
    all = {most, fmaf(tile.sum, m.added, all.sum * m.kept)};
    return m;
}

__device__ __forceinline__ float merge(const Merge &m, float all, float tile) {
    return fmaf(tile, m.added, all * m.kept);
}

// What the merged values are multiplied by in the end. The sink may exceed every score.
__device__ __forceinline__ float closing(const Softmax &all, float sink) {
    sink *= LOG2_E;
    const float most = fmaxf(all.most, sink);
    const float kept = power(all.most, most);
    return kept / fmaf(all.sum, kept, power(sink, most));
}

// ---- workspace of split lists: per row and split, first the softmax of each head, then its values ----

__device__ __forceinline__ Softmax *split_softmax(const Call &call, i64 row, i64 split) {
    const i64 heads = call.at[Q].dims[1];
    return static_cast<Softmax *>(call.workspace) + (row * call.attribute[SPLITS] + split) * heads;
}

__device__ __forceinline__ float *split_values(const Call &call, i64 row, i64 split, i64 head) {
    const i64 heads = call.at[Q].dims[1];
    const i64 lists = call.at[Q].dims[0] * call.attribute[SPLITS];
    float *values = reinterpret_cast<float *>(static_cast<Softmax *>(call.workspace) + ceil_div(lists * heads, 2) * 2);
    return values + ((row * call.attribute[SPLITS] + split) * heads + head) * call.at[Q].dims[2];
}

// Merges the splits of a list, in order, for one head; thread number `thread` of `threads`.
__device__ __forceinline__ void combine_head(const Call &call, i64 row, i64 head, int thread, int threads) {
    const i64 width = call.at[Q].dims[2];
    const float sink = static_cast<const float *>(call.at[SINK].data)[head];
    bf16 *y = row_of<bf16>(result(call), row, head);
    for (i64 c = thread; c < width; c += threads) {
        Softmax all = {-infinity(), 0.0f};
        float value = 0;
        for (i64 split = 0; split < call.attribute[SPLITS]; split++) {
            const Softmax part = split_softmax(call, row, split)[head];
            if (part.sum != 0) {  // else the split has no keys
                value = merge(merge(all, part), value, split_values(call, row, split, head)[c]);
            }
        }
        store_to(y + c, value * closing(all, sink));
    }
}

}  // namespace attention

}  // namespace weft

#endif
