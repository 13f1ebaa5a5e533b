// Matrix products with some tens of tokens and too few rows of weights for tiles of gemm_wgmma to occupy the device. A block has
// 32 rows of weights and 32 tokens, so that weights are decoded once for all of them, and its warps share K as in gemm_decode.
// The sums of every block of K would not fit in shared memory: in a round each warp multiplies one block of K, and then the
// sums of the round are added to the totals in ascending order.
#ifndef WEFT_CUDA_GEMM_ROUNDS_CUH
#define WEFT_CUDA_GEMM_ROUNDS_CUH

#include "weft/cuda/gemm_decode.cuh"

namespace weft::rounds {

using few::THREADS;
using few::WARPS;

constexpr int ROWS = 4;  // of weights, a lane
constexpr int WARP_ROWS = ROWS * ROW_STEP;
constexpr int TOKENS = 32;
constexpr int FRAGMENTS = TOKENS / FRAGMENT_TOKENS;
constexpr int BLOCK_SUMS = TOKENS * WARP_ROWS;

template <DType X, DType W>
struct Shape {
    static constexpr int STAGES = X == BF16 ? 3 : 4;  // copies under way, as many as fit
    static constexpr int LOADS = block_loads<W>;
    static constexpr int CHUNKS = lane_values<W> / CHUNK;
    static constexpr int X_SLOTS = lane_values<W> * bits_in<X> / 128;  // of a fragment
    static constexpr int SLOT = (ROWS + FRAGMENTS * X_SLOTS) * WARP;   // from a stage to the next
    static_assert(lane_values<W> * bits_in<X> % 128 == 0);
};

// Shared memory, TensorCoreGemm.roundsBytes.
template <DType X, DType W>
struct Layout {
    uint4 *queue;  // [WARPS][STAGES][ROWS + FRAGMENTS * X_SLOTS][WARP]
    float *sums;   // [2 rounds][WARPS][BLOCK_SUMS]
    u8 *x_scale;   // [TOKENS][blocks]
    u8 *w_scale;   // [blocks]

    __device__ __forceinline__ Layout(uint4 *memory, int blocks) {
        queue = memory;
        sums = reinterpret_cast<float *>(queue + WARPS * Shape<X, W>::STAGES * Shape<X, W>::SLOT);
        x_scale = reinterpret_cast<u8 *>(sums + 2 * WARPS * BLOCK_SUMS);
        w_scale = x_scale + TOKENS * blocks;
    }
};

// Where the sum of a row and a token is: what a warp stores or reads at a time is in different banks.
__device__ __forceinline__ int sum_at(int token, int row) {
    return token * WARP_ROWS + (row ^ (token / 2 % 4 * ROW_STEP));
}

// One warp's share: blocks warp, warp + WARPS, ... of K.
template <DType X, DType W>
class Share {
    using S = Shape<X, W>;
    using Sums = FragmentSums<ROWS>;
    static constexpr DType FORMAT = factor_format<X, W>;

    few::NearRows<W, ROWS> rows_;
    const u8 *x_[FRAGMENTS];   // the row of token lane / 4 of each
    int x_inputs_[FRAGMENTS];  // 0 without that token
    int tokens_;
    int blocks_;
    Layout<X, W> shared_;
    uint4 *first_;
    uint4 *last_;
    uint4 *reading_;
    uint4 *writing_;
    int k_;  // the lane's first value of the next block

    __device__ __forceinline__ void begin(int k, uint4 *slot) const {
        rows_.begin(slot, k);
#pragma unroll
        for (int f = 0; f < FRAGMENTS; f++) {
            const u8 *from = x_[f] + static_cast<u32>(k) * bits_in<X> / 8;
            const u32 valid = k < x_inputs_[f] ? 16 : 0;
#pragma unroll
            for (int j = 0; j < S::X_SLOTS; j++) {
                copy_async_16(slot + (ROWS + f * S::X_SLOTS + j) * WARP, from + 16 * j, valid);
            }
        }
        commit_copies();
    }

    // From the first value of a warp's block to that of a load, which may be one of its later blocks.
    static __device__ __forceinline__ constexpr int load_values(int load) {
        return load / S::LOADS * WARPS * K_BLOCK + first_value<W>(load % S::LOADS, 0);
    }

    static __device__ __forceinline__ void multiply(const uint4 *slot, Sums *sums) {
        LaneWeights<W, ROWS> weights;
        weights.read(slot);
        u32 x[FRAGMENTS][4 * S::X_SLOTS];
#pragma unroll
        for (int i = 0; i < FRAGMENTS * S::X_SLOTS; i++) {
            const uint4 words = slot[(ROWS + i) * WARP];
            u32 *to = x[i / S::X_SLOTS] + i % S::X_SLOTS * 4;
            to[0] = words.x;
            to[1] = words.y;
            to[2] = words.z;
            to[3] = words.w;
        }
#pragma unroll
        for (int i = 0; i < S::CHUNKS; i++) {
            Chunk decoded[ROWS];
            weights.template decode<FORMAT>(i, decoded);
#pragma unroll
            for (int f = 0; f < FRAGMENTS; f++) {
                multiply_chunk<FORMAT>(sums[f], decoded,
                                       activations<X, W, FORMAT>(x[f] + i * 4 * S::X_SLOTS / S::CHUNKS));
            }
        }
    }

