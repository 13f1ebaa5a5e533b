// What measures a device: a read of its memory, and the units that compute, each busy with nothing else. Nobody wants the
// results; keep() makes the compiler compute them all the same. Operands are random, since zeros need less power and run faster.
#include "weft/cuda/async.cuh"
#include "weft/cuda/mma.cuh"
#include "weft/cuda/rows.cuh"
#include "weft/cuda/wgmma.cuh"

using namespace weft;

namespace {

constexpr int THREADS = 256;
constexpr int GROUP_THREADS = 128;  // of a warpgroup
constexpr int CHAINS = 16;          // sums of a thread that do not wait for one another
constexpr int UNROLL = 8;

__device__ u32 kept;

// Attribute 1: a number that hardly any result equals.
__device__ __forceinline__ void keep(const Call &call, u32 value) {
    if (value == static_cast<u32>(call.attribute[1])) {
        kept = value;
    }
}

__device__ __forceinline__ void keep(const Call &call, float value) {
    keep(call, static_cast<u32>(__float_as_int(value)));
}

// Some bits, others for each n.
__device__ __forceinline__ u32 random_bits(u32 n) {
    u32 x = n * 0x9E3779B9u + 0x7F4A7C15u;
    x = (x ^ x >> 16) * 0x85EBCA6Bu;
    return x ^ x >> 13;
}

// Values of either sign between 1 and 2: two in BF16, four in E4M3.
template <DType T>
__device__ __forceinline__ u32 random_word(u32 n) {
    return T == BF16 ? (random_bits(n) & 0x807F807Fu) | 0x3F803F80u : (random_bits(n) & 0x87878787u) | 0x38383838u;
}

// Sums of products in registers, `mma` of one warp after another.
template <DType T, class Multiply>
__device__ __forceinline__ void multiply_registers(const Call &call, const Multiply &multiply) {
    const u32 seed = static_cast<u32>(global_thread()) * 6;
    const u32 a[4] = {random_word<T>(seed), random_word<T>(seed + 1), random_word<T>(seed + 2), random_word<T>(seed + 3)};
    const u32 b[2] = {random_word<T>(seed + 4), random_word<T>(seed + 5)};
    float sums[UNROLL][4] = {};
    for (i64 i = 0; i < call.attribute[0]; i++) {
#pragma unroll
        for (int c = 0; c < UNROLL; c++) {
            multiply(sums[c], a, b[0], b[1]);
        }
    }
#pragma unroll
    for (int c = 0; c < UNROLL; c++) {
        keep(call, sums[c][0] + sums[c][1] + sums[c][2] + sums[c][3]);
    }
}

// The same for warpgroups, with B in shared memory.
template <DType T, class Multiply>
__device__ __forceinline__ void multiply_shared(const Call &call, const Multiply &multiply) {
    constexpr int ROWS = 128;
    WEFT_SHARED_MEMORY(u8, memory);
    u32 *tile = reinterpret_cast<u32 *>(memory + (-shared_address(memory) & 1023u));
    for (int i = static_cast<int>(threadIdx.x); i < ROWS * WGMMA_TILE_VALUES / 2; i += GROUP_THREADS) {
        tile[i] = random_word<T>(static_cast<u32>(i));
    }
    fence_async_proxy();
    __syncthreads();
    const u32 seed = static_cast<u32>(global_thread()) * 4;
    const u32 a[4] = {random_word<T>(seed), random_word<T>(seed + 1), random_word<T>(seed + 2), random_word<T>(seed + 3)};
    FragmentSums<2> sums[ROWS / FRAGMENT_TOKENS] = {};
    hold(sums);
    for (i64 i = 0; i < call.attribute[0]; i++) {
        wgmma_fence();
#pragma unroll
        for (int step = 0; step < WGMMA_TILE_STEPS; step++) {
            multiply(sums, a, wgmma_descriptor(tile, step), true);
        }
        wgmma_commit();
        wgmma_wait<0>();
        hold(sums);
    }
#pragma unroll
    for (FragmentSums<2> &f : sums) {
        keep(call, f.d[0][0] + f.d[0][1] + f.d[0][2] + f.d[0][3]);
    }
}

}  // namespace

// Attribute: pieces of 16 bytes to read.
WEFT_KERNEL(read_all, THREADS) {
    const uint4 *from = static_cast<const uint4 *>(call.at[0].data);
    const i64 pieces = call.attribute[0];
    const i64 step = static_cast<i64>(gridDim.x) * THREADS;
    u32 all = 0;
    for (i64 first = global_thread(); first < pieces; first += UNROLL * step) {
        uint4 piece[UNROLL];
#pragma unroll
        for (int u = 0; u < UNROLL; u++) {
            const i64 i = first + u * step;
            piece[u] = i < pieces ? load_once(from + i) : uint4{};
        }
#pragma unroll
        for (int u = 0; u < UNROLL; u++) {
            all ^= piece[u].x ^ piece[u].y ^ piece[u].z ^ piece[u].w;
        }
    }
    keep(call, all);
}

// Attribute: rounds, each of 16 x 16 multiply-adds a thread.
WEFT_KERNEL(f32_fma, THREADS) {
    const float factor = 0.5f + static_cast<float>(random_bits(static_cast<u32>(global_thread())) >> 9) * 0x1p-24f;
    float sums[CHAINS];
#pragma unroll
    for (int c = 0; c < CHAINS; c++) {
        sums[c] = static_cast<float>(c);
    }
    for (i64 i = 0; i < call.attribute[0]; i++) {
#pragma unroll
        for (int r = 0; r < 16; r++) {
#pragma unroll
            for (int c = 0; c < CHAINS; c++) {
                sums[c] = fmaf(sums[c], factor, 1.0f);
            }
        }
    }
#pragma unroll
    for (int c = 0; c < CHAINS; c++) {
        keep(call, sums[c]);
    }
}

// Attribute: rounds, each of 8 products of 16 x 8 x 16 a warp.
WEFT_KERNEL(bf16_mma, THREADS) {
    multiply_registers<BF16>(call, [](float (&d)[4], const u32 (&a)[4], u32 b0, u32 b1) {
        mma_bf16(d, a, b0, b1);
    });
}

// Attribute: rounds, each of 4 products of 64 x 128 x 16 a block.
WEFT_KERNEL(bf16_wgmma, GROUP_THREADS) {
    WEFT_ON_HOPPER(multiply_shared<BF16>(
        call, [](FragmentSums<2> (&d)[16], const u32 (&a)[4], u64 b, bool on) { wgmma_bf16(d, a, b, on); }));
}

// Attribute: rounds, each of 4 products of 64 x 128 x 32 a block.
WEFT_KERNEL(e4m3_wgmma, GROUP_THREADS) {
    WEFT_ON_HOPPER(multiply_shared<F8_E4M3>(
        call, [](FragmentSums<2> (&d)[16], const u32 (&a)[4], u64 b, bool on) { wgmma_e4m3(d, a, b, on); }));
}

// Attribute: nanoseconds in which the device does nothing.
WEFT_KERNEL(pause, 1) {
    const i64 end = nanoseconds() + call.attribute[0];
    while (nanoseconds() < end) {
    }
}
