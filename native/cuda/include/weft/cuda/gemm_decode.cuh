// Matrix products with few tokens, bound by reading the weights: a block has 16 or 32 rows of weights (16 where more would
// leave multiprocessors idle) and 8 tokens, and its warps share K. Each warp leaves the sums of its blocks of K in shared memory, where they are added in ascending order.
#ifndef WEFT_CUDA_GEMM_DECODE_CUH
#define WEFT_CUDA_GEMM_DECODE_CUH

#include "weft/cuda/gemm.cuh"

namespace weft {

namespace few {

constexpr int THREADS = 256;
constexpr int WARPS = THREADS / WARP;
constexpr int TOKENS = FRAGMENT_TOKENS;
constexpr int STAGES = 3;  // copies under way

// OWN: whether the block has quantised the tokens itself, so that none come through the queue.
template <DType X, DType W, int ROWS, bool OWN>
struct Shape {
    static constexpr int WARP_ROWS = ROWS * ROW_STEP;
    static constexpr int SUM_PITCH = WARP_ROWS + 4;  // floats from token to token: no bank conflicts
    static constexpr int BLOCK_SUMS = TOKENS * SUM_PITCH;
    static constexpr int LOADS = block_loads<W>;  // steps of a block
    static constexpr int CHUNKS = lane_values<W> / CHUNK;
    static constexpr int X_WORDS = lane_values<W> * bits_in<X> / 32;
    static constexpr int X_SLOTS = (X_WORDS + 3) / 4;
    static constexpr int SLOTS = ROWS + (OWN ? 0 : X_SLOTS);  // of 16 bytes a lane and step
};

// Shared memory. TensorCoreGemm.decodeBytes knows its size.
template <DType X, DType W, int ROWS, bool OWN>
struct Layout {
    using S = Shape<X, W, ROWS, OWN>;

    uint4 *queue;     // [WARPS][STAGES][SLOTS][WARP]
    float *sums;      // [blocks][TOKENS][SUM_PITCH]
    u8 *x_scale;      // [TOKENS][blocks]
    u8 *w_scale;      // E4M3: [blocks]; E2M1: [WARP_ROWS][inputs / 32]

    __device__ __forceinline__ Layout(uint4 *memory, int blocks) {
        queue = memory;
        sums = reinterpret_cast<float *>(queue + WARPS * STAGES * S::SLOTS * WARP);
        x_scale = reinterpret_cast<u8 *>(sums + blocks * S::BLOCK_SUMS);
        w_scale = x_scale + TOKENS * blocks;
    }
};

template <DType X, DType W, int ROWS, bool OWN>
__device__ __forceinline__ void load_scales(const Matrix &w, const Tile &tile, int row,
                                            const Layout<X, W, ROWS, OWN> &shared) {
    constexpr int WARP_ROWS = Shape<X, W, ROWS, OWN>::WARP_ROWS;
    const int blocks = w.blocks();
    if constexpr (X == F8_E4M3 && !OWN) {
        for (int i = static_cast<int>(threadIdx.x); i < tile.tokens * blocks; i += THREADS) {
            shared.x_scale[i] = tile.scales(i / blocks)[i % blocks];
        }
    }
    if constexpr (W == F8_E4M3) {
        for (int b = static_cast<int>(threadIdx.x); b < blocks; b += THREADS) {
            shared.w_scale[b] = w.scale[static_cast<i64>(row / 128) * blocks + b];
        }
    }
    if constexpr (W == F4_E2M1) {
        const int of_row = w.inputs / MX_BLOCK;
        const u8 *scale = w.scale + static_cast<i64>(row) * of_row;
        const int count = min(w.outputs - row, WARP_ROWS) * of_row;
        for (int i = static_cast<int>(threadIdx.x); i < WARP_ROWS * of_row; i += THREADS) {
            shared.w_scale[i] = i < count ? scale[i] : 0;
        }
    }
}

// Codes of the tokens that a block has quantised itself, in shared memory.
struct OwnCodes {
    static constexpr bool OWN = true;
    const u8 *data;
    int pitch;  // bytes from a token to the next
};

// The tokens come from memory as they are.
struct NoCodes {
    static constexpr bool OWN = false;
};

// One warp's share of the block: blocks warp, warp + WARPS, ... of K. CODES: where the tokens are.
template <DType X, DType W, int ROWS, class CODES>
class Share {
    static constexpr bool OWN = CODES::OWN;
    using S = Shape<X, W, ROWS, OWN>;
    using Sums = FragmentSums<ROWS>;

