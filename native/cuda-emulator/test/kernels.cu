// Kernels of the emulator's tests: right ones, and one for each mistake that the engine finds.
#include "weft/cuda/async.cuh"
#include "weft/cuda/mma.cuh"
#include "weft/cuda/rows.cuh"

using namespace weft;

namespace {

template <class T>
__device__ T *operand(const Call &call, int i) {
    return static_cast<T *>(call.at[i].data);
}

__device__ int thread() {
    return static_cast<int>(threadIdx.x);
}

}  // namespace

// ---- right

// out[i] = in[i] + attribute 0
WEFT_KERNEL(add_number, 256) {
    const i64 i = global_thread();
    operand<float>(call, 1)[i] = operand<float>(call, 0)[i] + static_cast<float>(call.attribute[0]);
}

// out[block] = sum over the block's 256 values
WEFT_KERNEL(sum_blocks, 256) {
    const float sum = block_sum(operand<float>(call, 0)[global_thread()]);
    if (thread() == 0) {
        operand<float>(call, 1)[blockIdx.x] = sum;
    }
}

// Every collective once, each against what it must give; out[thread] = number of mistakes
WEFT_KERNEL(collectives, 96) {
    const int lane = lane_id();
    const u32 half = lane < 16 ? 0x0000FFFFu : 0xFFFF0000u;
    int mistakes = 0;
    mistakes += __shfl_sync(ALL_LANES, lane, 5) != 5;
    mistakes += __shfl_sync(ALL_LANES, lane, 3, 8) != (lane & ~7) + 3;
    mistakes += __shfl_xor_sync(ALL_LANES, 1.5 * lane, 1) != 1.5 * (lane ^ 1);
    mistakes += __shfl_down_sync(ALL_LANES, lane, 4) != (lane < 28 ? lane + 4 : lane);
    mistakes += __shfl_up_sync(ALL_LANES, lane, 4, 16) != (lane % 16 < 4 ? lane : lane - 4);
    mistakes += __ballot_sync(half, lane % 2) != (0xAAAAAAAAu & half);
    mistakes += __any_sync(ALL_LANES, lane == 31) != 1;
    mistakes += __all_sync(ALL_LANES, lane < 31) != 0;
    mistakes += __match_any_sync(ALL_LANES, lane % 4) != 0x11111111u << lane % 4;
    __syncwarp();
    mistakes += __syncthreads_or(thread() == 95) != 1;
    mistakes += __syncthreads_and(thread() != 95) != 0;
    mistakes += __syncthreads_count(thread() % 3 == 0) != 32;
    if (thread() >= 32) {
        sync_threads(1, 64);
    }
    operand<float>(call, 0)[thread()] = static_cast<float>(mistakes);
}

// Half of the threads return early, which barriers and full masks allow
WEFT_KERNEL(early_return, 64) {
    if (thread() % 2 == 1) {
        return;
    }
    __syncthreads();
    operand<float>(call, 0)[thread()] = __popc(__ballot_sync(ALL_LANES, 1));
}

// Number of values in dynamic and static shared memory that are not poison at the start
WEFT_KERNEL(fresh_shared, 32) {
    WEFT_SHARED_MEMORY(u32, dynamic);
    __shared__ u32 fixed[32];
    const bool bad = dynamic[thread()] != 0xFFFFFFFFu || fixed[thread()] != 0xFFFFFFFFu;
    operand<float>(call, 0)[thread()] = bad;
    __syncwarp();
    dynamic[thread()] = 0;
    fixed[thread()] = 0;
}

// D[16, 8] = C + A B through ldmatrix and mma: A of 16 x 16 BF16 codes, B of 16 x 8, row-major
WEFT_KERNEL(multiply_bf16, 32) {
    WEFT_SHARED_MEMORY(u16, shared);
    u16 *a_tile = shared, *b_tile = shared + 256;
    for (int i = thread(); i < 256; i += 32) {
        a_tile[i] = operand<u16>(call, 0)[i];
    }
    for (int i = thread(); i < 128; i += 32) {
        b_tile[i] = operand<u16>(call, 1)[i];
    }
    __syncwarp();
    const int lane = thread();
    u32 a[4], b[2];
    ldmatrix_x4(a, a_tile + lane % 16 * 16 + lane / 16 * 8);
    ldmatrix_x2_trans(b, b_tile + lane % 16 * 8);
    float *c = operand<float>(call, 2) + lane / 4 * 8 + lane % 4 * 2;
    float d[4] = {c[0], c[1], c[64], c[65]};
    mma_bf16(d, a, b[0], b[1]);
    c[0] = d[0];
    c[1] = d[1];
    c[64] = d[2];
    c[65] = d[3];
}

// The same of A 16 x 32 and the transpose of B, 8 x 32, both E4M3
WEFT_KERNEL(multiply_e4m3, 32) {
    const int lane = thread(), group = lane / 4, first = lane % 4 * 4;
    const u8 *a = operand<u8>(call, 0), *b = operand<u8>(call, 1);
    const auto word = [](const u8 *from) { return *reinterpret_cast<const u32 *>(from); };
    float *c = operand<float>(call, 2) + group * 8 + lane % 4 * 2;
    float d[4] = {c[0], c[1], c[64], c[65]};
    mma_e4m3(d, word(a + group * 32 + first), word(a + (group + 8) * 32 + first), word(a + group * 32 + first + 16),
             word(a + (group + 8) * 32 + first + 16), word(b + group * 32 + first), word(b + group * 32 + first + 16));
    c[0] = d[0];
    c[1] = d[1];
    c[64] = d[2];
    c[65] = d[3];
}

