#include "packing.h"

#include <algorithm>
#include <cstring>

namespace weft::packing {

namespace {

int64_t row_bytes(int64_t dtype, int64_t elements) {
    return elements * 4 / values_per_line(dtype);
}

/** Nibbles K0..K7 of a checkpoint dword reordered to K0 K2 K4 K6 K1 K3 K5 K7. */
uint32_t split_pairs(uint32_t v) {
    auto gather_even = [](uint32_t nibbles) {
        nibbles &= 0x0F0F0F0Fu;
        nibbles = (nibbles | nibbles >> 4) & 0x00FF00FFu;
        return (nibbles | nibbles >> 8) & 0xFFFFu;
    };
    return gather_even(v) | gather_even(v >> 4) << 16;
}

/** Copies `size` <= 4 bytes of each row to its dword of a line; places without a row or byte become zero. */
inline void pack_line(const uint8_t *first_row, int64_t step, int64_t rows, int64_t size, bool fp4, uint8_t *target) {
    uint32_t line[ROWS] = {};
    for (int64_t r = 0; r < rows; r++) {
        std::memcpy(&line[r], first_row + r * step, size_t(size));
    }
    if (fp4) {
        for (uint32_t &dword : line) {
            dword = split_pairs(dword);
        }
    }
    std::memcpy(target, line, LINE);
}

void pack_lines(const weft_operand &w, int64_t first_row, int64_t first_k, int64_t count, uint8_t *target) {
    const int64_t rows = std::min(ROWS, w.dims[0] - first_row);
    const int64_t step = row_bytes(w.dtype, w.pitch);
    const int64_t size = row_bytes(w.dtype, count);
    const bool fp4 = w.dtype == WEFT_F4_E2M1;
    auto *from = static_cast<const uint8_t *>(w.data) + row_bytes(w.dtype, first_row * w.pitch + first_k);
    int64_t offset = 0;
    for (; offset + 4 <= size; offset += 4, target += LINE) {
        pack_line(from + offset, step, rows, 4, fp4, target);
    }
    if (offset < size) {
        pack_line(from + offset, step, rows, size - offset, fp4, target);
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

void pack_panel(const weft_operand &w, int64_t first_row, uint8_t *target) {
    int64_t k = w.dims[1];
    if (w.dtype == WEFT_F8_E4M3) {
        // panels do not straddle the 128-row tiles, so one byte serves all 16 rows
        int64_t tiles = ceil_div(k, CHUNK);
        std::memset(target, 0, size_t(header_bytes(w.dtype, k)));
        std::copy_n(static_cast<const uint8_t *>(w.scale) + first_row / 128 * tiles, tiles, target);
        target += header_bytes(w.dtype, k);
    }
    for (int64_t first_k = 0; first_k < k; first_k += CHUNK) {
        int64_t count = std::min(CHUNK, k - first_k);
        if (w.dtype == WEFT_F4_E2M1) {
            pack_fp4_scales(w, first_row, first_k, count, target);
            target += LINE;
        }
        pack_lines(w, first_row, first_k, count, target);
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
