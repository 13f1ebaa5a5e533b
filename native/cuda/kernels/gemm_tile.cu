// Matrix products with many tokens: a block has 256 rows of weights, 32 a warp, and 64 tokens. Tokens are decoded once into
// shared memory, in the order in which lanes need them; weights go to the registers of the one warp that uses them.
#include "weft/cuda/gemm_totals.cuh"

using namespace weft;

namespace {

constexpr int THREADS = 256;
constexpr int WARPS = THREADS / WARP;
constexpr int ROWS = 4;  // of weights, a lane
constexpr int WARP_ROWS = ROWS * ROW_STEP;
constexpr int TOKENS = 64;
constexpr int FRAGMENTS = TOKENS / FRAGMENT_TOKENS;
constexpr int STAGES = 3;                        // copies of weights under way
constexpr int TOKEN_THREADS = THREADS / TOKENS;  // that bring a token's part of a block of K
constexpr int MOST_VECTORS = block_loads<BF16>;

// Shared memory, TensorCoreGemm.TILE_BYTES.
struct Layout {
    uint4 queue[WARPS][STAGES][ROWS][WARP];
    uint4 fetched[MOST_VECTORS][THREADS];   // tokens as they are in memory
    uint4 tokens[2][TOKENS][BLOCK_CHUNKS];  // chunks of a block of K
    i32 exponents[2][TOKENS];               // of their scales
};

// Where chunk `load` of lane c lies in a token's row: neighbouring tokens use the other half of the banks.
__device__ __forceinline__ int place(int token, int load, int c) {
    return (load * 4 + c) ^ (token % 2 * 4);
}

// The part of the tokens that a thread brings to shared memory: a fourth of one token in every block of K.
template <DType X, DType W>
class Fetch {
    static constexpr int VECTORS = block_loads<X>;
    static constexpr int VECTOR_CHUNKS = lane_values<X> / CHUNK;
    static constexpr int LOAD_CHUNKS = lane_values<W> / CHUNK;

    const u8 *x_;
    const u8 *scale_;
    int token_;
    int part_;
    int inputs_;  // 0 without a token
    u32 scale_byte_ = 0;

public:
    __device__ __forceinline__ Fetch(const Tile &tile, int inputs) {
        token_ = static_cast<int>(threadIdx.x) / TOKEN_THREADS;
        part_ = static_cast<int>(threadIdx.x) % TOKEN_THREADS;
        const bool exists = token_ < tile.tokens;
        inputs_ = exists ? inputs : 0;
        x_ = tile.template row<X>(exists ? token_ : 0);
        scale_ = tile.scales(exists ? token_ : 0);
    }

    // Begins to copy the part in a block of K, zeros for what is not there.
    __device__ __forceinline__ void begin(Layout &shared, int block) {
#pragma unroll
        for (int v = 0; v < VECTORS; v++) {
            const int k = block * K_BLOCK + first_value<X>(v, part_);
            copy_async_16(&shared.fetched[v][threadIdx.x], x_ + k * bits_in<X> / 8, k < inputs_ ? 16 : 0);
        }
        if constexpr (X == F8_E4M3) {
            scale_byte_ = block * K_BLOCK < inputs_ ? scale_[block] : 0;
        }
    }

