// Matrix products on Hopper's FP8 units: tokens in E4M3, weights in E4M3 or E2M1. They multiply at twice the rate of BF16 and keep
// about 14 bits of a sum, so other kernels do not give the same bits. Sums begin anew with every block of K and are promoted to
// F32 there. A block has 128 rows of weights, 16 a warp, and 64 or 128 tokens.
//
// Tokens go to shared memory as they are, where the tensor cores read them. So K keeps its order: in a step of 32 values, lane c of
// a row's four holds the weights 4c .. 4c + 3 and 16 + 4c .. 16 + 4c + 3.
#ifndef WEFT_CUDA_GEMM_FP8_CUH
#define WEFT_CUDA_GEMM_FP8_CUH

#include "weft/cuda/gemm_totals.cuh"
#include "weft/cuda/wgmma.cuh"

namespace weft::fp8 {

constexpr int THREADS = 256;
constexpr int WARPS = THREADS / WARP;
constexpr int ROWS = 2;                             // of weights, a lane
constexpr int OUTPUTS = WARPS * ROWS * ROW_STEP;    // of a block
constexpr int STAGES = 4;                           // blocks of K under way
constexpr int STEPS = K_BLOCK / MX_BLOCK;           // of a block of K, one of each MX block
constexpr int PART_TOKENS = 64;                     // whose sums are promoted while the next ones are formed
constexpr int PART_FRAGMENTS = PART_TOKENS / FRAGMENT_TOKENS;

// ---- E2M1 as E4M3 ----

// A row's weights in a block of K take the greatest of its four scales, 2^base, out: what is left are codes times 2^r with r up
// to 6, which E4M3 has down to r = -8. Smaller ones are rounded, below the bits that sums keep.
constexpr int MOST_SHIFT = 6;
constexpr int LEAST_SHIFT = -13;  // all codes become zero
constexpr int NAN_SHIFT = MOST_SHIFT - LEAST_SHIFT + 1;
constexpr int SHIFTS = NAN_SHIFT + 1;
constexpr int MAGNITUDES = 8;

// Byte i of the table: magnitude i % 8 times 2^(i / 8 + LEAST_SHIFT).
__device__ __forceinline__ u8 shifted_magnitude(int i) {
    const int shift = i / MAGNITUDES;
    if (shift == NAN_SHIFT) {
        return 0x7F;
    }
    const float power = __int_as_float((shift + LEAST_SHIFT + 127) << 23);
    return static_cast<u8>(float_to_e4m3(e2m1_to_float(static_cast<u32>(i % MAGNITUDES)) * power));
}

// Four codes, whose magnitudes become the bytes of `table`.
__device__ __forceinline__ u32 decode(u32 codes, const uint2 &table) {
    const u32 signs = __byte_perm(0x00008000u, 0, codes >> 3 & 0x1111u);
    return __byte_perm(table.x, table.y, codes & 0x7777u) | signs;
}

// ---- scales ----

// Up to here powers of two of tokens and of rows are factors, none of which leaves the normal numbers.
constexpr int MOST_PLAIN = 60;

__device__ __forceinline__ bool is_plain(int exponent) {
    return exponent >= -MOST_PLAIN && exponent <= MOST_PLAIN;
}

__device__ __forceinline__ float plain_power(int exponent) {
    return __int_as_float((exponent + 127) << 23);
}

// Scales of a lane's rows in a block of K.
template <DType W>
struct RowScales {
    int exponent[ROWS] = {};  // of the row's sum; that of E4M3 weights goes with the tokens'
    int shift[ROWS] = {};     // entry of the table for block lane % 4 of the row