// out = in, 16 bytes a thread, through copies in two groups; attribute 0: 0 waits for all, 1 only for the first group,
// 2 forgets to wait until its end, 3 leaves them to the end
WEFT_KERNEL(copy_through_shared, 32) {
    WEFT_SHARED_MEMORY(float4, shared);
    const float4 *in = operand<float4>(call, 0);
    copy_async_16(shared + thread(), in + thread());
    commit_copies();
    copy_async_16(shared + 32 + thread(), in + 32 + thread(), 8);
    commit_copies();
    const i64 mode = call.attribute[0];
    if (mode == 0) {
        wait_copies<0>();
    } else if (mode == 1) {
        wait_copies<1>();
    }
    __syncthreads();
    operand<float4>(call, 1)[thread()] = shared[thread()];
    operand<float4>(call, 1)[32 + thread()] = shared[32 + thread()];
    if (mode != 3) {
        wait_copies<0>();
    }
}

// Before it waits: prefetches `attribute 2` bytes from byte `attribute 1` of operand 0, or reads there, as attribute 0 says.
namespace {

void prefetch_or_read(const Call &call) {
    u8 *at = operand<u8>(call, 0) + call.attribute[1];
    if (call.attribute[0] == 0) {
        prefetch_run(at, static_cast<u32>(call.attribute[2]));
        prefetch_sector(at);
    } else {
        *static_cast<volatile u8 *>(at);
    }
}

}  // namespace

// Copies 512 bytes of operand 0 to operand 1.
WEFT_KERNEL_AHEAD(prefetch_and_copy, prefetch_or_read, 32) {
    WEFT_SHARED_MEMORY(float4, shared);
    copy_async_16(shared + thread(), operand<float4>(call, 0) + thread());
    commit_copies();
    wait_copies<0>();
    operand<float4>(call, 1)[thread()] = shared[thread()];
}

// The block that begins first writes attribute 0 behind the two words of operand 0, which count those that have begun and that it
// has written; the others read it when it has. With -1 it fails.
WEFT_KERNEL(wait_for_the_first, 1) {
    u32 *count = operand<u32>(call, 0);
    i64 *at = call.attribute[0] < 0 ? nullptr : operand<i64>(call, 0) + 1;
    if (atomicAdd(count, 1u) == 0) {
        *at = call.attribute[0];
        atomicAdd(count + 1, 1u);
        return;
    }
    while (atomicAdd(count + 1, 0u) == 0) {
        __nanosleep(32);
    }
    operand<float>(call, 1)[blockIdx.x] = static_cast<float>(*at);
}

// ---- wrong

// a copy of no bytes from the middle of a vector
WEFT_KERNEL(copy_nothing_misaligned, 32) {
    WEFT_SHARED_MEMORY(float4, shared);
    copy_async_16(shared + thread(), operand<float>(call, 0) + 1, 0);
    commit_copies();
    wait_copies<0>();
}

// out[i] = value of the neighbour, exchanged without a barrier
WEFT_KERNEL(missing_barrier, 64) {
    WEFT_SHARED_MEMORY(float, shared);
    shared[thread()] = static_cast<float>(thread());
    operand<float>(call, 0)[thread()] = shared[thread() ^ 1];
}

WEFT_KERNEL(diverging_barrier, 64) {
    if (thread() < 40) {
        __syncthreads();
    } else {
        __syncthreads();
    }
}

// The first warp waits for the block, the second for a barrier of both
WEFT_KERNEL(deadlock, 64) {
    if (thread() < 32) {
        __syncthreads();
    } else {
        sync_threads(2, 64);
    }
}

WEFT_KERNEL(diverging_warp, 32) {
    if (thread() < 8) {
        __ballot_sync(ALL_LANES, 1);
    } else {
        __shfl_sync(ALL_LANES, 1, 0);
    }
}

WEFT_KERNEL(lane_outside_mask, 32) {
    __ballot_sync(0xFFFF, 1);
}

WEFT_KERNEL(absent_lane, 32) {
    if (thread() < 16) {
        __shfl_sync(0xFFFF, 1, 20);
    }
}

// Writes 4 bytes at attribute 0 bytes behind operand 0
WEFT_KERNEL(write_at, 1) {
    *reinterpret_cast<u32 *>(operand<u8>(call, 0) + call.attribute[0]) = 1;
}

// Writes 4 bytes at attribute 0 bytes of shared memory
WEFT_KERNEL(write_shared_at, 1) {
    WEFT_SHARED_MEMORY(u8, shared);
    *reinterpret_cast<u32 *>(shared + call.attribute[0]) = 1;
}

WEFT_KERNEL(wide_access, 1) {
    reinterpret_cast<float4 *>(operand<u8>(call, 0) + call.attribute[0])->x = 1.0f;
}

WEFT_KERNEL(divide, 1) {
    operand<i32>(call, 0)[0] = static_cast<i32>(100 / call.attribute[0]);
}

WEFT_KERNEL(deep_stack, 1) {
    volatile char large[200000];
    large[0] = 1;
    large[199999] = large[0];
}
