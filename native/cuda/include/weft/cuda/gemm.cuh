// What the matrix products on tensor cores share. Weights are the M side of mma.m16n8k16 and rows of activations, called
// tokens, its N side. A warp multiplies 16 or 32 rows of weights; a lane loads its part of every eighth of them straight into
// a shared memory slot of its own (a queue of copies under way, not an exchange), and decodes it in registers. ROWS is the
// number of rows of a lane.
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

constexpr int FRAGMENT_TOKENS = 8;
constexpr int ROW_STEP = 8;  // from a row of a lane to its next

// ---- which part of which product a block computes ----

// First launch word.
enum Product : i64 { SINGLE = 0, GROUPED = 1, EXPERTS = 2 };

// Some tokens of one matrix: rows first .. first + tokens - 1 of x, the activations of that matrix, and of its results.
struct Tile {
    i64 matrix;
    i64 first;
    int tokens;  // none: nothing to do
    Rows x;
    const u8 *x_scale;
    i64 x_scales;  // bytes from a row to the next

    template <DType X>
    __device__ __forceinline__ const u8 *row(int token) const {
        return static_cast<const u8 *>(x.data) + x.at(first + token) * bits_in<X> / 8;
    }

    __device__ __forceinline__ const u8 *scales(int token) const {
        return x_scale + (first + token) * x_scales;
    }
};

// The expert of tile number `slot` of the rows sorted by expert, each expert's cut into tiles of `size`, and its rows. Every
// warp finds it alone.
__device__ __forceinline__ void find_expert(const i32 *offsets, i32 experts, i64 slot, int size, Tile &tile) {
    constexpr int EACH = 8;  // neighbouring experts of a lane, whose loads are under way together
    i32 expert = -1;         // in the one lane that has the tile's
    i32 first = 0;
    i32 tokens = 0;
    i32 left = static_cast<i32>(slot);  // tiles before the wanted one that are not counted yet
    for (i32 begin = 0; begin < experts; begin += EACH * WARP) {
        const i32 mine = begin + lane_id() * EACH;
        i32 bound[EACH + 1];
#pragma unroll
        for (int j = 0; j <= EACH; j++) {
            bound[j] = offsets[min(mine + j, experts)];
        }
        i32 tiles[EACH];
        i32 sum = 0;
#pragma unroll
        for (int j = 0; j < EACH; j++) {
            tiles[j] = static_cast<i32>(static_cast<u32>(bound[j + 1] - bound[j] + size - 1) / static_cast<u32>(size));
            sum += tiles[j];
        }
        i32 through = sum;  // those of the lanes up to this one
        for (int distance = 1; distance < WARP; distance *= 2) {
            const i32 other = __shfl_up_sync(ALL_LANES, through, distance);
            through += lane_id() >= distance ? other : 0;
        }
        i32 skipped = left - (through - sum);
#pragma unroll
        for (int j = 0; j < EACH; j++) {
            if (skipped >= 0 && skipped < tiles[j]) {
                expert = mine + j;
                first = bound[j] + skipped * size;
                tokens = min(bound[j + 1] - first, size);
            }
            skipped -= tiles[j];
        }
        left -= __shfl_sync(ALL_LANES, through, WARP - 1);
    }
    const u32 owner = __ballot_sync(ALL_LANES, expert >= 0);
    const int lane = owner == 0 ? 0 : __ffs(static_cast<int>(owner)) - 1;
    tile.matrix = __shfl_sync(ALL_LANES, expert, lane);
    tile.first = __shfl_sync(ALL_LANES, first, lane);
    tile.tokens = __shfl_sync(ALL_LANES, tokens, lane);
}

// The rows of one group of an operand [rows, groups, columns].
__device__ __forceinline__ Rows group_of(const Operand &o, i64 group) {
    return {static_cast<u8 *>(o.data) + group * o.dims[2] * bytes_of(o.dtype), o.dtype, o.dims[0], 1, o.dims[2], o.pitch};
}

// The tile of a block: slots along x, groups along z.
__device__ __forceinline__ Tile tile_of(const Call &call, int size, const uint3 &block) {
    const i64 slot = block.x;
    const i64 group = block.z;
    const i64 product = call.attribute[0];
    const Operand &x = call.at[0];
    const i64 blocks = ceil_div(x.dims[x.rank - 1], K_BLOCK);
    Tile tile = {group, slot * size, 0, rows_of(x), static_cast<const u8 *>(x.scale), blocks};
    if (product == EXPERTS) {
        find_expert(static_cast<const i32 *>(call.at[2].data), static_cast<i32>(call.at[1].dims[0]), slot, size, tile);
        return tile;
    }
    if (product == GROUPED) {
        tile.x = group_of(x, group);
        tile.x_scale += group * blocks;
        tile.x_scales *= x.dims[1];
    }
    tile.tokens = static_cast<int>(min(tile.x.count - tile.first, static_cast<i64>(size)));
    return tile;
}

// Where the rows of results of a block's matrix are.
__device__ __forceinline__ Rows results_of(const Call &call, const uint3 &block) {
    const i64 product = call.attribute[0];
    const Operand &y = call.at[product == EXPERTS ? 3 : 2];
    return product == GROUPED ? group_of(y, block.z) : rows_of(y);
}

