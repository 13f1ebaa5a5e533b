#include "packing.h"

#include <algorithm>
#include <cstring>

namespace weft::packing {

namespace {

int64_t row_bytes(int64_t dtype, int64_t elements) {
    return elements * 4 / values_per_line(dtype);
}

/** Four dwords; GCC makes SSE2 or NEON instructions of it. */
typedef uint32_t Quad __attribute__((vector_size(16)));

/** Nibbles K0..K7 of each checkpoint dword reordered to K0 K2 K4 K6 K1 K3 K5 K7: swaps the middle pairs, then bytes. */
inline Quad split_pairs(Quad v) {
    Quad t = (v ^ v >> 4) & 0x00F000F0u;
    v ^= t ^ t << 4;
    t = (v ^ v >> 8) & 0x0000FF00u;
    return v ^ t ^ t << 8;
}

/** Turns the 4x4 dwords whose rows are q[0..3] on their diagonal. */
inline void transpose(Quad *q) {
    const Quad low01 = __builtin_shuffle(q[0], q[1], Quad{0, 4, 1, 5});
    const Quad low23 = __builtin_shuffle(q[2], q[3], Quad{0, 4, 1, 5});
    const Quad high01 = __builtin_shuffle(q[0], q[1], Quad{2, 6, 3, 7});
    const Quad high23 = __builtin_shuffle(q[2], q[3], Quad{2, 6, 3, 7});
    q[0] = __builtin_shuffle(low01, low23, Quad{0, 1, 4, 5});
    q[1] = __builtin_shuffle(low01, low23, Quad{2, 3, 6, 7});
    q[2] = __builtin_shuffle(high01, high23, Quad{0, 1, 4, 5});
    q[3] = __builtin_shuffle(high01, high23, Quad{2, 3, 6, 7});
}

/** Four lines from the 16 bytes at `offset` of each of 16 rows. */
template <bool FP4>
inline void pack_four_lines(const uint8_t *const *rows, int64_t offset, uint8_t *target) {
    for (int64_t r = 0; r < ROWS; r += 4) {
        Quad q[4];
        for (int64_t i = 0; i < 4; i++) {
            std::memcpy(&q[i], rows[r + i] + offset, sizeof(Quad));
            if (FP4) {
                q[i] = split_pairs(q[i]);
            }
        }
        transpose(q);
        for (int64_t i = 0; i < 4; i++) {
            std::memcpy(target + i * LINE + r * 4, &q[i], sizeof(Quad));
        }
    }
}

/** Whole and partial lines from `size` bytes of each of 16 rows; places without a byte become zero. */
template <bool FP4>
void pack_lines(const uint8_t *const *rows, int64_t size, uint8_t *target) {
    constexpr int64_t step = sizeof(Quad);
    int64_t offset = 0;
    for (; size >= step; size -= step, offset += step, target += 4 * LINE) {
        pack_four_lines<FP4>(rows, offset, target);
    }
    if (size > 0) {
        uint8_t rest[ROWS][step] = {};
        const uint8_t *padded[ROWS];
        uint8_t lines[4 * LINE];
        for (int64_t r = 0; r < ROWS; r++) {
            std::memcpy(rest[r], rows[r] + offset, size_t(size));
            padded[r] = rest[r];
        }
        pack_four_lines<FP4>(padded, 0, lines);
        std::memcpy(target, lines, size_t(ceil_div(size, 4) * LINE));
    }
}

/** The scale line of an FP4 chunk: byte [block][row]; places without a value get 1. */
void pack_fp4_scales(const weft_operand &w, int64_t first_row, int64_t first_k, int64_t count, uint8_t *target) {
    constexpr uint8_t one = 127;
    auto *scales = static_cast<const uint8_t *>(w.scale);
    int64_t per_row = w.dims[1] / 32;
    for (int64_t b = 0; b < CHUNK / 32; b++) {
        for (int64_t r = 0; r < ROWS; r++) {
            bool present = first_row + r < w.dims[0] && 32 * b < count;
            target[b * ROWS + r] = present ? scales[(first_row + r) * per_row + first_k / 32 + b] : one;
        }
    }
}

/** Lines of one chunk; rows past N are zero. */
void pack_chunk(const weft_operand &w, int64_t first_row, int64_t first_k, int64_t count, uint8_t *target) {
    static const uint8_t zeros[CHUNK * sizeof(float)] = {};
    const int64_t step = row_bytes(w.dtype, w.pitch);
    auto *from = static_cast<const uint8_t *>(w.data) + first_row * step + row_bytes(w.dtype, first_k);
    const uint8_t *rows[ROWS];
    for (int64_t r = 0; r < ROWS; r++) {
        rows[r] = first_row + r < w.dims[0] ? from + r * step : zeros;
    }
    auto *lines = w.dtype == WEFT_F4_E2M1 ? pack_lines<true> : pack_lines<false>;
    lines(rows, row_bytes(w.dtype, count), target);
}

void pack_panel(const weft_operand &w, int64_t first_row, uint8_t *target) {
    const int64_t k = w.dims[1];
    if (w.dtype == WEFT_F8_E4M3) {
        // panels do not straddle the 128-row tiles, so one byte serves all 16 rows
        int64_t tiles = ceil_div(k, CHUNK);
        std::memset(target, 0, size_t(header_bytes(w.dtype, k)));
        std::copy_n(static_cast<const uint8_t *>(w.scale) + first_row / 128 * tiles, tiles, target);
        target += header_bytes(w.dtype, k);
    }
    for (int64_t first_k = 0; first_k < k; first_k += CHUNK) {
        const int64_t count = std::min(CHUNK, k - first_k);
        if (w.dtype == WEFT_F4_E2M1) {
            pack_fp4_scales(w, first_row, first_k, count, target);
            target += LINE;
        }
        pack_chunk(w, first_row, first_k, count, target);
        target += ceil_div(count, values_per_line(w.dtype)) * LINE;
    }
}

constexpr int64_t scaling(int64_t rows, int64_t columns) {
    return rows << 32 | columns;
}

}  // namespace

const char *unsupported(const weft_operand &w) {
    if (w.rank != 2) {
        return "only matrices [N, K] are packed";
    }
    switch (w.dtype) {
        case WEFT_F32:
        case WEFT_BF16:
            return w.scaling == 0 ? nullptr : "F32 and BF16 weights have no scales";
        case WEFT_F8_E4M3:
            return w.scaling == scaling(128, 128) ? nullptr : "F8_E4M3 weights need scales per 128x128";
        case WEFT_F4_E2M1:
            if (w.scaling != scaling(1, 32)) {
                return "F4_E2M1 weights need scales per 1x32";
            }
            return w.dims[1] % 32 == 0 ? nullptr : "K of F4_E2M1 weights must be a multiple of 32";
        default:
            return "weights must be F32, BF16, F8_E4M3 or F4_E2M1";
    }
}

const char *id(int64_t dtype) {
    switch (dtype) {
        case WEFT_F32:
            return "panel16/f32";
        case WEFT_BF16:
            return "panel16/bf16";
        case WEFT_F8_E4M3:
            return "panel16/f8_e4m3";
        case WEFT_F4_E2M1:
            return "panel16/f4_e2m1";
        default:
            return "none";
    }
}

void pack(const weft_operand &w, uint8_t *target) {
    int64_t step = panel_bytes(w.dtype, w.dims[1]);
    for (int64_t row = 0; row < w.dims[0]; row += ROWS) {
        pack_panel(w, row, target);
        target += step;
    }
}

}  // namespace weft::packing
