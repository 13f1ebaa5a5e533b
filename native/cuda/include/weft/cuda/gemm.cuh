// What the matrix products on tensor cores share. Weights are the M side of mma.m16n8k16 and rows of activations, called
// tokens, its N side. A warp multiplies 32 rows of weights; a lane loads its part of four of them, g, g + 8, g + 16 and
// g + 24, straight into a shared memory slot of its own (a queue of copies under way, not an exchange), and decodes it in
// registers.
//
// Every kernel forms the same sums in the same order, so the choice between them shows in no bit of a result: per block of
// 128 of K the products in the order of fragments.cuh, from zero; times the block's scales; added to the total in ascending
// order of the blocks.
#ifndef WEFT_CUDA_GEMM_CUH
#define WEFT_CUDA_GEMM_CUH

#include "weft/cuda/async.cuh"
#include "weft/cuda/fragments.cuh"
#include "weft/cuda/mma.cuh"
#include "weft/cuda/rows.cuh"

namespace weft {

constexpr int WARP_ROWS = 32;  // of weights
constexpr int LANE_ROWS = 4;
constexpr int FRAGMENT_ROWS = 16;
constexpr int FRAGMENT_TOKENS = 8;

// ---- which part of which product a block computes ----

// First launch word.
enum Product : i64 { SINGLE = 0, GROUPED = 1, EXPERTS = 2 };

// Some tokens of one matrix. Token j is row first + j * step of the activations and of the result.
struct Tile {
    i64 matrix;
    i64 first;
    i64 step;
    int tokens;  // 0: nothing to do

    __device__ __forceinline__ i64 row(int token) const {
        return first + token * step;
    }
};

// Tile number `slot` of the rows sorted by expert, each expert's cut into tiles of `size`. Every warp finds it alone.
__device__ __forceinline__ Tile expert_tile(const i32 *offsets, i64 experts, i64 slot, int size) {
    constexpr int AT_ONCE = 8;  // loads under way together
    i32 expert = -1;            // in the one lane that has the tile's
    i32 first = 0;
    i32 tokens = 0;
    i32 left = static_cast<i32>(slot);  // tiles before the wanted one that are not counted yet
    for (i32 begin = 0; begin < experts; begin += AT_ONCE * WARP) {
        i32 from[AT_ONCE];
        i32 rows[AT_ONCE];
#pragma unroll
        for (int j = 0; j < AT_ONCE; j++) {
            const i32 e = begin + j * WARP + lane_id();
            from[j] = e < experts ? offsets[e] : 0;
            rows[j] = e < experts ? offsets[e + 1] - from[j] : 0;
        }
#pragma unroll
        for (int j = 0; j < AT_ONCE; j++) {
            const i32 tiles = (rows[j] + size - 1) / size;
            i32 through = tiles;  // those of the experts up to this lane's
            for (int distance = 1; distance < WARP; distance *= 2) {
                const i32 other = __shfl_up_sync(ALL_LANES, through, distance);
                through += lane_id() >= distance ? other : 0;
            }
            const i32 skipped = left - (through - tiles);
            if (skipped >= 0 && skipped < tiles) {
                expert = begin + j * WARP + lane_id();
                first = from[j] + skipped * size;
                tokens = min(rows[j] - skipped * size, size);
            }
            left -= __shfl_sync(ALL_LANES, through, WARP - 1);
        }
    }
    const u32 owner = __ballot_sync(ALL_LANES, expert >= 0);
    const int lane = owner == 0 ? 0 : __ffs(static_cast<int>(owner)) - 1;
    return {__shfl_sync(ALL_LANES, expert, lane), __shfl_sync(ALL_LANES, first, lane), 1,
            __shfl_sync(ALL_LANES, tokens, lane)};
}

// The tile of this block: slots along x, groups along z.
__device__ __forceinline__ Tile tile_of(const Call &call, int size) {
    const i64 slot = blockIdx.x;
    const i64 product = call.attribute[0];
    if (product == EXPERTS) {
        return expert_tile(static_cast<const i32 *>(call.at[2].data), call.at[1].dims[0], slot, size);
    }
    const Rows x = rows_of(call.at[0]);
    const i64 groups = product == GROUPED ? x.inner : 1;
    const i64 group = blockIdx.z;
    const i64 tokens = x.count / groups - slot * size;
    return {group, slot * size * groups + group, groups, static_cast<int>(min(tokens, static_cast<i64>(size)))};
}

__device__ __forceinline__ const Operand &result_of(const Call &call) {
    return call.at[call.attribute[0] == EXPERTS ? 3 : 2];
}

// ---- weights ----

// One matrix of an operand of weights.
struct Matrix {
    const u8 *data;
    const u8 *scale;
    i64 outputs;
    i64 inputs;
    i64 row_bytes;

