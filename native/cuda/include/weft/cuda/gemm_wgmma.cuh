// Matrix products with many tokens on Hopper: gemm_tile with the products of a warpgroup. A block has 128 rows of weights, 16
// a warp, and 64 or 128 tokens; weights are decoded into the registers from which the tensor cores take them.
#ifndef WEFT_CUDA_GEMM_WGMMA_CUH
#define WEFT_CUDA_GEMM_WGMMA_CUH

#include "weft/cuda/gemm_ahead.cuh"
#include "weft/cuda/gemm_totals.cuh"
#include "weft/cuda/wgmma.cuh"

namespace weft::many {


constexpr int THREADS = 256;
constexpr int WARPS = THREADS / WARP;
constexpr int ROWS = 2;  // of weights, a lane
constexpr int WARP_ROWS = ROWS * ROW_STEP;
constexpr int BLOCK_ROWS = WARPS * WARP_ROWS;
constexpr int STAGES = 4;                  // copies of weights under way
constexpr int STEPS = K_BLOCK / 16;        // products in a block of K
constexpr int TILES = K_BLOCK / WGMMA_TILE_VALUES;
constexpr int STEP_PAIRS = STEPS / 2;      // one chunk of every lane each

// Eight activations as they are in memory.
template <DType X>
struct alignas(CHUNK * bits_in<X> / 8) Piece {
    u32 word[CHUNK * bits_in<X> / 32];
};

// Shared memory, TensorCoreGemm.wgmmaBytes.
template <DType X, int TOKENS>
struct Layout {
    uint4 tiles[2][TILES][TOKENS][WGMMA_ROW_UNITS];  // tokens of a block of K
    uint4 queue[WARPS][STAGES][ROWS][WARP];
    Piece<X> fetched[BLOCK_CHUNKS * TOKENS / THREADS][THREADS];
    i32 exponents[2][TOKENS];  // of the tokens' scales
};

// The part of the tokens that a thread brings to shared memory: for some pairs of products all values of one token.
template <DType X, DType W, int TOKENS>
class Fetch {
    static constexpr int TOKEN_THREADS = THREADS / TOKENS;
    static constexpr int PAIRS = STEP_PAIRS / TOKEN_THREADS;
    static constexpr int LOAD_CHUNKS = lane_values<W> / CHUNK;

    const u8 *x_;
    const u8 *scale_;
    int token_;
    int first_pair_;
    int inputs_;  // 0 without a token
    u32 scale_byte_ = 0;

public:
    __device__ __forceinline__ Fetch(const Tile &tile, int inputs) {
        token_ = static_cast<int>(threadIdx.x) / TOKEN_THREADS;
        first_pair_ = static_cast<int>(threadIdx.x) % TOKEN_THREADS * PAIRS;
        const bool exists = token_ < tile.tokens;
        inputs_ = exists ? inputs : 0;
        x_ = tile.template row<X>(exists ? token_ : 0);
        scale_ = tile.scales(exists ? token_ : 0);
    }

    // Begins to copy the part in a block of K, zeros for what is not there.
    __device__ __forceinline__ void begin(Layout<X, TOKENS> &shared, int block) {
#pragma unroll
        for (int p = 0; p < PAIRS; p++) {
            const int pair = first_pair_ + p;
#pragma unroll
            for (int c = 0; c < 4; c++) {
                const int k =
                    block * K_BLOCK + first_value<W>(pair / LOAD_CHUNKS, c) + pair % LOAD_CHUNKS * CHUNK;
                Piece<X> *to = &shared.fetched[4 * p + c][threadIdx.x];
                if constexpr (X == BF16) {
                    copy_async_16(to, x_ + 2 * k, k < inputs_ ? 16 : 0);
                } else {
                    copy_async_8(to, x_ + k, k < inputs_ ? 8 : 0);
                }
            }
        }
        if constexpr (X == F8_E4M3) {
            scale_byte_ = block * K_BLOCK < inputs_ ? scale_[block] : 0;
        }
    }