    // `byte`: of block lane % 4 of each row.
    __device__ __forceinline__ explicit RowScales(const u32 (&byte)[ROWS]) {
        if constexpr (W == F4_E2M1) {
#pragma unroll
            for (int r = 0; r < ROWS; r++) {
                const int mine = static_cast<int>(byte[r]);
                int greatest = mine == 0xFF ? 0 : mine;
                greatest = max(greatest, __shfl_xor_sync(ALL_LANES, greatest, 1));
                greatest = max(greatest, __shfl_xor_sync(ALL_LANES, greatest, 2));
                exponent[r] = greatest - 127 - MOST_SHIFT;
                shift[r] = mine == 0xFF ? NAN_SHIFT : max(mine - greatest + MOST_SHIFT, LEAST_SHIFT) - LEAST_SHIFT;
            }
        }
    }

    __device__ __forceinline__ bool are_plain() const {
        return is_plain(exponent[0]) && is_plain(exponent[1]);
    }
};

// ---- shared memory, Fp8Gemm.sharedBytes ----

template <DType W>
constexpr int ROW_UNITS = K_BLOCK * bits_in<W> / 128;  // 16-byte units of a row of weights in a block of K

// Where a unit of a row of weights lies in its row, such that eight rows lie in all banks.
template <DType W>
__device__ __forceinline__ int weights_unit(int row, int unit) {
    return unit ^ (row * ROW_UNITS<W> / 8 % ROW_UNITS<W>);
}

template <DType W, int TOKENS>
struct Stage {
    uint4 tokens[TOKENS][WGMMA_ROW_UNITS];
    uint4 weights[OUTPUTS][ROW_UNITS<W>];
};

template <DType W, int TOKENS>
struct Layout {
    Stage<W, TOKENS> stage[STAGES];
    i32 exponents[2][TOKENS];  // of the tokens' scales
    alignas(uint2) u8 magnitudes[SHIFTS * MAGNITUDES];
};

// The part of tokens and weights that a thread brings to shared memory: the same unit of several rows.
template <DType W, int TOKENS>
class Fetch {
    static constexpr int STEP = THREADS / WGMMA_ROW_UNITS;  // from a token to the thread's next
    static constexpr int COUNT = TOKENS / STEP;
    static constexpr int ROWS_STEP = THREADS / ROW_UNITS<W>;
    static constexpr int ROWS_COUNT = OUTPUTS / ROWS_STEP;

    const u8 *x_[COUNT];
    const u8 *w_;
    i64 stride_;  // bytes from a row to the next of the thread
    int tokens_;  // of the tile, from the thread's first on
    int height_;  // of the matrix, from the thread's first on
    int inputs_;

public:
    __device__ __forceinline__ Fetch(const Tile &tile, const Matrix &w, int first_row) {
        const int token = static_cast<int>(threadIdx.x) / WGMMA_ROW_UNITS;
        const int row = first_row + static_cast<int>(threadIdx.x) / ROW_UNITS<W>;
#pragma unroll
        for (int i = 0; i < COUNT; i++) {
            const int mine = token + i * STEP;
            x_[i] = tile.template row<F8_E4M3>(mine < tile.tokens ? mine : 0);
        }
        w_ = w.data + static_cast<i64>(row) * w.row_bytes;
        stride_ = static_cast<i64>(ROWS_STEP) * w.row_bytes;
        tokens_ = tile.tokens - token;
        height_ = w.outputs - row;
        inputs_ = w.inputs;
    }