    // The sums of a block, times its scales.
    __device__ __forceinline__ void store(int block, const Sums *sums, float *to) const {
        const int of_weights = scale_exponent(shared_.w_scale[block]);
#pragma unroll
        for (int i = 0; i < FRAGMENTS * 2; i++) {
            const int token = i / 2 * FRAGMENT_TOKENS + lane_id() % 4 * 2 + i % 2;
            int exponent = of_weights;
            if constexpr (X == F8_E4M3) {
                exponent += scale_exponent(shared_.x_scale[min(token, tokens_ - 1) * blocks_ + block]);
            }
            const Power power = power_of(exponent);
#pragma unroll
            for (int r = 0; r < ROWS; r++) {
                to[sum_at(token, lane_id() / 4 + ROW_STEP * r)] = apply(sums[i / 2].at(r, i % 2), power);
            }
        }
    }

public:
    __device__ __forceinline__ Share(const Matrix &w, const Tile &tile, int row, const Layout<X, W> &shared)
        : rows_(w, row), tokens_(tile.tokens), blocks_(w.blocks()), shared_(shared) {
#pragma unroll
        for (int f = 0; f < FRAGMENTS; f++) {
            const int token = f * FRAGMENT_TOKENS + lane_id() / 4;
            const bool exists = token < tile.tokens;
            x_inputs_[f] = exists ? w.inputs : 0;
            x_[f] = tile.template row<X>(exists ? token : 0);
        }
        first_ = shared.queue + warp_id() * S::STAGES * S::SLOT + lane_id();
        last_ = first_ + (S::STAGES - 1) * S::SLOT;
        reading_ = first_;
        writing_ = last_;
        k_ = warp_id() * K_BLOCK + first_value<W>(0, lane_id() % 4);
    }

    // Begins the first copies; the scales may come to shared memory meanwhile.
    __device__ __forceinline__ void start() const {
#pragma unroll
        for (int load = 0; load < S::STAGES - 1; load++) {
            begin(k_ + load_values(load), first_ + load * S::SLOT);
        }
    }

    // The warp's next block, whose sums go to `to`.
    __device__ __forceinline__ void run(int block, float *to) {
        Sums sums[FRAGMENTS] = {};
#pragma unroll
        for (int load = 0; load < S::LOADS; load++) {
            wait_copies<S::STAGES - 2>();
            multiply(reading_, sums);
            begin(k_ + load_values(load + S::STAGES - 1), writing_);
            writing_ = reading_;
            reading_ = reading_ == last_ ? first_ : reading_ + S::SLOT;
        }
        store(block, sums, to);
        k_ += WARPS * K_BLOCK;
    }
};

// Rows of weights from block.y on, for the tile that the block has.
template <DType X, DType W>
__device__ __forceinline__ void multiply_tile(const Call &call, const uint3 &at) {
    static_assert(W == F8_E4M3, "the 32 rows share their scales");
    WEFT_SHARED_MEMORY(uint4, memory);
    const Tile tile = tile_of(call, TOKENS, at);
    if (tile.tokens <= 0) {
        return;
    }
    const Matrix w = matrix_of<W>(call.at[1], tile.matrix);
    const int row = static_cast<int>(at.y) * WARP_ROWS;
    const int blocks = w.blocks();
    const Layout<X, W> shared(memory, blocks);
    Share<X, W> share(w, tile, row, shared);
    share.start();
    few::copy_scales<1>(shared.w_scale, blocks, w.scale + static_cast<i64>(row / 128) * blocks, 0, WARPS - 1 - warp_id(), 1,
                        blocks);
    if constexpr (X == F8_E4M3) {
        few::copy_scales<TOKENS>(shared.x_scale, blocks, tile.scales(0), tile.x_scales, warp_id(), tile.tokens, blocks);
    }
    __syncthreads();
    float totals[TOKENS / WARPS] = {};  // of row lane, at the tokens warp, warp + WARPS, ...
    for (int first = 0; first < blocks; first += WARPS) {
        // two buffers: while a warp reads the sums of a round, others may store those of the next
        float *sums = shared.sums + first / WARPS % 2 * (WARPS * BLOCK_SUMS);
        const int block = first + warp_id();
        if (block < blocks) {
            share.run(block, sums + warp_id() * BLOCK_SUMS);
        }
        __syncthreads();
        const int count = min(WARPS, blocks - first);
#pragma unroll
        for (int b = 0; b < WARPS; b++) {
            if (b < count) {
#pragma unroll
                for (int i = 0; i < TOKENS / WARPS; i++) {
                    totals[i] += sums[b * BLOCK_SUMS + sum_at(warp_id() + WARPS * i, lane_id())];
                }
            }
        }
    }
    wait_copies<0>();  // of zeros, past the last block
    const Rows results = results_of(call, at);
#pragma unroll
    for (int i = 0; i < TOKENS / WARPS; i++) {
        const int token = warp_id() + WARPS * i;
        if (token < tile.tokens && row + lane_id() < w.outputs) {
            results.store(tile.first + token, row + lane_id(), totals[i]);
        }
    }
}

}  // namespace weft::rounds

#endif