    // Decodes what was copied into the tokens of a block.
    __device__ __forceinline__ void store(Layout &shared, int buffer) const {
        uint4 *to = shared.tokens[buffer][token_];
#pragma unroll
        for (int v = 0; v < VECTORS; v++) {
            const uint4 vector = shared.fetched[v][threadIdx.x];
            const u32 words[4] = {vector.x, vector.y, vector.z, vector.w};
#pragma unroll
            for (int i = 0; i < VECTOR_CHUNKS; i++) {
                const Chunk chunk = activations<X, W, factor_format<X, W>>(words + i * 4 / VECTOR_CHUNKS);
                const int value = first_value<X>(v, part_) + i * CHUNK;
                const int load = value / (4 * lane_values<W>) * LOAD_CHUNKS + value / CHUNK % LOAD_CHUNKS;
                to[place(token_, load, value / lane_values<W> % 4)] = {chunk.pair[0], chunk.pair[1], chunk.pair[2],
                                                                        chunk.pair[3]};
            }
        }
        if constexpr (X == F8_E4M3) {
            if (part_ == 0) {
                shared.exponents[buffer][token_] = scale_exponent(scale_byte_);
            }
        }
    }
};

using Sums = FragmentSums<ROWS>[FRAGMENTS];

// sums += weights of one load times the tokens' chunks from `chunk` on.
template <DType X, DType W>
__device__ __forceinline__ void multiply(const LaneWeights<W, ROWS> &weights, const Layout &shared, int buffer, int chunk,
                                         int tokens, Sums &sums) {
    const int token = lane_id() / 4;
#pragma unroll 2  // all four of E2M1 would not fit into registers
    for (int i = 0; i < lane_values<W> / CHUNK; i++) {
        Chunk decoded[ROWS];
        weights.template decode<factor_format<X, W>>(i, decoded);
        const int at = place(token, chunk + i, lane_id() % 4);
#pragma unroll
        for (int f = 0; f < FRAGMENTS; f++) {
            if (f * FRAGMENT_TOKENS < tokens) {
                const uint4 v = shared.tokens[buffer][f * FRAGMENT_TOKENS + token][at];
                multiply_chunk<factor_format<X, W>>(sums[f], decoded, {v.x, v.y, v.z, v.w});
            }
        }
    }
}

template <DType X, DType W>
__device__ __forceinline__ void multiply_tile(const Call &call) {
    constexpr int LOADS = block_loads<W>;
    WEFT_SHARED_MEMORY(Layout, shared);
    const Tile tile = tile_of(call, TOKENS, blockIdx);
    if (tile.tokens <= 0) {
        return;
    }
    const Matrix w = matrix_of<W>(call.at[1], tile.matrix);
    const int row = static_cast<int>(blockIdx.y) * WARPS * WARP_ROWS + warp_id() * WARP_ROWS;
    const int blocks = w.blocks();
    const LaneRows<W, ROWS> rows(w, row);
    // copies of weights and tokens end in one group
    const auto begin = [&](int step) {
        const int k = step / LOADS * K_BLOCK + first_value<W>(step % LOADS, lane_id() % 4);
        rows.begin(&shared->queue[warp_id()][step % STAGES][0][lane_id()], k);
        commit_copies();
    };
    Fetch<X, W> fetch(tile, w.inputs);
    fetch.begin(*shared, 0);
    for (int step = 0; step < STAGES - 1; step++) {
        begin(step);
    }
    Scales<W, ROWS> next(w, row);
    next.load(0);
    Sums totals = {};
    for (int block = 0; block < blocks; block++) {
        const int buffer = block % 2;
        // the tokens of this block were begun before the last LOADS groups ended, or with the first of all
        wait_copies<(LOADS < STAGES - 1 ? LOADS : STAGES - 1) - 1>();
        fetch.store(*shared, buffer);
        u32 scales[ROWS];
#pragma unroll
        for (int r = 0; r < ROWS; r++) {
            scales[r] = next.byte[r];
        }
        fetch.begin(*shared, block + 1);
        next.load(block + 1);
        __syncthreads();
        Sums sums = {};
#pragma unroll 1
        for (int load = 0; load < LOADS; load++) {
            const int step = block * LOADS + load;
            LaneWeights<W, ROWS> weights;
            wait_copies<STAGES - 2>();
            weights.read(&shared->queue[warp_id()][step % STAGES][0][lane_id()]);
            begin(step + STAGES - 1);
            if constexpr (W == F4_E2M1) {
#pragma unroll
                for (int r = 0; r < ROWS; r++) {
                    weights.scale[r] = scales[r];
                }
            }
            multiply<X, W>(weights, *shared, buffer, load * (lane_values<W> / CHUNK), tile.tokens, sums);
        }
        add<X, W>(sums, shared->exponents[buffer], W == F8_E4M3 ? scale_exponent(scales[0]) : 0, totals);
    }
    wait_copies<0>();  // of zeros, past the last step
    store(results_of(call, blockIdx), tile, row, totals);
}

}  // namespace

#define WEFT_TILE(x, w, X, W)                     \
    WEFT_KERNEL(gemm_tile_##x##_##w, THREADS) {   \
        multiply_tile<X, W>(call);                \
    }

// Launch word: which product.
WEFT_TILE(bf16, bf16, BF16, BF16)
WEFT_TILE(bf16, f8_e4m3, BF16, F8_E4M3)
WEFT_TILE(bf16, f4_e2m1, BF16, F4_E2M1)
WEFT_TILE(f8_e4m3, bf16, F8_E4M3, BF16)
WEFT_TILE(f8_e4m3, f8_e4m3, F8_E4M3, F8_E4M3)
WEFT_TILE(f8_e4m3, f4_e2m1, F8_E4M3, F4_E2M1)