    __device__ __forceinline__ i64 blocks() const {
        return ceil_div(inputs, K_BLOCK);
    }
};

constexpr int MX_BLOCK = 32;

template <DType WEIGHTS>
__device__ __forceinline__ Matrix matrix_of(const Operand &w, i64 m) {
    const bool many = w.rank == 3;
    const i64 outputs = w.dims[many ? 1 : 0];
    const i64 inputs = w.dims[many ? 2 : 1];
    const i64 row = many ? inputs : w.pitch;
    const i64 scales = WEIGHTS == F4_E2M1 ? outputs * (inputs / MX_BLOCK) : ceil_div(outputs, 128) * ceil_div(inputs, 128);
    return {static_cast<const u8 *>(w.data) + (many ? m * w.pitch * bits_in<WEIGHTS> / 8 : 0),
            static_cast<const u8 *>(w.scale) + m * scales, outputs, inputs, row * bits_in<WEIGHTS> / 8};
}

// Where a lane loads its four rows of a warp's 32.
template <DType WEIGHTS>
struct LaneRows {
    const u8 *first;
    i64 stride;  // bytes from a row to the next
    i64 inputs;
    int height;  // rows from the first to the end of the matrix

    __device__ __forceinline__ LaneRows(const Matrix &m, i64 row) {
        const i64 mine = row + lane_id() / 4;
        first = m.data + mine * m.row_bytes;
        stride = 8 * m.row_bytes;
        inputs = m.inputs;
        height = static_cast<int>(max(min(m.outputs - mine, static_cast<i64>(WARP_ROWS)), 0LL));
    }

    // Begins to copy 16 bytes of each from value k on to `slot` and the slots of the following 31 lanes; zeros for what is
    // not there.
    __device__ __forceinline__ void begin(uint4 *slot, i64 k) const {
#pragma unroll
        for (int r = 0; r < LANE_ROWS; r++) {
            const bool exists = k < inputs && 8 * r < height;
            copy_async_16(slot + r * WARP, first + r * stride + k * bits_in<WEIGHTS> / 8, exists ? 16 : 0);
        }
    }
};

// What a lane loaded: 16 bytes of each of its four rows, with the scale bytes of MX blocks.
template <DType WEIGHTS>
struct LaneWeights {
    uint4 row[LANE_ROWS];
    u32 scale[LANE_ROWS];

    __device__ __forceinline__ void read(const uint4 *slot) {
#pragma unroll
        for (int r = 0; r < LANE_ROWS; r++) {
            row[r] = slot[r * WARP];
        }
    }

    __device__ __forceinline__ static u32 word(const uint4 &v, int i) {
        return i == 0 ? v.x : i == 1 ? v.y : i == 2 ? v.z : v.w;
    }

    // Chunk i of every row.
    __device__ __forceinline__ void decode(int i, Chunk *chunk) const {
#pragma unroll
        for (int r = 0; r < LANE_ROWS; r++) {
            if constexpr (WEIGHTS == F4_E2M1) {
                chunk[r] = scaled(e2m1_chunk(word(row[r], i)), e2m1_factor(scale[r]));
            } else if constexpr (WEIGHTS == F8_E4M3) {
                chunk[r] = e4m3_chunk(word(row[r], 2 * i), word(row[r], 2 * i + 1));
            } else {
                chunk[r] = {row[r].x, row[r].y, row[r].z, row[r].w};
            }
        }
        if constexpr (WEIGHTS == F4_E2M1) {
            if (max(max(scale[0], scale[1]), max(scale[2], scale[3])) > MOST_E2M1_SCALE) {
#pragma unroll
                for (int r = 0; r < LANE_ROWS; r++) {
                    chunk[r] = scaled(chunk[r], e2m1_second_factor(scale[r]));
                }
            }
        }
    }
};

// ---- sums ----

// sum += 32 rows of weights times 8 tokens, over the K of one chunk of every lane.
__device__ __forceinline__ void multiply_chunk(float (*sum)[4], const Chunk *weights, const Chunk &tokens) {
#pragma unroll
    for (int half = 0; half < 2; half++) {
#pragma unroll
        for (int m = 0; m < WARP_ROWS / FRAGMENT_ROWS; m++) {
            const Chunk &low = weights[2 * m];
            const Chunk &high = weights[2 * m + 1];
            mma_bf16(sum[m], low.pair[2 * half], high.pair[2 * half], low.pair[2 * half + 1], high.pair[2 * half + 1],
                     tokens.pair[2 * half], tokens.pair[2 * half + 1]);
        }
    }
}

__device__ __forceinline__ float apply(float sum, const Power &power) {
    return sum * power.first * power.second;
}

}  // namespace weft

#endif
