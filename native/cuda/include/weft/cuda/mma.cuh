// Matrix products of a warp on tensor cores, and the loads that feed them. All 32 lanes take part. Fragments are those of
// PTX: lane 4g + t holds of A the rows g (registers 0, 2) and g + 8 (1, 3), of B the column g, of D the rows g (0, 1) and
// g + 8 (2, 3) at columns 2t and 2t + 1; a register of A or B holds the neighbouring K from t times its number of values on,
// registers 2, 3 of A and 1 of B those of the second half.
#ifndef WEFT_CUDA_MMA_CUH
#define WEFT_CUDA_MMA_CUH

#include "weft/cuda/call.cuh"

namespace weft {

#ifdef WEFT_CUDA_EMULATOR

// D[16, 8] += A[16, 16] B[16, 8]
__device__ __forceinline__ void mma_bf16(float (&d)[4], u32 a0, u32 a1, u32 a2, u32 a3, u32 b0, u32 b1) {
    simt::multiply(simt::Factor::BF16, d, {a0, a1, a2, a3}, b0, b1);
}

__device__ __forceinline__ void mma_f16(float (&d)[4], u32 a0, u32 a1, u32 a2, u32 a3, u32 b0, u32 b1) {
    simt::multiply(simt::Factor::F16, d, {a0, a1, a2, a3}, b0, b1);
}

// D[16, 8] += A[16, 32] B[32, 8]
__device__ __forceinline__ void mma_e4m3(float (&d)[4], u32 a0, u32 a1, u32 a2, u32 a3, u32 b0, u32 b1) {
    simt::multiply(simt::Factor::E4M3, d, {a0, a1, a2, a3}, b0, b1);
}

#define WEFT_LDMATRIX(count, modifier, name, outputs, registers)                                       \
    __device__ __forceinline__ void name(u32 (&out)[count], const void *row) {                         \
        simt::load_matrices(out, count, sizeof(modifier) > 1, row);                                    \
    }

#else

#define WEFT_MMA(name, shape, types)                                                                                    \
    __device__ __forceinline__ void name(float (&d)[4], u32 a0, u32 a1, u32 a2, u32 a3, u32 b0, u32 b1) {               \
        asm volatile("mma.sync.aligned." shape ".row.col." types " {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "      \
                     "{%0, %1, %2, %3};"                                                                                \
                     : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])                                                   \
                     : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));                                           \
    }

// D[16, 8] += A[16, 16] B[16, 8]
WEFT_MMA(mma_bf16, "m16n8k16", "f32.bf16.bf16.f32")
WEFT_MMA(mma_f16, "m16n8k16", "f32.f16.f16.f32")
#if __CUDA_ARCH__ >= 890
// D[16, 8] += A[16, 32] B[32, 8]
WEFT_MMA(mma_e4m3, "m16n8k32", "f32.e4m3.e4m3.f32")
#endif
#undef WEFT_MMA

#define WEFT_UNPACK(...) __VA_ARGS__
#define WEFT_LDMATRIX(count, modifier, name, outputs, registers)                                                        \
    __device__ __forceinline__ void name(u32 (&out)[count], const void *row) {                                          \
        asm volatile("ldmatrix.sync.aligned.m8n8.x" #count modifier ".shared.b16 {" registers "}, [%" #count "];"       \
                     : WEFT_UNPACK outputs                                                                              \
                     : "r"(static_cast<u32>(__cvta_generic_to_shared(row)))                                             \
                     : "memory");                                                                                       \
    }

#endif

// Matrices of 8 x 8 16-bit elements in shared memory. Lane i gives the address of row i % 8 of matrix i / 8, a multiple of
// 16 bytes, and gets of each matrix row i / 4 at columns 2 (i % 4) and 2 (i % 4) + 1; of the transposed matrix with _trans.
WEFT_LDMATRIX(1, "", ldmatrix_x1, ("=r"(out[0])), "%0")
WEFT_LDMATRIX(2, "", ldmatrix_x2, ("=r"(out[0]), "=r"(out[1])), "%0, %1")
WEFT_LDMATRIX(4, "", ldmatrix_x4, ("=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])), "%0, %1, %2, %3")
WEFT_LDMATRIX(1, ".trans", ldmatrix_x1_trans, ("=r"(out[0])), "%0")
WEFT_LDMATRIX(2, ".trans", ldmatrix_x2_trans, ("=r"(out[0]), "=r"(out[1])), "%0, %1")
WEFT_LDMATRIX(4, ".trans", ldmatrix_x4_trans, ("=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])), "%0, %1, %2, %3")
#undef WEFT_LDMATRIX

// The same with A as an array.
__device__ __forceinline__ void mma_bf16(float (&d)[4], const u32 (&a)[4], u32 b0, u32 b1) {
    mma_bf16(d, a[0], a[1], a[2], a[3], b0, b1);
}

}  // namespace weft

#endif
