// Matrix products with many tokens: a block has 256 rows of weights, 32 a warp, and 64 tokens. Tokens are decoded once into
// shared memory, in the order in which lanes need them; weights go to the registers of the one warp that uses them.
#include "weft/cuda/gemm.cuh"

using namespace weft;

namespace {

constexpr int THREADS = 256;
constexpr int WARPS = THREADS / WARP;
constexpr int ROWS = WARPS * WARP_ROWS;
constexpr int TOKENS = 64;
constexpr int FRAGMENTS = TOKENS / FRAGMENT_TOKENS;
constexpr int STAGES = 4;                             // copies of weights under way
constexpr int TOKEN_THREADS = THREADS / TOKENS;       // that fetch a token's part of a block of K
constexpr int THREAD_CHUNKS = BLOCK_CHUNKS / TOKEN_THREADS;

// Shared memory, GemmOps.TILE_BYTES.
struct Layout {
    uint4 queue[WARPS][STAGES][LANE_ROWS][WARP];
    uint4 tokens[2][TOKENS][BLOCK_CHUNKS];  // chunks of a block of K
    i32 exponents[2][TOKENS];               // of their scales
};

// Where chunk `load` of lane c lies in a token's row: neighbouring tokens use the other half of the banks.
__device__ __forceinline__ int place(int token, int load, int c) {
    return (load * 4 + c) ^ (token % 2 * 4);
}

// The part of the tokens that a thread brings to shared memory: 32 consecutive values of one token in every block of K.
template <DType X, DType W>
class Fetch {
    static constexpr int VECTORS = K_BLOCK / TOKEN_THREADS * bits_in<X> / 128;
    static constexpr int CHUNK_WORDS = CHUNK * bits_in<X> / 32;

    const u8 *x_;
    const u8 *scale_;
    int token_;
    int part_;
    bool exists_;
    i64 inputs_;
    uint4 values_[VECTORS];
    u32 scale_byte_ = 0;

public:
    __device__ __forceinline__ Fetch(const Operand &x, const Tile &tile, i64 inputs) : inputs_(inputs) {
        token_ = static_cast<int>(threadIdx.x) / TOKEN_THREADS;
        part_ = static_cast<int>(threadIdx.x) % TOKEN_THREADS;
        exists_ = token_ < tile.tokens;
        const i64 row = tile.row(exists_ ? token_ : 0);
        x_ = static_cast<const u8 *>(x.data) + rows_of(x).at(row) * bits_in<X> / 8;
        scale_ = static_cast<const u8 *>(x.scale) + row * ceil_div(inputs, K_BLOCK);
    }

    // Loads the part in a block of K, zeros for what is not there.
    __device__ __forceinline__ void load(int block) {
        const i64 k = static_cast<i64>(block) * K_BLOCK + part_ * (K_BLOCK / TOKEN_THREADS);
        const bool exists = exists_ && k < inputs_;
        const uint4 *from = reinterpret_cast<const uint4 *>(x_ + k * bits_in<X> / 8);
#pragma unroll
        for (int v = 0; v < VECTORS; v++) {
            values_[v] = exists ? from[v] : uint4{0, 0, 0, 0};
        }
        if constexpr (X == F8_E4M3) {
            scale_byte_ = exists ? scale_[block] : 0;
        }
    }

    __device__ __forceinline__ void store(Layout &shared, int buffer) const {
        uint4 *to = shared.tokens[buffer][token_];
#pragma unroll
        for (int i = 0; i < THREAD_CHUNKS; i++) {
            u32 words[4] = {};
#pragma unroll
            for (int j = 0; j < CHUNK_WORDS; j++) {
                words[j] = LaneWeights<X>::word(values_[(i * CHUNK_WORDS + j) / 4], (i * CHUNK_WORDS + j) % 4);
            }
            const Chunk chunk = activations<X, W>(words);
            const int value = part_ * (K_BLOCK / TOKEN_THREADS) + i * CHUNK;
            const int lane_chunk = value / CHUNK % (lane_values<W> / CHUNK);
            const int c = value / lane_values<W> % 4;
            const int load = value / (4 * lane_values<W>) * (lane_values<W> / CHUNK) + lane_chunk;
            to[place(token_, load, c)] = {chunk.pair[0], chunk.pair[1], chunk.pair[2], chunk.pair[3]};
        }
        if constexpr (X == F8_E4M3) {
            if (part_ == 0) {
                shared.exponents[buffer][token_] = scale_exponent(scale_byte_);
            }
        }
    }
};

// Scale bytes of a lane's weights in one block of K, fetched a block ahead.
template <DType W>
struct Scales {
    u32 byte[LANE_ROWS] = {};

    __device__ __forceinline__ void load(const Matrix &m, i64 row, int block) {
        if constexpr (W == F8_E4M3) {
            byte[0] = row < m.outputs && block < m.blocks() ? m.scale[row / 128 * m.blocks() + block] : 0;
        }
        if constexpr (W == F4_E2M1) {
            const i64 of_row = m.inputs / MX_BLOCK;
            const i64 column = block * 4 + lane_id() % 4;
#pragma unroll
            for (int r = 0; r < LANE_ROWS; r++) {
                const i64 mine = row + lane_id() / 4 + 8 * r;
                byte[r] = mine < m.outputs && column < of_row ? m.scale[mine * of_row + column] : 0;
            }
        }
    }