// ---- weights ----

// One matrix of an operand of weights.
struct Matrix {
    const u8 *data;
    const u8 *scale;
    int outputs;
    int inputs;
    int row_bytes;

    __device__ __forceinline__ int blocks() const {
        return (inputs + K_BLOCK - 1) / K_BLOCK;
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
            static_cast<const u8 *>(w.scale) + m * scales, static_cast<int>(outputs), static_cast<int>(inputs),
            static_cast<int>(row * bits_in<WEIGHTS> / 8)};
}

// Where a lane loads its rows.
template <DType WEIGHTS, int ROWS>
struct LaneRows {
    const u8 *first;
    int stride;  // bytes from a row to the next
    int inputs;
    int height;  // rows of the matrix from the first on

    __device__ __forceinline__ LaneRows(const Matrix &m, int row) {
        const int mine = row + lane_id() / 4;
        first = m.data + static_cast<i64>(mine) * m.row_bytes;
        stride = ROW_STEP * m.row_bytes;
        inputs = m.inputs;
        height = m.outputs - mine;
    }

    // Begins to copy 16 bytes of each from value k on to `slot` and the slots of the following 31 lanes; zeros for what is
    // not there.
    __device__ __forceinline__ void begin(uint4 *slot, int k) const {
        const u8 *from = first + k * bits_in<WEIGHTS> / 8;
#pragma unroll
        for (int r = 0; r < ROWS; r++) {
            const bool exists = k < inputs && ROW_STEP * r < height;
            copy_async_16(slot + r * WARP, from + r * stride, exists ? 16 : 0);
        }
    }
};

// What a lane loaded: 16 bytes of each of its rows, with the scale bytes of MX blocks.
template <DType WEIGHTS, int ROWS>
struct LaneWeights {
    uint4 row[ROWS];
    u32 scale[ROWS];

    __device__ __forceinline__ void read(const uint4 *slot) {
#pragma unroll
        for (int r = 0; r < ROWS; r++) {
            row[r] = slot[r * WARP];
        }
    }

    __device__ __forceinline__ static u32 word(const uint4 &v, int i) {
        return i == 0 ? v.x : i == 1 ? v.y : i == 2 ? v.z : v.w;
    }

    // Whether every scale byte is a factor in BF16: then chunks need one multiplication.
    __device__ __forceinline__ bool has_small_scales() const {
        u32 greatest = scale[0];
#pragma unroll
        for (int r = 1; r < ROWS; r++) {
            greatest = max(greatest, scale[r]);
        }
        return greatest <= MOST_E2M1_SCALE;
    }

    // Chunk i of every row. SMALL: whether it is known that the scales are.
    template <DType FORMAT = BF16, bool SMALL = false>
    __device__ __forceinline__ void decode(int i, Chunk *chunk) const {
#pragma unroll
        for (int r = 0; r < ROWS; r++) {
            if constexpr (WEIGHTS == F4_E2M1) {
                chunk[r] = scaled(e2m1_chunk(word(row[r], i)), e2m1_factor(scale[r]));
            } else if constexpr (WEIGHTS == F8_E4M3) {
                chunk[r] = e4m3_chunk<FORMAT>(word(row[r], 2 * i), word(row[r], 2 * i + 1));
            } else {
                chunk[r] = {row[r].x, row[r].y, row[r].z, row[r].w};
            }
        }
        if constexpr (WEIGHTS == F4_E2M1 && !SMALL) {
            if (!has_small_scales()) {
#pragma unroll
                for (int r = 0; r < ROWS; r++) {
                    chunk[r] = scaled(chunk[r], e2m1_second_factor(scale[r]));
                }
            }
        }
    }
};

// ---- sums ----

// Sums of a lane: of row g + 8r at the tokens 2c and 2c + 1 of a fragment.
template <int ROWS>
struct FragmentSums {
    float d[ROWS / 2][4];

    __device__ __forceinline__ float &at(int r, int odd) {
        return d[r / 2][r % 2 * 2 + odd];
    }

    __device__ __forceinline__ float at(int r, int odd) const {
        return d[r / 2][r % 2 * 2 + odd];
    }
};

// sum += rows of weights times 8 tokens, over the K of one chunk of every lane.
template <DType FORMAT, int ROWS>
__device__ __forceinline__ void multiply_chunk(FragmentSums<ROWS> &sum, const Chunk *weights, const Chunk &tokens) {
#pragma unroll
    for (int half = 0; half < 2; half++) {
#pragma unroll
        for (int m = 0; m < ROWS / 2; m++) {
            const u32 *low = weights[2 * m].pair + 2 * half;
            const u32 *high = weights[2 * m + 1].pair + 2 * half;
            const u32 *x = tokens.pair + 2 * half;
            if constexpr (FORMAT == F16) {
                mma_f16(sum.d[m], low[0], high[0], low[1], high[1], x[0], x[1]);
            } else {
                mma_bf16(sum.d[m], low[0], high[0], low[1], high[1], x[0], x[1]);
            }
        }
    }
}

__device__ __forceinline__ float apply(float sum, const Power &power) {
    return sum * power.first * power.second;
}

}  // namespace weft

#endif