    // Decodes what was copied into the tiles of a block.
    __device__ __forceinline__ void store(Layout<X, TOKENS> &shared, int buffer) const {
#pragma unroll
        for (int p = 0; p < PAIRS; p++) {
            Chunk chunk[4];
#pragma unroll
            for (int c = 0; c < 4; c++) {
                const Piece<X> piece = shared.fetched[4 * p + c][threadIdx.x];
                chunk[c] = activations<X, W>(piece.word);
            }
            // unit 2 s of step s: what lanes c = 0..3 have in the lower half of K; unit 2 s + 1: in the upper half
#pragma unroll
            for (int q = 0; q < 4; q++) {
                const int step = 2 * (first_pair_ + p) + q / 2;
                const int unit = step % WGMMA_TILE_STEPS * 2 + q % 2;
                shared.tiles[buffer][step / WGMMA_TILE_STEPS][token_][wgmma_unit(token_, unit)] = {
                    chunk[0].pair[q], chunk[1].pair[q], chunk[2].pair[q], chunk[3].pair[q]};
            }
        }
        if constexpr (X == F8_E4M3) {
            if (first_pair_ == 0) {
                shared.exponents[buffer][token_] = scale_exponent(scale_byte_);
            }
        }
    }
};

// The tile of block `at`; finish(tile, row, totals, memory) with a lane's totals of the rows `row`, row + 8 of weights, when the
// block no longer needs its shared memory.
template <DType X, DType W, int TOKENS, class Finish>
__device__ __forceinline__ void multiply_tile(const Call &call, const uint3 &at, const Finish &finish) {
    constexpr int LOADS = block_loads<W>;
    constexpr int LOAD_CHUNKS = lane_values<W> / CHUNK;
    WEFT_SHARED_MEMORY(u8, memory);
    // tiles begin at multiples of 1024 bytes, dynamic shared memory need not
    auto &shared = *reinterpret_cast<Layout<X, TOKENS> *>(memory + (-shared_address(memory) & 1023u));
    const Tile tile = tile_of(call, TOKENS, at);
    if (tile.tokens <= 0) {
        return;
    }
    const Matrix w = matrix_of<W>(call.at[1], tile.matrix);
    const int row = first_row(at, BLOCK_ROWS) + warp_id() * WARP_ROWS;
    const int blocks = w.blocks();
    const LaneRows<W, ROWS> rows(w, row);
    // copies of weights and tokens end in one group
    const auto begin = [&](int step) {
        const int k = step / LOADS * K_BLOCK + first_value<W>(step % LOADS, lane_id() % 4);
        rows.begin(&shared.queue[warp_id()][step % STAGES][0][lane_id()], k);
        commit_copies();
    };
    Fetch<X, W, TOKENS> fetch(tile, w.inputs);
    fetch.begin(shared, 0);
    for (int step = 0; step < STAGES - 1; step++) {
        begin(step);
    }
    Scales<W, ROWS> next(w, row);
    next.load(0);
    FragmentSums<ROWS> totals[TOKENS / FRAGMENT_TOKENS] = {};
    for (int block = 0; block < blocks; block++) {
        const int buffer = block % 2;
        // the tokens of this block were begun before the last LOADS groups ended, or with the first of all
        wait_copies<(LOADS < STAGES - 1 ? LOADS : STAGES - 1) - 1>();
        fetch.store(shared, buffer);
        fence_async_proxy();
        LaneWeights<W, ROWS> weights;
#pragma unroll
        for (int r = 0; r < ROWS; r++) {
            weights.scale[r] = next.byte[r];
        }
        fetch.begin(shared, block + 1);
        next.load(block + 1);
        __syncthreads();
        FragmentSums<ROWS> sums[TOKENS / FRAGMENT_TOKENS] = {};
        hold(sums);
        u32 a[STEPS][4];  // each its own registers until the wait
#pragma unroll
        for (int pair = 0; pair < STEP_PAIRS; pair++) {
            if (pair % LOAD_CHUNKS == 0) {
                const int step = block * LOADS + pair / LOAD_CHUNKS;
                wait_copies<STAGES - 2>();
                weights.read(&shared.queue[warp_id()][step % STAGES][0][lane_id()]);
                begin(step + STAGES - 1);
            }
            Chunk decoded[ROWS];
            weights.decode(pair % LOAD_CHUNKS, decoded);
#pragma unroll
            for (int half = 0; half < 2; half++) {
#pragma unroll
                for (int i = 0; i < 4; i++) {
                    a[2 * pair + half][i] = decoded[i % 2].pair[2 * half + i / 2];
                }
            }
            wgmma_fence();
#pragma unroll
            for (int half = 0; half < 2; half++) {
                const int step = 2 * pair + half;
                const u64 b = wgmma_descriptor(shared.tiles[buffer][step / WGMMA_TILE_STEPS], step % WGMMA_TILE_STEPS);
                wgmma_bf16(sums, a[step], b, step > 0);
            }
            wgmma_commit();
        }
        wgmma_wait<0>();
        hold(sums);
        add<X, W>(sums, shared.exponents[buffer], W == F8_E4M3 ? scale_exponent(weights.scale[0]) : 0, totals);
    }
    wait_copies<0>();  // of zeros, past the last step
    finish(tile, row, totals, reinterpret_cast<u8 *>(&shared));
}

// The tile of block `at`, stored.
template <DType X, DType W, int TOKENS>
__device__ __forceinline__ void multiply_tile(const Call &call, const uint3 &at) {
    multiply_tile<X, W, TOKENS>(
        call, at, [&](const Tile &tile, int row, const FragmentSums<ROWS>(&totals)[TOKENS / FRAGMENT_TOKENS], u8 *) {
            store(results_of(call, at), tile, row, totals);
        });
}

}  // namespace weft::many

#endif
