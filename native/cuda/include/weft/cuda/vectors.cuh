// Runs of consecutive elements as floats, moved 16 bytes at a time where they are aligned.
#ifndef WEFT_CUDA_VECTORS_CUH
#define WEFT_CUDA_VECTORS_CUH

#include "weft/cuda/rows.cuh"

namespace weft {

__device__ __forceinline__ bool is_aligned(const void *p, u64 bytes) {
    return reinterpret_cast<u64>(p) % bytes == 0;
}

template <int N>
__device__ __forceinline__ void unpack(const float *from, float (&v)[N]) {
#pragma unroll
    for (int i = 0; i < N; i += 4) {
        const float4 q = *reinterpret_cast<const float4 *>(from + i);
        v[i] = q.x;
        v[i + 1] = q.y;
        v[i + 2] = q.z;
        v[i + 3] = q.w;
    }
}

__device__ __forceinline__ void unpack_pair(u32 word, float &low, float &high) {
    low = __uint_as_float(word << 16);
    high = __uint_as_float(word & 0xFFFF0000u);
}

template <int N>
__device__ __forceinline__ void unpack(const bf16 *from, float (&v)[N]) {
    if constexpr (N == 4) {
        const uint2 q = *reinterpret_cast<const uint2 *>(from);
        unpack_pair(q.x, v[0], v[1]);
        unpack_pair(q.y, v[2], v[3]);
    } else {
#pragma unroll
        for (int i = 0; i < N; i += 8) {
            const uint4 q = *reinterpret_cast<const uint4 *>(from + i);
            unpack_pair(q.x, v[i], v[i + 1]);
            unpack_pair(q.y, v[i + 2], v[i + 3]);
            unpack_pair(q.z, v[i + 4], v[i + 5]);
            unpack_pair(q.w, v[i + 6], v[i + 7]);
        }
    }
}

template <int N>
__device__ __forceinline__ void pack(float *to, const float (&v)[N]) {
#pragma unroll
    for (int i = 0; i < N; i += 4) {
        *reinterpret_cast<float4 *>(to + i) = make_float4(v[i], v[i + 1], v[i + 2], v[i + 3]);
    }
}

template <int N>
__device__ __forceinline__ void pack(bf16 *to, const float (&v)[N]) {
    if constexpr (N == 4) {
        *reinterpret_cast<uint2 *>(to) = make_uint2(floats_to_bf16(v[0], v[1]), floats_to_bf16(v[2], v[3]));
    } else {
#pragma unroll
        for (int i = 0; i < N; i += 8) {
            *reinterpret_cast<uint4 *>(to + i) =
                make_uint4(floats_to_bf16(v[i], v[i + 1]), floats_to_bf16(v[i + 2], v[i + 3]),
                           floats_to_bf16(v[i + 4], v[i + 5]), floats_to_bf16(v[i + 6], v[i + 7]));
        }
    }
}

// v = the N elements at `from`, zeros behind the `left` ones that there are. `aligned`: on N elements or 16 bytes.
template <int N, class T>
__device__ __forceinline__ void load_run(const T *from, i64 left, bool aligned, float (&v)[N]) {
    if (aligned && left >= N) {
        unpack(from, v);
        return;
    }
#pragma unroll
    for (int i = 0; i < N; i++) {
        v[i] = i < left ? to_float(from[i]) : 0.0f;
    }
}

// Stores the first `left` of N values, rounded to T.
template <int N, class T>
__device__ __forceinline__ void store_run(T *to, i64 left, bool aligned, const float (&v)[N]) {
    if (aligned && left >= N) {
        pack(to, v);
        return;
    }
#pragma unroll
    for (int i = 0; i < N; i++) {
        if (i < left) {
            store_to(to + i, v[i]);
        }
    }
}

}  // namespace weft

#endif