    LaneRows<W, ROWS> rows_;
    const u8 *x_;  // the row of token lane / 4
    bool has_token_;
    int inputs_;
    int blocks_;
    Layout<X, W, ROWS, OWN> shared_;
    uint4 *slots_;  // of this lane
    CODES codes_;

    __device__ __forceinline__ int block(int step) const {
        return warp_id() + WARPS * (step / S::LOADS);
    }

    __device__ __forceinline__ uint4 *slot(int step) const {
        return slots_ + step % STAGES * S::SLOTS * WARP;
    }

    __device__ __forceinline__ void begin(int step) const {
        const int k = block(step) * K_BLOCK + first_value<W>(step % S::LOADS, lane_id() % 4);
        rows_.begin(slot(step), k);
        if constexpr (!OWN) {
            const u8 *x = x_ + k * bits_in<X> / 8;
            const bool exists = has_token_ && k < inputs_;
            uint4 *to = slot(step) + ROWS * WARP;
            if constexpr (S::X_WORDS == 2) {
                copy_async_8(to, x, exists ? 8 : 0);
            } else {
#pragma unroll
                for (int j = 0; j < S::X_SLOTS; j++) {
                    copy_async_16(to + j * WARP, x + 16 * j, exists ? 16 : 0);
                }
            }
        }
        commit_copies();
    }

    // The tokens' 16 bytes number j of a step.
    __device__ __forceinline__ uint4 token_words(int step, int j) const {
        if constexpr (OWN) {
            const int k = block(step) * K_BLOCK + first_value<W>(step % S::LOADS, lane_id() % 4);
            return has_token_ && k < inputs_
                       ? *reinterpret_cast<const uint4 *>(codes_.data + lane_id() / 4 * codes_.pitch + k + 16 * j)
                       : make_uint4(0, 0, 0, 0);
        } else {
            return slot(step)[(ROWS + j) * WARP];
        }
    }

    __device__ __forceinline__ void multiply(int step, Sums &sum) const {
        LaneWeights<W, ROWS> weights;
        weights.read(slot(step));
        u32 x[4 * S::X_SLOTS];
#pragma unroll
        for (int j = 0; j < S::X_SLOTS; j++) {
            const uint4 words = token_words(step, j);
            x[4 * j] = words.x;
            x[4 * j + 1] = words.y;
            x[4 * j + 2] = words.z;
            x[4 * j + 3] = words.w;
        }
        if constexpr (W == F4_E2M1) {
            const int of_row = inputs_ / MX_BLOCK;
            const int column = block(step) * 4 + lane_id() % 4;
#pragma unroll
            for (int r = 0; r < ROWS; r++) {
                weights.scale[r] = column < of_row ? shared_.w_scale[(lane_id() / 4 + ROW_STEP * r) * of_row + column] : 0;
            }
        }
#pragma unroll
        for (int i = 0; i < S::CHUNKS; i++) {
            Chunk decoded[ROWS];
            weights.decode(i, decoded);
            multiply_chunk(sum, decoded, activations<X, W>(x + i * S::X_WORDS / S::CHUNKS));
        }
    }

    // 2^exponent of the scales of a block for a token.
    __device__ __forceinline__ Power scale(int block, int token) const {
        int exponent = 0;
        if constexpr (X == F8_E4M3) {
            exponent += scale_exponent(shared_.x_scale[token * blocks_ + block]);
        }
        if constexpr (W == F8_E4M3) {
            exponent += scale_exponent(shared_.w_scale[block]);
        }
        return power_of(exponent);
    }

