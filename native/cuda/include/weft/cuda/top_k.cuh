// The order that every choice of the model uses: higher value first, equal values by lower index, NaN last.
#ifndef WEFT_CUDA_TOP_K_CUH
#define WEFT_CUDA_TOP_K_CUH

#include "weft/cuda/rows.cuh"

namespace weft {

// Word with the order of the values: both zeros alike, NaN below negative infinity.
__device__ __forceinline__ u32 order_key(float x) {
    if (is_nan(x)) {
        return 0;
    }
    const u32 bits = bits_of(x == 0.0f ? 0.0f : x);
    return (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
}

// Whether entry i of key a comes before entry j of key b.
__device__ __forceinline__ bool ranks_before(u32 a, i64 i, u32 b, i64 j) {
    return a > b || (a == b && i < j);
}

}  // namespace weft

#endif