    // Begins to copy a block of K, zeros for what is not there.
    __device__ __forceinline__ void begin(Stage<W, TOKENS> &stage, int block) const {
        const int unit = static_cast<int>(threadIdx.x) % WGMMA_ROW_UNITS;
        const int k = block * K_BLOCK + unit * 16;
#pragma unroll
        for (int i = 0; i < COUNT; i++) {
            const int token = static_cast<int>(threadIdx.x) / WGMMA_ROW_UNITS + i * STEP;
            const bool exists = k < inputs_ && i * STEP < tokens_;
            copy_async_16(&stage.tokens[token][wgmma_unit(token, unit)], x_[i] + k, exists ? 16 : 0);
        }
        const int w_unit = static_cast<int>(threadIdx.x) % ROW_UNITS<W>;
        const int first = block * K_BLOCK + w_unit * lane_values<W>;
#pragma unroll
        for (int i = 0; i < ROWS_COUNT; i++) {
            const int row = static_cast<int>(threadIdx.x) / ROW_UNITS<W> + i * ROWS_STEP;
            const bool exists = first < inputs_ && i * ROWS_STEP < height_;
            copy_async_16(&stage.weights[row][weights_unit<W>(row, w_unit)],
                          w_ + i * stride_ + first * bits_in<W> / 8, exists ? 16 : 0);
        }
        commit_copies();
    }
};

// The scale bytes of a thread's token, fetched a block ahead.
class TokenScale {
    const u8 *from_;
    int count_;  // 0 without a token
    u32 byte_ = 0;

public:
    __device__ __forceinline__ TokenScale(const Tile &tile, int blocks) {
        const int token = static_cast<int>(threadIdx.x);
        count_ = token < tile.tokens ? blocks : 0;
        from_ = tile.scales(count_ > 0 ? token : 0);
    }

    __device__ __forceinline__ void load(int block) {
        byte_ = block < count_ ? from_[block] : 127;
    }

