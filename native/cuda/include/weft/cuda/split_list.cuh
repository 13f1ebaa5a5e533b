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

// Merges the splits of a list, in order, for one head, by a block that has a thread for every two columns. What a split has comes
// from the second level cache, and one after the other would be waited for: so the softmax of many is loaded at once, then the
// values of some. A split without keys has none: that memory was not written.
__device__ __forceinline__ void combine_head(const Call &call, i64 row, i64 head) {
    constexpr int LISTED = 256;
    constexpr int AT_ONCE = 8;
    __shared__ Softmax listed[LISTED];
    const int thread = static_cast<int>(threadIdx.x);
    const i64 heads = call.at[Q].dims[1];
    const i64 width = call.at[Q].dims[2];
    const int splits = static_cast<int>(call.attribute[SPLITS]);
    const bool has_columns = 2 * thread < width;
    const float sink = static_cast<const float *>(call.at[SINK].data)[head];
    const Softmax *softmax = split_softmax(call, row, 0) + head;
    const float *values = split_values(call, row, 0, head) + 2 * thread;
    Softmax all = {-infinity(), 0.0f};
    float2 value = make_float2(0, 0);
#pragma unroll 1
    for (int begin = 0; begin < splits; begin += LISTED) {
        const int count = min(splits - begin, LISTED);
        __syncthreads();  // those before have been read
#pragma unroll 1
        for (int i = thread; i < count; i += static_cast<int>(blockDim.x)) {
            listed[i] = softmax[(begin + i) * heads];
        }
        __syncthreads();
#pragma unroll 1
        for (int first = 0; first < count; first += AT_ONCE) {
            const float *from = values + (begin + first) * heads * width;
            bool has_keys[AT_ONCE];
            float2 added[AT_ONCE];
#pragma unroll
            for (int i = 0; i < AT_ONCE; i++) {
                const float *pair = from + i * heads * width;
                has_keys[i] = first + i < count && listed[first + i].sum != 0;
                added[i] = has_keys[i] && has_columns ? *reinterpret_cast<const float2 *>(pair) : make_float2(0, 0);
            }
#pragma unroll
            for (int i = 0; i < AT_ONCE; i++) {
                if (has_keys[i]) {
                    const Merge m = merge(all, listed[first + i]);
                    value.x = merge(m, value.x, added[i].x);
                    value.y = merge(m, value.y, added[i].y);
                }
            }
        }
    }
    if (has_columns) {
        const float factor = closing(all, sink);
        bf16 *y = row_of<bf16>(result(call), row, head) + 2 * thread;
        store_to(y, value.x * factor);
        store_to(y + 1, value.y * factor);
    }
}

}  // namespace attention

}  // namespace weft

#endif
