// What the three matrix products share with their inner kernels.
#ifndef WEFT_GEMM_H
#define WEFT_GEMM_H

#include <stdint.h>

#include "isa/simd.h"
#include "kernel.h"
#include "packing.h"

namespace weft::WEFT_ISA::gemm {

using packing::CHUNK;
using packing::LINE;
using packing::ROWS;

/** Tallest tile of dot_kernel; its sums with decoded weights fit the registers. */
constexpr int DOT_TILE = 8;

/** The same of float_kernel. */
#if defined(__AVX512F__)
constexpr int FLOAT_TILE = 8;
#elif defined(__AVX2__)
constexpr int FLOAT_TILE = 6;
#elif defined(__aarch64__)
constexpr int FLOAT_TILE = 5;
#else
constexpr int FLOAT_TILE = 2;
#endif

/**
 * Activations of one block in the form an inner kernel reads.
 *
 * Tiles of rows, cut as for_tiles<FLOAT_TILE> or for_tiles<DOT_TILE> cuts the block. A tile of rows [a, b) begins at
 * a * stride and holds [K][row] of F32 for float_kernel, [K pair][row] of BF16 for dot_kernel; so each tile is one linear
 * stream, and a tile of one row is the row itself.
 *
 * At the aarch64 levels dot_kernel reads tiles [K quad][row] of BF16 (neonbf16) or FP16 (neon), always without scales.
 *
 * `codes` are the E8M0 scales of FP8 rows, one per 128 K, null for other formats. The rows of a BF16 tile contain their
 * scales already if folded() says so for all of them; otherwise they are packed as tiles of one row each, those for
 * which folded() does not hold without their scales.
 */
struct Rows {
    const void *data;
    int64_t stride;
    int64_t element_bytes;
    const uint8_t *codes;
    int64_t codes_stride;
    int64_t k;

    Rows from(int64_t row) const {
        Rows rows = *this;
        rows.data = static_cast<const uint8_t *>(data) + row * stride * element_bytes;
        rows.codes = codes == nullptr ? nullptr : codes + row * codes_stride;
        return rows;
    }

    /**
     * Whether the first `count` rows have scales between 2^-40 and 2^40 only. Scaled E4M3 values are normal BF16
     * numbers then, and so are all sums of their products with FP4 and FP8 weights: multiplying by powers of two before
     * or after gives the same bits. With BF16 weights it could differ below 2^-126, so the choice is each row's own.
     */
    bool folded(int64_t count) const {
        constexpr uint8_t least = 127 - 40;
        constexpr uint8_t range = 80;
        int outside = 0;
        for (int64_t row = 0; row < count && codes != nullptr; row++) {
            for (int64_t b = 0; b < packing::ceil_div(k, CHUNK); b++) {
                outside |= (uint8_t)(codes[row * codes_stride + b] - least) > range;
            }
        }
        return outside == 0;
    }
};

/** Where results go. */
struct Out {
    void *data;
    int64_t pitch;
    int64_t dtype;
};

/** A piece of one product, computed by one thread: `rows` rows times `columns` rows of the weight matrix. */
struct Block {
    const uint8_t *panels;  // first panel
    int64_t columns;        // of the matrix, from the first panel on; the last panel may be partly filled
    int64_t k;
    Rows x;
    int64_t rows;
    Out out;
};

using BlockFn = void (*)(const Block &block);

/** Multiplies F32 activations by packed weights of a format. */
BlockFn float_kernel(int64_t weight_dtype);

/**
 * Multiplies tiles of 16-bit activations with F32 sums, products being exact unless both operands are BF16; null if the
 * level has no such instruction for the formats.
 */
BlockFn dot_kernel(int64_t x_dtype, int64_t weight_dtype);

/** Rows that a block should not exceed, so that they stay in the second-level cache. */
constexpr int64_t BLOCK_ROWS = 64;

/**
 * Asks for a line that will be read soon: decoding works long enough on a line for the processor's own prefetching to
 * fall back. The more panels are read side by side, the nearer: measured, 2 KiB on their way are best for two and for
 * four of them. The address may lie behind the matrix, for a prefetch never faults.
 */
template <int PANELS>
WEFT_INLINE void prefetch_weights(const uint8_t *line) {
    __builtin_prefetch(line + 2048 / PANELS);
}

WEFT_INLINE int64_t minimum(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/** Writes `count` <= 16 sums of one row, rounded once to the result's dtype. */
WEFT_INLINE void write(const Out &out, int64_t row, int64_t column, const float *sums, int64_t count) {
    int64_t at = row * out.pitch + column;
    for (int64_t i = 0; i < count; i += W) {
        const vf v = load(sums + i);
        const int64_t n = count - i;
        if (out.dtype == WEFT_F32) {
            auto *to = static_cast<float *>(out.data) + at + i;
            n >= W ? store(to, v) : store_tail(to, v, n);
        } else {
            auto *to = static_cast<uint16_t *>(out.data) + at + i;
            n >= W ? store_bf16(to, v) : store_bf16_tail(to, v, n);
        }
    }
}

/**
 * Calls f with an integral constant for n in [1, N]: tiles need their number of rows at compile time, so that all their
 * sums stay in registers.
 */
template <int N>
struct Constant {
    static constexpr int value = N;
};

template <int N, class F>
WEFT_INLINE void with_constant(int64_t n, const F &f) {
    if constexpr (N > 1) {
        if (n < N) {
            with_constant<N - 1>(n, f);
            return;
        }
    }
    f(Constant<N>{});
}

/**
 * Cuts [0, rows) into tiles of at most N rows and calls f(first row, Constant<height>): full ones, and at the end two
 * halves instead of a full one and a very low one, whose few sums could not hide the latency of their chains.
 */
template <int N, class F>
WEFT_INLINE void for_tiles(int64_t rows, const F &f) {
    for (int64_t begin = 0; begin < rows;) {
        const int64_t left = rows - begin;
        const int64_t height = left <= N ? left : left < N + N / 2 ? (left + 1) / 2 : N;
        with_constant<N>(height, [&](auto constant) { f(begin, constant); });
        begin += height;
    }
}

}  // namespace weft::WEFT_ISA::gemm

#endif