    __device__ __forceinline__ void store(int block, const Sums &sum, int tokens) const {
        float *to = shared_.sums + block * S::BLOCK_SUMS;
#pragma unroll
        for (int odd = 0; odd < 2; odd++) {
            const int token = lane_id() % 4 * 2 + odd;
            const Power power = scale(block, min(token, tokens - 1));
#pragma unroll
            for (int r = 0; r < ROWS; r++) {
                const float mine = sum.at(r, odd);
                to[token * S::SUM_PITCH + ROW_STEP * r + lane_id() / 4] =
                    X == F8_E4M3 || W == F8_E4M3 ? apply(mine, power) : mine;
            }
        }
    }

public:
    __device__ __forceinline__ Share(const Matrix &w, const Tile &tile, int row, const Layout<X, W, ROWS, OWN> &shared,
                                     CODES codes)
        : rows_(w, row), inputs_(w.inputs), blocks_(w.blocks()), shared_(shared), codes_(codes) {
        const int token = lane_id() / 4;
        has_token_ = token < tile.tokens;
        x_ = tile.template row<X>(has_token_ ? token : 0);
        slots_ = shared.queue + warp_id() * STAGES * S::SLOTS * WARP + lane_id();
    }

    // Begins the first copies; the scales may come to shared memory meanwhile.
    __device__ __forceinline__ void start() const {
#pragma unroll
        for (int step = 0; step < STAGES - 1; step++) {
            begin(step);
        }
    }

    __device__ __forceinline__ void run(int tokens) const {
        for (int step = 0; block(step) < blocks_;) {
            Sums sum = {};
            const int current = block(step);
#pragma unroll
            for (int load = 0; load < S::LOADS; load++, step++) {
                wait_copies<STAGES - 2>();
                multiply(step, sum);
                begin(step + STAGES - 1);
            }
            store(current, sum, tokens);
        }
        wait_copies<0>();  // of zeros, past the last step
    }
};

// The totals of a block, once all its warps have run.
template <DType X, DType W, int ROWS, bool OWN>
__device__ __forceinline__ void store_totals(const Call &call, const uint3 &block, const Tile &tile, const Matrix &w, int row,
                                             const Layout<X, W, ROWS, OWN> &shared) {
    using S = Shape<X, W, ROWS, OWN>;
    const int token = static_cast<int>(threadIdx.x) / S::WARP_ROWS;
    const int n = static_cast<int>(threadIdx.x) % S::WARP_ROWS;
    if (token < tile.tokens && row + n < w.outputs) {
        const float *sums = shared.sums + token * S::SUM_PITCH + n;
        float total = 0;
#pragma unroll 8
        for (int b = 0; b < w.blocks(); b++) {
            total += sums[b * S::BLOCK_SUMS];
        }
        results_of(call, block).store(tile.first + token, row + n, total);
    }
}

// Rows of weights from block.y on, for the tile that the block has.
template <DType X, DType W, int ROWS>
__device__ __forceinline__ void decode(const Call &call, const uint3 &block) {
    WEFT_SHARED_MEMORY(uint4, memory);
    const Tile tile = tile_of(call, TOKENS, block);
    if (tile.tokens <= 0) {
        return;
    }
    const Matrix w = matrix_of<W>(call.at[1], tile.matrix);
    const int row = static_cast<int>(block.y) * Shape<X, W, ROWS, false>::WARP_ROWS;
    const Layout<X, W, ROWS, false> shared(memory, w.blocks());
    const Share<X, W, ROWS, NoCodes> share(w, tile, row, shared, {});
    share.start();
    load_scales(w, tile, row, shared);
    __syncthreads();
    share.run(tile.tokens);
    __syncthreads();
    store_totals(call, block, tile, w, row, shared);
}

}  // namespace few

}  // namespace weft

#endif
