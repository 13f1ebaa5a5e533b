// Matrix products of a warpgroup on Hopper's tensor cores: 64 rows of A in registers, B in shared memory. Runs beside the
// threads: neither registers of A nor of D may be touched between wgmma_bf16 and the wait.
#ifndef WEFT_CUDA_WGMMA_CUH
#define WEFT_CUDA_WGMMA_CUH

#include "weft/cuda/gemm.cuh"

// What is compiled for Hopper alone; Java asks for such kernels on no other chip, and of no image but those for sm_90a. Compilers
// name that target by the one macro or the other.
#if defined(WEFT_CUDA_EMULATOR)
#define WEFT_ON_HOPPER(...) (simt::require_own_features(), __VA_ARGS__)
#elif !defined(__CUDA_ARCH__) || defined(__CUDA_ARCH_FEAT_SM90_ALL) || \
    (defined(__CUDA_ARCH_SPECIFIC__) && __CUDA_ARCH_SPECIFIC__ == 900)
#define WEFT_ON_HOPPER(...) __VA_ARGS__
#else
#define WEFT_ON_HOPPER(...) __trap()
#endif

namespace weft {

// ---- B: tiles of rows of 64 BF16 values of K, row n at byte 128 n, 16-byte units in swizzled order; 1024-byte aligned

constexpr int WGMMA_TILE_VALUES = 64;
constexpr int WGMMA_TILE_STEPS = WGMMA_TILE_VALUES / 16;
constexpr int WGMMA_ROW_UNITS = 8;

// Where unit `unit` of row `n` lies in its row.
__device__ __forceinline__ int wgmma_unit(int n, int unit) {
    return unit ^ (n % WGMMA_ROW_UNITS);
}

__device__ __forceinline__ u32 shared_address(const void *p) {
#ifdef WEFT_CUDA_EMULATOR
    return static_cast<u32>(static_cast<const u8 *>(p) - static_cast<const u8 *>(simt::shared_memory()));
#else
    return static_cast<u32>(__cvta_generic_to_shared(p));
#endif
}

// Descriptor of step `step` of 16 values in a tile: address, distance of groups of 8 rows, 128-byte swizzle.
__device__ __forceinline__ u64 wgmma_descriptor(const void *tile, int step) {
    const u64 address = (shared_address(tile) + 32u * static_cast<u32>(step)) & 0x3FFFFu;
    return address >> 4 | 1ULL << 16 | static_cast<u64>(1024 >> 4) << 32 | 1ULL << 62;
}

#ifdef WEFT_CUDA_EMULATOR

// d += or = A B; a warp has rows 16 w .. 16 w + 15 of A, as in mma.m16n8. A step is 32 bytes of K, whatever the format.
template <int FRAGMENTS, class Multiply>
void play_wgmma(FragmentSums<2> (&d)[FRAGMENTS], u64 b, bool accumulate, const Multiply &multiply) {
    if (b >> 62 != 1 || (b >> 32 & 0x3FFF) != 64) {
        simt::die("wgmma-descriptor", "only the 128-byte swizzle with groups of 1024 bytes is emulated");
    }
    const u8 *memory = static_cast<const u8 *>(simt::shared_memory());
    const u32 start = static_cast<u32>(b & 0x3FFFu) << 4;
    const auto word = [&](u32 n, u32 byte) {
        const u32 linear = start + n * 128u + byte;
        u32 values;
        __builtin_memcpy(&values, memory + (linear ^ (linear >> 3 & 0x70u)), 4);  // address bits 4-6 with bits 7-9
        return values;
    };
    const u32 c = static_cast<u32>(lane_id() % 4);
    for (int f = 0; f < FRAGMENTS; f++) {
        const u32 n = static_cast<u32>(f * FRAGMENT_TOKENS + lane_id() / 4);
        for (float &v : d[f].d[0]) {
            v = accumulate ? v : 0.0f;
        }
        multiply(d[f].d[0], word(n, 4 * c), word(n, 4 * c + 16));
    }
}

// d += or = A[64, 16] B[16, 8 * fragments]
template <int FRAGMENTS>
void wgmma_bf16(FragmentSums<2> (&d)[FRAGMENTS], const u32 (&a)[4], u64 b, bool accumulate) {
    play_wgmma(d, b, accumulate, [&](float (&sums)[4], u32 b0, u32 b1) { mma_bf16(sums, a, b0, b1); });
}

// d += or = A[64, 32] B[32, 8 * fragments]
template <int FRAGMENTS>
void wgmma_e4m3(FragmentSums<2> (&d)[FRAGMENTS], const u32 (&a)[4], u64 b, bool accumulate) {
    play_wgmma(d, b, accumulate, [&](float (&sums)[4], u32 b0, u32 b1) {
        mma_e4m3(sums, a[0], a[1], a[2], a[3], b0, b1);
    });
}

__device__ __forceinline__ void wgmma_fence() {}
__device__ __forceinline__ void wgmma_commit() {}
template <int PENDING>
__device__ __forceinline__ void wgmma_wait() {}
__device__ __forceinline__ void fence_async_proxy() {}
template <int FRAGMENTS>
__device__ __forceinline__ void hold(FragmentSums<2> (&)[FRAGMENTS]) {}

#else

#define WEFT_SUMS(f) "+f"(d[f].d[0][0]), "+f"(d[f].d[0][1]), "+f"(d[f].d[0][2]), "+f"(d[f].d[0][3])

// d += or = A[64, 16] B[16, 8 * fragments]; a warp has rows 16 w .. 16 w + 15 of A, as in mma.m16n8k16.
__device__ __forceinline__ void wgmma_bf16(FragmentSums<2> (&d)[8], const u32 (&a)[4], u64 b, bool accumulate) {
    asm volatile(
        "{.reg .pred p; setp.ne.b32 p, %37, 0; "
        "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 "
        "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
        "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31}, "
        "{%32, %33, %34, %35}, %36, p, 1, 1, 0;}"
        : WEFT_SUMS(0), WEFT_SUMS(1), WEFT_SUMS(2), WEFT_SUMS(3),
          WEFT_SUMS(4), WEFT_SUMS(5), WEFT_SUMS(6), WEFT_SUMS(7)
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(static_cast<u32>(accumulate)));
}

__device__ __forceinline__ void wgmma_bf16(FragmentSums<2> (&d)[16], const u32 (&a)[4], u64 b, bool accumulate) {
    asm volatile(
        "{.reg .pred p; setp.ne.b32 p, %69, 0; "
        "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 "
        "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
        "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, "
        "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "
        "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63}, "
        "{%64, %65, %66, %67}, %68, p, 1, 1, 0;}"
        : WEFT_SUMS(0), WEFT_SUMS(1), WEFT_SUMS(2), WEFT_SUMS(3),
          WEFT_SUMS(4), WEFT_SUMS(5), WEFT_SUMS(6), WEFT_SUMS(7),
          WEFT_SUMS(8), WEFT_SUMS(9), WEFT_SUMS(10), WEFT_SUMS(11),
          WEFT_SUMS(12), WEFT_SUMS(13), WEFT_SUMS(14), WEFT_SUMS(15)
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(static_cast<u32>(accumulate)));
}

// d += or = A[64, 32] B[32, 8 * fragments]; sums have fewer bits than F32
__device__ __forceinline__ void wgmma_e4m3(FragmentSums<2> (&d)[8], const u32 (&a)[4], u64 b, bool accumulate) {
    asm volatile(
        "{.reg .pred p; setp.ne.b32 p, %37, 0; "
        "wgmma.mma_async.sync.aligned.m64n64k32.f32.e4m3.e4m3 "
        "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
        "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31}, "
        "{%32, %33, %34, %35}, %36, p, 1, 1;}"
        : WEFT_SUMS(0), WEFT_SUMS(1), WEFT_SUMS(2), WEFT_SUMS(3),
          WEFT_SUMS(4), WEFT_SUMS(5), WEFT_SUMS(6), WEFT_SUMS(7)
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(static_cast<u32>(accumulate)));
}

__device__ __forceinline__ void wgmma_e4m3(FragmentSums<2> (&d)[16], const u32 (&a)[4], u64 b, bool accumulate) {
    asm volatile(
        "{.reg .pred p; setp.ne.b32 p, %69, 0; "
        "wgmma.mma_async.sync.aligned.m64n128k32.f32.e4m3.e4m3 "
        "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, "
        "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, "
        "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, "
        "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63}, "
        "{%64, %65, %66, %67}, %68, p, 1, 1;}"
        : WEFT_SUMS(0), WEFT_SUMS(1), WEFT_SUMS(2), WEFT_SUMS(3),
          WEFT_SUMS(4), WEFT_SUMS(5), WEFT_SUMS(6), WEFT_SUMS(7),
          WEFT_SUMS(8), WEFT_SUMS(9), WEFT_SUMS(10), WEFT_SUMS(11),
          WEFT_SUMS(12), WEFT_SUMS(13), WEFT_SUMS(14), WEFT_SUMS(15)
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(static_cast<u32>(accumulate)));
}

#undef WEFT_SUMS

// Before the first product, and after registers of A or D were written.
__device__ __forceinline__ void wgmma_fence() {
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}

__device__ __forceinline__ void wgmma_commit() {
    asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}

template <int PENDING>
__device__ __forceinline__ void wgmma_wait() {
    asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(PENDING) : "memory");
}

// After ordinary stores to shared memory that products will read, before the barrier.
__device__ __forceinline__ void fence_async_proxy() {
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}

// Keeps the compiler from moving accesses to the sums across: it does not know that products write them later.
template <int FRAGMENTS>
__device__ __forceinline__ void hold(FragmentSums<2> (&d)[FRAGMENTS]) {
#pragma unroll
    for (int f = 0; f < FRAGMENTS; f++) {
#pragma unroll
        for (float &v : d[f].d[0]) {
            asm volatile("" : "+f"(v)::"memory");
        }
    }
}

#endif

}  // namespace weft

#endif