    __device__ __forceinline__ int exponent() const {
        return W == F8_E4M3 ? scale_exponent(byte[0]) : 0;
    }
};

using Sums = float[FRAGMENTS][WARP_ROWS / FRAGMENT_ROWS][4];

// sums += weights of one load times the tokens' chunks from `chunk` on.
template <DType W>
__device__ __forceinline__ void multiply(const LaneWeights<W> &weights, const Layout &shared, int buffer, int chunk,
                                         int tokens, Sums &sums) {
    const int token = lane_id() / 4;
#pragma unroll
    for (int i = 0; i < lane_values<W> / CHUNK; i++) {
        Chunk decoded[LANE_ROWS];
        weights.decode(i, decoded);
        const int at = place(token, chunk + i, lane_id() % 4);
#pragma unroll
        for (int f = 0; f < FRAGMENTS; f++) {
            if (f * FRAGMENT_TOKENS < tokens) {
                const uint4 v = shared.tokens[buffer][f * FRAGMENT_TOKENS + token][at];
                multiply_chunk(sums[f], decoded, {v.x, v.y, v.z, v.w});
            }
        }
    }
}

// totals += sums times the scales of the block, for the lane's tokens 2c and 2c + 1 of every fragment.
template <DType X, DType W>
__device__ __forceinline__ void add(const Sums &sums, const Layout &shared, int buffer, int exponent, Sums &totals) {
#pragma unroll
    for (int f = 0; f < FRAGMENTS; f++) {
#pragma unroll
        for (int odd = 0; odd < 2; odd++) {
            int both = exponent;
            if constexpr (X == F8_E4M3) {
                both += shared.exponents[buffer][f * FRAGMENT_TOKENS + lane_id() % 4 * 2 + odd];
            }
            const Power power = power_of(both);
#pragma unroll
            for (int r = 0; r < LANE_ROWS; r++) {
                const float mine = sums[f][r / 2][r % 2 * 2 + odd];
                totals[f][r / 2][r % 2 * 2 + odd] += X == F8_E4M3 || W == F8_E4M3 ? apply(mine, power) : mine;
            }
        }
    }
}

__device__ __forceinline__ void store(const Rows &y, const Tile &tile, i64 row, const Sums &totals) {
#pragma unroll
    for (int f = 0; f < FRAGMENTS; f++) {
#pragma unroll
        for (int odd = 0; odd < 2; odd++) {
            const int token = f * FRAGMENT_TOKENS + lane_id() % 4 * 2 + odd;
#pragma unroll
            for (int r = 0; r < LANE_ROWS; r++) {
                const i64 n = row + lane_id() / 4 + 8 * r;
                if (token < tile.tokens && n < y.columns) {
                    y.store(tile.row(token), n, totals[f][r / 2][r % 2 * 2 + odd]);
                }
            }
        }
    }
}

template <DType X, DType W>
__device__ __forceinline__ void multiply_tile(const Call &call) {
    constexpr int LOADS = block_loads<W>;
    WEFT_SHARED_MEMORY(Layout, shared);
    const Tile tile = tile_of(call, TOKENS);
    if (tile.tokens <= 0) {
        return;
    }
    const Matrix w = matrix_of<W>(call.at[1], tile.matrix);
    const i64 row = static_cast<i64>(blockIdx.y) * ROWS + warp_id() * WARP_ROWS;
    const int blocks = static_cast<int>(w.blocks());
    const LaneRows<W> rows(w, row);
    const auto begin = [&](int step) {
        const i64 k = static_cast<i64>(step / LOADS) * K_BLOCK + first_value<W>(step % LOADS, lane_id() % 4);
        rows.begin(&shared->queue[warp_id()][step % STAGES][0][lane_id()], k);
        commit_copies();
    };
    for (int step = 0; step < STAGES - 1; step++) {
        begin(step);
    }
    Fetch<X, W> fetch(call.at[0], tile, w.inputs);
    fetch.load(0);
    Scales<W> next;
    next.load(w, row, 0);
    Sums totals = {};
    for (int block = 0; block < blocks; block++) {
        const int buffer = block % 2;
        fetch.store(*shared, buffer);
        const Scales<W> scales = next;
        fetch.load(block + 1);
        next.load(w, row, block + 1);
        __syncthreads();
        Sums sums = {};
#pragma unroll
        for (int load = 0; load < LOADS; load++) {
            const int step = block * LOADS + load;
            LaneWeights<W> weights;
            wait_copies<STAGES - 2>();
            weights.read(&shared->queue[warp_id()][step % STAGES][0][lane_id()]);
            begin(step + STAGES - 1);
            if constexpr (W == F4_E2M1) {
#pragma unroll
                for (int r = 0; r < LANE_ROWS; r++) {
                    weights.scale[r] = scales.byte[r];
                }
            }
            multiply(weights, *shared, buffer, load * (lane_values<W> / CHUNK), tile.tokens, sums);
        }
        add<X, W>(sums, *shared, buffer, scales.exponent(), totals);
    }
    wait_copies<0>();  // of zeros, past the last step
    store(rows_of(result_of(call)), tile, row, totals);
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