    __device__ __forceinline__ int exponent() const {
        return scale_exponent(byte_);
    }
};

// The weights of step s as the tensor cores take them from a lane.
template <DType W, int TOKENS>
__device__ __forceinline__ void read_weights(u32 (&a)[4], const Layout<W, TOKENS> &shared, const Stage<W, TOKENS> &stage,
                                             int s, const RowScales<W> &scales) {
    const int first = warp_id() * ROWS * ROW_STEP;
    if constexpr (W == F8_E4M3) {
        const int row = first + lane_id() % 16;
        ldmatrix_x4(a, &stage.weights[row][weights_unit<W>(row, 2 * s + lane_id() / 16)]);
    } else {
#pragma unroll
        for (int r = 0; r < ROWS; r++) {
            const int row = first + lane_id() / 4 + ROW_STEP * r;
            const int shift = __shfl_sync(ALL_LANES, scales.shift[r], lane_id() / 4 * 4 + s);
            const uint2 table = reinterpret_cast<const uint2 *>(shared.magnitudes)[shift];
            const u16 *codes = reinterpret_cast<const u16 *>(&stage.weights[row][weights_unit<W>(row, s)]) + lane_id() % 4;
#pragma unroll
            for (int half = 0; half < 2; half++) {
                a[2 * half + r] = decode(codes[4 * half], table);
            }
        }
    }
}

// totals += sums times the scales of a block of K. PLAIN: whether it is known that all exponents are.
template <DType W, bool PLAIN>
__device__ __forceinline__ void promote(const FragmentSums<ROWS> (&sums)[PART_FRAGMENTS], const i32 *exponents,
                                        const RowScales<W> &scales, FragmentSums<ROWS> *totals) {
#pragma unroll
    for (int f = 0; f < PART_FRAGMENTS; f++) {
#pragma unroll
        for (int odd = 0; odd < 2; odd++) {
            const int exponent = exponents[f * FRAGMENT_TOKENS + lane_id() % 4 * 2 + odd];
#pragma unroll
            for (int r = 0; r < ROWS; r++) {
                float &total = totals[f].at(r, odd);
                if constexpr (!PLAIN) {
                    total += apply(sums[f].at(r, odd), power_of(exponent + scales.exponent[r]));
                } else if constexpr (W == F8_E4M3) {
                    total = fmaf(sums[f].at(r, odd), plain_power(exponent), total);
                } else {
                    total = fmaf(sums[f].at(r, odd) * plain_power(exponent), plain_power(scales.exponent[r]), total);
                }
            }
        }
    }
}

// The tile of block `at`, stored.
template <DType W, int TOKENS>
__device__ __forceinline__ void multiply_tile(const Call &call, const uint3 &at) {
    constexpr int PARTS = TOKENS / PART_TOKENS;
    WEFT_SHARED_MEMORY(u8, memory);
    // tiles begin at multiples of 1024 bytes, dynamic shared memory need not
    auto &shared = *reinterpret_cast<Layout<W, TOKENS> *>(memory + (-shared_address(memory) & 1023u));
    const Tile tile = tile_of(call, TOKENS, at);
    if (tile.tokens <= 0) {
        return;
    }
    const Matrix w = matrix_of<W>(call.at[1], tile.matrix);
    const int first_row = static_cast<int>(at.y) * OUTPUTS;
    const int row = first_row + warp_id() * ROWS * ROW_STEP;
    const int blocks = w.blocks();
    if constexpr (W == F4_E2M1) {
        if (threadIdx.x < SHIFTS * MAGNITUDES) {
            shared.magnitudes[threadIdx.x] = shifted_magnitude(static_cast<int>(threadIdx.x));
        }
    }
    const Fetch<W, TOKENS> fetch(tile, w, first_row);
    for (int block = 0; block < STAGES - 1; block++) {
        fetch.begin(shared.stage[block], block);
    }
    TokenScale token(tile, blocks);
    token.load(0);
    Scales<W, ROWS> next(w, W == F8_E4M3 ? first_row : row);  // 128 rows of E4M3 have one
    next.load(0);
    // Stores what a block of K takes out of the sums of a token, and begins to load that of the next one.
    const auto put_exponents = [&](int block) {
        if (threadIdx.x < TOKENS) {
            shared.exponents[block % 2][threadIdx.x] =
                token.exponent() + (W == F8_E4M3 ? scale_exponent(next.byte[0]) : 0);
        }
        token.load(block + 1);
        if constexpr (W == F8_E4M3) {
            next.load(block + 1);
        }
    };
    put_exponents(0);
    FragmentSums<ROWS> totals[TOKENS / FRAGMENT_TOKENS] = {};
    FragmentSums<ROWS> sums[PARTS][PART_FRAGMENTS] = {};
    for (int block = 0; block < blocks; block++) {
        const Stage<W, TOKENS> &stage = shared.stage[block % STAGES];
        const i32 *exponents = shared.exponents[block % 2];
        const RowScales<W> scales(next.byte);
        if constexpr (W == F4_E2M1) {
            next.load(block + 1);
        }
        wait_copies<STAGES - 2>();
        fence_async_proxy();
        __syncthreads();
#pragma unroll
        for (int part = 0; part < PARTS; part++) {
            hold(sums[part]);
        }
        u32 a[STEPS][4];  // each its own registers until the wait
#pragma unroll
        for (int part = 0; part < PARTS; part++) {
#pragma unroll
            for (int s = 0; s < STEPS; s++) {
                if (part == 0) {  // while products of the steps before are formed
                    read_weights(a[s], shared, stage, s, scales);
                    wgmma_fence();
                }
                wgmma_e4m3(sums[part], a[s], wgmma_descriptor(stage.tokens[part * PART_TOKENS], s), s > 0);
            }
            wgmma_commit();
        }
        // what does not wait for the products is done while they are formed
        fetch.begin(shared.stage[(block + STAGES - 1) % STAGES], block + STAGES - 1);
        put_exponents(block + 1);
        bool plain = scales.are_plain();
#pragma unroll
        for (int i = 0; i < TOKENS; i += WARP) {
            plain = plain && is_plain(exponents[i + lane_id()]);
        }
        plain = __all_sync(ALL_LANES, plain);
        const auto finish = [&](int part) {
            hold(sums[part]);
            FragmentSums<ROWS> *to = totals + part * PART_FRAGMENTS;
            if (plain) {
                promote<W, true>(sums[part], exponents + part * PART_TOKENS, scales, to);
            } else {
                promote<W, false>(sums[part], exponents + part * PART_TOKENS, scales, to);
            }
        };
        if constexpr (PARTS == 2) {
            wgmma_wait<1>();
            finish(0);
        }
        wgmma_wait<0>();
        finish(PARTS - 1);
    }
    wait_copies<0>();  // of zeros, past the last block
    store(results_of(call, at), tile, row, totals);
}

}  // namespace weft::fp8

#endif
