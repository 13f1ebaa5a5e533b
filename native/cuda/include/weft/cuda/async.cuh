// Copies from global to shared memory that the thread does not wait for, prefetches, loads of data that is read once, barriers of
// parts of a block, and the device's clock.
#ifndef WEFT_CUDA_ASYNC_CUH
#define WEFT_CUDA_ASYNC_CUH

#include "weft/cuda/call.cuh"

namespace weft {

#ifdef WEFT_CUDA_EMULATOR

#define WEFT_COPY(bytes, cache)                                                                              \
    __device__ __forceinline__ void copy_async_##bytes(void *to, const void *from, u32 valid = bytes) {      \
        simt::begin_copy(to, from, bytes, valid);                                                            \
    }

__device__ __forceinline__ void commit_copies() {
    simt::commit_copies();
}

template <int PENDING>
__device__ __forceinline__ void wait_copies() {
    simt::wait_copies(PENDING);
}

__device__ __forceinline__ void prefetch_run(const void *from, u32 bytes) {
    simt::prefetch_run(from, bytes);
}

__device__ __forceinline__ void prefetch_sector(const void *from) {
    simt::prefetch_sector(from);
}

__device__ __forceinline__ uint4 load_once(const uint4 *from) {
    return *from;
}

__device__ __forceinline__ void sync_threads(int barrier, int threads) {
    simt::named_barrier(barrier, threads);
}

__device__ __forceinline__ i64 nanoseconds() {
    return static_cast<i64>(simt::nanoseconds());
}

#else

#define WEFT_COPY(bytes, cache)                                                                                         \
    __device__ __forceinline__ void copy_async_##bytes(void *to, const void *from, u32 valid = bytes) {                 \
        asm volatile("cp.async." cache ".shared.global [%0], [%1], " #bytes ", %2;" ::"r"(                              \
                         static_cast<u32>(__cvta_generic_to_shared(to))),                                               \
                     "l"(from), "r"(valid)                                                                              \
                     : "memory");                                                                                       \
    }

// Ends the group of the copies that this thread began since the last group.
__device__ __forceinline__ void commit_copies() {
    asm volatile("cp.async.commit_group;" ::: "memory");
}

// Until all but the last PENDING groups of this thread are there. Other threads see them after a barrier.
template <int PENDING>
__device__ __forceinline__ void wait_copies() {
    asm volatile("cp.async.wait_group %0;" ::"n"(PENDING) : "memory");
}

// Begins to bring a run to the second level cache: address and bytes are multiples of 16, and there are some. For kernels that are
// launched early, so only where those are (sm_90 on).
__device__ __forceinline__ void prefetch_run([[maybe_unused]] const void *from, [[maybe_unused]] u32 bytes) {
#if __CUDA_ARCH__ >= 900
    asm volatile("cp.async.bulk.prefetch.L2.global [%0], %1;" ::"l"(from), "r"(bytes) : "memory");
#endif
}

// The same for the part of memory that holds this byte.
__device__ __forceinline__ void prefetch_sector([[maybe_unused]] const void *from) {
#if __CUDA_ARCH__ >= 900
    asm volatile("prefetch.global.L2 [%0];" ::"l"(from) : "memory");
#endif
}

// Past the first level cache. The data must not change during the kernel.
__device__ __forceinline__ uint4 load_once(const uint4 *from) {
    uint4 v;
    asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
                 : "l"(from));
    return v;
}

// Barrier 1..15 of so many threads of the block, in whole warps.
__device__ __forceinline__ void sync_threads(int barrier, int threads) {
    asm volatile("bar.sync %0, %1;" ::"r"(barrier), "r"(threads) : "memory");
}

// Of a clock that all multiprocessors share; it may stand still for a microsecond.
__device__ __forceinline__ i64 nanoseconds() {
    i64 now;
    asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(now)::"memory");
    return now;
}

#endif

// Bytes that come from memory at once.
constexpr int SECTOR = 32;

// Begins a copy: both addresses are multiples of its size. Bytes from `valid` on become zero and are not read.
WEFT_COPY(4, "ca")
WEFT_COPY(8, "ca")
WEFT_COPY(16, "cg")
#undef WEFT_COPY

// Prefetches some bytes at any address, by all threads of a block.
__device__ __forceinline__ void prefetch_bytes(const void *from, i64 bytes) {
    const u8 *first = static_cast<const u8 *>(from);
#pragma unroll 1
    for (i64 i = static_cast<i64>(threadIdx.x) * SECTOR; i < bytes; i += static_cast<i64>(blockDim.x) * SECTOR) {
        prefetch_sector(first + i);
    }
}

}  // namespace weft

#endif
