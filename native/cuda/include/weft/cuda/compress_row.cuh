// The compressor: an entry from its rows, with a softmax that is shared by groups of threads.
#ifndef WEFT_CUDA_COMPRESS_ROW_CUH
#define WEFT_CUDA_COMPRESS_ROW_CUH

#include "weft/cuda/compress.cuh"

namespace weft {

namespace compressor {

constexpr int COMPRESS_THREADS = 256;  // most of a block
constexpr int CHANNELS = 4;  // of a thread: 16 bytes
constexpr int BATCH = 4;     // rows that a thread loads at once

// A softmax that is not finished, of the channels of one thread.
struct Part {
    float most[CHANNELS];
    float sum[CHANNELS];
    float weighted[CHANNELS];
};

__device__ __forceinline__ void load_channels(const float *from, float *to) {
    if (reinterpret_cast<u64>(from) % 16 == 0) {
        const float4 v = *reinterpret_cast<const float4 *>(from);
        to[0] = v.x;
        to[1] = v.y;
        to[2] = v.z;
        to[3] = v.w;
        return;
    }
#pragma unroll
    for (int i = 0; i < CHANNELS; i++) {
        to[i] = from[i];
    }
}

// Where exponents are counted from; rows that all score negative infinity have no weight.
__device__ __forceinline__ float origin(float most) {
    return most == -infinity() ? 0.0f : most;
}

// The rows t, t + step, ... of an entry.
__device__ __forceinline__ Part part(const Call &call, const Entry &e, i32 t, i32 step, i32 channel) {
    Part p;
#pragma unroll
    for (int i = 0; i < CHANNELS; i++) {
        p.most[i] = -infinity();
        p.sum[i] = 0;
        p.weighted[i] = 0;
    }
    for (; t < e.rows; t += BATCH * step) {
        float z[BATCH][CHANNELS];
        float ape[BATCH][CHANNELS];
        float k[BATCH][CHANNELS];
#pragma unroll
        for (int b = 0; b < BATCH; b++) {
            // behind the last row comes the last row again, without weight
            const Source s = source(call, e, min(t + b * step, e.rows - 1));
            load_channels(s.z + channel, z[b]);
            load_channels(s.ape + channel, ape[b]);
            load_channels(s.k + channel, k[b]);
        }
#pragma unroll
        for (int i = 0; i < CHANNELS; i++) {
            float most = p.most[i];
#pragma unroll
            for (int b = 0; b < BATCH; b++) {
                z[b][i] = t + b * step < e.rows ? z[b][i] + ape[b][i] : -infinity();
                most = fmaxf(most, z[b][i]);
            }
            const float kept = expf(p.most[i] - origin(most));
            p.most[i] = most;
            p.sum[i] *= kept;
            p.weighted[i] *= kept;
#pragma unroll
            for (int b = 0; b < BATCH; b++) {
                if (t + b * step < e.rows) {
                    const float term = expf(z[b][i] - origin(most));
                    p.sum[i] += term;
                    p.weighted[i] = fmaf(term, k[b][i], p.weighted[i]);
                }
            }
        }
    }
    return p;
}

// By a block, for a row of the step. Groups of threads share the rows of an entry. Attributes: ratio, overlap, rotated lanes,
// epsilon, form, number of groups; table 0: frequencies. Shared memory: three floats per channel and group, then an entry.
__device__ __forceinline__ void compress_row(const Call &call, i64 row, float *memory) {
    if (!ends_entry(call, row)) {
        return;
    }
    const Entry e = entry_of_row(call, row);
    if (e.index < 0) {
        return;
    }
    const int width = static_cast<int>(call.at[CACHE].dims[2]);
    const int groups = static_cast<int>(call.attribute[ATTRIBUTES]);
    const int lanes = width / CHANNELS;
    const int group = static_cast<int>(threadIdx.x) / lanes;
    float *most = memory;
    float *sum = most + groups * width;
    float *weighted = sum + groups * width;
    float *entry = weighted + groups * width;
    if (group < groups) {
        const int channel = static_cast<int>(threadIdx.x) % lanes * CHANNELS;
        const Part p = part(call, e, group, groups, channel);
#pragma unroll
        for (int i = 0; i < CHANNELS; i++) {
            most[group * width + channel + i] = p.most[i];
            sum[group * width + channel + i] = p.sum[i];
            weighted[group * width + channel + i] = p.weighted[i];
        }
    }
    __syncthreads();
    for (int c = static_cast<int>(threadIdx.x); c < width; c += static_cast<int>(blockDim.x)) {
        float greatest = -infinity();
        for (int g = 0; g < groups; g++) {
            greatest = fmaxf(greatest, most[g * width + c]);
        }
        float terms = 0;
        float values = 0;
        for (int g = 0; g < groups; g++) {
            const float kept = expf(most[g * width + c] - origin(greatest));
            terms = fmaf(sum[g * width + c], kept, terms);
            values = fmaf(weighted[g * width + c], kept, values);
        }
        entry[c] = values / terms;
    }
    __syncthreads();
    finish(call, e, entry);
}

}  // namespace compressor

}  // namespace weft

#endif
