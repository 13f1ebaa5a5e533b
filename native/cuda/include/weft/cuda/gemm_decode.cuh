// Matrix products with few tokens, bound by reading the weights: a block has 16 or 32 rows of weights (16 where more would
// leave multiprocessors idle) and 8 tokens, and its warps share K. Each warp leaves the sums of its blocks of K in shared memory, where they are added in ascending order.
#ifndef WEFT_CUDA_GEMM_DECODE_CUH
#define WEFT_CUDA_GEMM_DECODE_CUH

#include "weft/cuda/gemm_ahead.cuh"

namespace weft {

namespace few {

constexpr int THREADS = 256;
constexpr int WARPS = THREADS / WARP;
constexpr int TOKENS = FRAGMENT_TOKENS;
constexpr int STAGES = 3;  // copies under way
constexpr int SCALE_GAP = 4;  // bytes between the E2M1 scales of two rows: no bank conflicts, and zeros up to a whole block

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
    u8 *w_scale;      // E4M3: [blocks]; E2M1: [WARP_ROWS][inputs / 32 + SCALE_GAP]; BF16: none

    __device__ __forceinline__ Layout(uint4 *memory, int blocks) {
        queue = memory;
        sums = reinterpret_cast<float *>(queue + WARPS * STAGES * S::SLOTS * WARP);
        x_scale = reinterpret_cast<u8 *>(sums + blocks * S::BLOCK_SUMS);
        w_scale = x_scale + TOKENS * blocks;
    }
};

// Copies rows of scale bytes to shared memory, HEIGHT at most, from row to row a warp each, and zeros behind `bytes` unless they are
// whole words: a block of K takes four scales of E2M1, so that none past them is read then. What a thread reads is under way
// together.
template <int HEIGHT>
__device__ __forceinline__ void copy_scales(u8 *to, int pitch, const u8 *from, i64 stride, int warp, int height, int bytes) {
    constexpr int EACH = (HEIGHT + WARPS - 1) / WARPS;
    if ((reinterpret_cast<u64>(from) | static_cast<u64>(stride) | static_cast<u64>(bytes)) % 4 == 0) {
#pragma unroll 1
        for (int c = 4 * lane_id(); c < bytes; c += 4 * WARP) {
            u32 word[EACH];
#pragma unroll
            for (int i = 0; i < EACH; i++) {
                const int row = warp + WARPS * i;
                word[i] = row < height ? *reinterpret_cast<const u32 *>(from + row * stride + c) : 0;
            }
#pragma unroll
            for (int i = 0; i < EACH; i++) {
                const int row = warp + WARPS * i;
                if (row < height) {
                    *reinterpret_cast<u32 *>(to + row * pitch + c) = word[i];
                }
            }
        }
        return;
    }
#pragma unroll 1
    for (int row = warp; row < height; row += WARPS) {
#pragma unroll 1
        for (int c = lane_id(); c < pitch; c += WARP) {
            to[row * pitch + c] = c < bytes ? from[row * stride + c] : 0;
        }
    }
}

template <DType X, DType W, int ROWS, bool OWN>
__device__ __forceinline__ void load_scales(const Matrix &w, const Tile &tile, int row,
                                            const Layout<X, W, ROWS, OWN> &shared) {
    constexpr int WARP_ROWS = Shape<X, W, ROWS, OWN>::WARP_ROWS;
    const int blocks = w.blocks();
    const ScaleBytes scales = scale_bytes<W>(w, row, WARP_ROWS);
    if constexpr (W == F4_E2M1) {
        copy_scales<WARP_ROWS>(shared.w_scale, scales.of_row + SCALE_GAP, scales.first, scales.of_row, warp_id(),
                               min(w.outputs - row, WARP_ROWS), scales.of_row);
    }
    if constexpr (W == F8_E4M3) {
        // by the last warp, which has no token's where there are few
        copy_scales<1>(shared.w_scale, blocks, scales.first, 0, WARPS - 1 - warp_id(), 1, blocks);
    }
    if constexpr (X == F8_E4M3 && !OWN) {
        copy_scales<TOKENS>(shared.x_scale, blocks, tile.scales(0), tile.x_scales, warp_id(), tile.tokens, blocks);
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

// Where a lane loads its rows, with fewer instructions than LaneRows. In place of a row past the end of the matrix it reads the last: nobody takes its sums.
template <DType WEIGHTS, int ROWS>
struct NearRows {
    const u8 *first;
    int row;        // the lane's first, from there on
    int last;       // of the matrix, from there on
    int row_bytes;
    int inputs;

    __device__ __forceinline__ NearRows(const Matrix &m, int row_of_warp) {
        const int begin = min(row_of_warp, m.outputs - 1);
        first = m.data + static_cast<i64>(begin) * m.row_bytes;
        row = lane_id() / 4;
        last = m.outputs - 1 - begin;
        row_bytes = m.row_bytes;
        inputs = m.inputs;
    }

    // Begins to copy 16 bytes of each from value k on to `slot` and the slots of the following 31 lanes; zeros behind the end.
    __device__ __forceinline__ void begin(uint4 *slot, int k) const {
        const u8 *from = first + static_cast<u32>(k) * bits_in<WEIGHTS> / 8;
        const u32 valid = k < inputs ? 16 : 0;
#pragma unroll
        for (int r = 0; r < ROWS; r++) {
            copy_async_16(slot + r * WARP, from + static_cast<u32>(min(row + ROW_STEP * r, last) * row_bytes), valid);
        }
    }
};

// One warp's share of the block: blocks warp, warp + WARPS, ... of K. CODES: where the tokens are.
template <DType X, DType W, int ROWS, class CODES>
class Share {
    static constexpr bool OWN = CODES::OWN;
    static constexpr DType FORMAT = factor_format<X, W>;
    using S = Shape<X, W, ROWS, OWN>;
    using Sums = FragmentSums<ROWS>;
    static constexpr int SLOT = S::SLOTS * WARP;  // from a stage of the queue to the next

    // Where the lane begins.
    struct Place {
        int slot;        // in the queue
        int sums;
        int k;           // in the warp's first block
        int w_scale;     // bytes from the queue on; E2M1: of the lane's first row
        int row_scales;  // E2M1: bytes from row to row
        int x_scale[2];  // bytes from the queue on
    };

    NearRows<W, ROWS> rows_;
    const u8 *x_;   // the row of token lane / 4
    int x_inputs_;  // 0 without that token
    int blocks_;
    Place place_;
    Layout<X, W, ROWS, OWN> shared_;
    CODES codes_;

    __device__ __forceinline__ const u8 *bytes() const {
        return reinterpret_cast<const u8 *>(shared_.queue);
    }

    // Has a value in a register: with E2M1, whose loop is long, the assembler would compute it anew in every round, but cannot do
    // so with a shuffle.
    static __device__ __forceinline__ void keep(int &value) {
        if constexpr (W == F4_E2M1) {
            value = __shfl_sync(ALL_LANES, value, lane_id());
        }
    }

    // Begins the copies of one load, whose first value is k.
    __device__ __forceinline__ void begin(int k, uint4 *slot) const {
        rows_.begin(slot, k);
        if constexpr (!OWN) {
            const u8 *x = x_ + static_cast<u32>(k) * bits_in<X> / 8;
            const bool exists = k < x_inputs_;
            uint4 *to = slot + ROWS * WARP;
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

    // From the first value of a warp's block to that of a load, which may be one of its later blocks.
    static __device__ __forceinline__ constexpr int load_values(int load) {
        return load / S::LOADS * WARPS * K_BLOCK + first_value<W>(load % S::LOADS, 0);
    }

    // The tokens' 16 bytes number j of a load.
    __device__ __forceinline__ uint4 token_words(int k, const uint4 *slot, int j) const {
        if constexpr (OWN) {
            return k < x_inputs_
                       ? *reinterpret_cast<const uint4 *>(codes_.data + lane_id() / 4 * codes_.pitch + k + 16 * j)
                       : make_uint4(0, 0, 0, 0);
        } else {
            return slot[(ROWS + j) * WARP];
        }
    }

    __device__ __forceinline__ void multiply(int block, int k, const uint4 *slot, Sums &sum) const {
        LaneWeights<W, ROWS> weights;
        weights.read(slot);
        u32 x[4 * S::X_SLOTS];
#pragma unroll
        for (int j = 0; j < S::X_SLOTS; j++) {
            const uint4 words = token_words(k, slot, j);
            x[4 * j] = words.x;
            x[4 * j + 1] = words.y;
            x[4 * j + 2] = words.z;
            x[4 * j + 3] = words.w;
        }
        if constexpr (W == F4_E2M1) {
            const u8 *scale = bytes() + place_.w_scale + block * 4;
#pragma unroll
            for (int r = 0; r < ROWS; r++) {
                weights.scale[r] = scale[r * place_.row_scales];
            }
            if (!__all_sync(ALL_LANES, weights.has_small_scales())) {
                multiply_chunks<false>(weights, x, sum);
                return;
            }
        }
        multiply_chunks<true>(weights, x, sum);
    }

    template <bool SMALL>
    __device__ __forceinline__ void multiply_chunks(const LaneWeights<W, ROWS> &weights, const u32 *x, Sums &sum) const {
#pragma unroll
        for (int i = 0; i < S::CHUNKS; i++) {
            Chunk decoded[ROWS];
            weights.template decode<FORMAT, SMALL>(i, decoded);
            multiply_chunk<FORMAT>(sum, decoded, activations<X, W, FORMAT>(x + i * S::X_WORDS / S::CHUNKS));
        }
    }

    // 2^exponent of the scales of a block; x_scale: where the token's begin.
    __device__ __forceinline__ Power scale(int block, int x_scale) const {
        int exponent = 0;
        if constexpr (X == F8_E4M3) {
            exponent += scale_exponent(bytes()[x_scale + block]);
        }
        if constexpr (W == F8_E4M3) {
            exponent += scale_exponent(bytes()[place_.w_scale + block]);
        }
        return power_of(exponent);
    }

    __device__ __forceinline__ void store(int block, const Sums &sum, float *to) const {
#pragma unroll
        for (int odd = 0; odd < 2; odd++) {
            const Power power = scale(block, place_.x_scale[odd]);
#pragma unroll
            for (int r = 0; r < ROWS; r++) {
                const float mine = sum.at(r, odd);
                to[odd * S::SUM_PITCH + ROW_STEP * r] = X == F8_E4M3 || W == F8_E4M3 ? apply(mine, power) : mine;
            }
        }
    }

public:
    __device__ __forceinline__ Share(const Matrix &w, const Tile &tile, int row, const Layout<X, W, ROWS, OWN> &shared,
                                     CODES codes)
        : rows_(w, row), blocks_(w.blocks()), shared_(shared), codes_(codes) {
        const int token = lane_id() / 4;
        const int column = lane_id() % 4;
        x_inputs_ = token < tile.tokens ? w.inputs : 0;
        x_ = tile.template row<X>(token < tile.tokens ? token : 0);
        place_.slot = warp_id() * STAGES * SLOT + lane_id();
        place_.sums = warp_id() * S::BLOCK_SUMS + column * 2 * S::SUM_PITCH + lane_id() / 4;
        place_.k = warp_id() * K_BLOCK + first_value<W>(0, column);
        place_.w_scale = static_cast<int>(shared.w_scale - bytes());
        if constexpr (W == F4_E2M1) {
            const int pitch = w.inputs / MX_BLOCK + SCALE_GAP;
            place_.w_scale += lane_id() / 4 * pitch + column;
            place_.row_scales = ROW_STEP * pitch;
            keep(place_.row_scales);
        }
        keep(place_.w_scale);
#pragma unroll
        for (int odd = 0; odd < 2; odd++) {
            place_.x_scale[odd] =
                static_cast<int>(shared.x_scale - bytes()) + min(column * 2 + odd, tile.tokens - 1) * blocks_;
            keep(place_.x_scale[odd]);
        }
        keep(rows_.row);
        keep(rows_.last);
        keep(rows_.row_bytes);
        keep(rows_.inputs);
        keep(x_inputs_);
        keep(blocks_);
        keep(place_.slot);
        keep(place_.sums);
        keep(place_.k);
    }

    // Begins the first copies; the scales may come to shared memory meanwhile.
    __device__ __forceinline__ void start() const {
#pragma unroll
        for (int step = 0; step < STAGES - 1; step++) {
            begin(place_.k + load_values(step), shared_.queue + place_.slot + step * SLOT);
        }
    }

    __device__ __forceinline__ void run() const {
        int reading = place_.slot;
        int writing = reading + (STAGES - 1) * SLOT;
        const int last = writing;
        int k = place_.k;
        int sums = place_.sums;
        for (int block = warp_id(); block < blocks_; block += WARPS) {
            Sums sum = {};
#pragma unroll
            for (int load = 0; load < S::LOADS; load++) {
                wait_copies<STAGES - 2>();
                multiply(block, k + load_values(load), shared_.queue + reading, sum);
                begin(k + load_values(load + STAGES - 1), shared_.queue + writing);
                writing = reading;
                reading = reading == last ? place_.slot : reading + SLOT;
            }
            store(block, sum, shared_.sums + sums);
            k += WARPS * K_BLOCK;
            sums += WARPS * S::BLOCK_SUMS;
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
    const int row = first_row(block, Shape<X, W, ROWS, false>::WARP_ROWS);
    const Layout<X, W, ROWS, false> shared(memory, w.blocks());
    const Share<X, W, ROWS, NoCodes> share(w, tile, row, shared, {});
    share.start();
    load_scales(w, tile, row, shared);
    __syncthreads();
    share.run();
    __syncthreads();
    store_totals(call, block, tile, w, row, shared);
}

}  // namespace few

}  // namespace weft

#endif
