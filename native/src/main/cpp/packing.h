// Order of packed weight matrices, the same at every instruction-set level.
//
// A matrix [N, K] is cut into panels of 16 rows, which lie one after the other; rows past N are zero. A panel is
//   [header]  F8_E4M3 only: one scale byte per 128 K, rounded up to whole lines
//   chunks of 128 K (the last may be shorter), each
//     [scales]  F4_E2M1 only: one line, byte [block of 32][row]
//     lines of 64 bytes: dword r holds the next 1 (F32), 2 (BF16), 4 (F8_E4M3) or 8 (F4_E2M1) values of row r
// The dwords keep the checkpoint's bytes, except that FP4 nibble q holds K = 2q and nibble q + 4 holds K = 2q + 1, so
// that one shift of 16-bit words brings a K pair into place. A panel is one linear stream.
#ifndef WEFT_PACKING_H
#define WEFT_PACKING_H

#include <stdint.h>

#include "weft/weft.h"

namespace weft::packing {

// internal linkage: instruction-set levels must not share inline functions (kernel.h)
#define WEFT_LAYOUT static inline __attribute__((always_inline)) constexpr

constexpr int64_t LINE = 64;
constexpr int64_t ROWS = 16;
constexpr int64_t CHUNK = 128;

/** Values of one row in a line; 0 if the format cannot be packed. */
WEFT_LAYOUT int64_t values_per_line(int64_t dtype) {
    return dtype == WEFT_F32       ? 1
           : dtype == WEFT_BF16    ? 2
           : dtype == WEFT_F8_E4M3 ? 4
           : dtype == WEFT_F4_E2M1 ? 8
                                   : 0;
}

/** K extent that shares a weight scale; for unscaled formats the unit in which sums are formed. */
WEFT_LAYOUT int64_t block(int64_t dtype) {
    return dtype == WEFT_F4_E2M1 ? 32 : CHUNK;
}

WEFT_LAYOUT int64_t ceil_div(int64_t a, int64_t b) {
    return (a + b - 1) / b;
}

WEFT_LAYOUT int64_t header_bytes(int64_t dtype, int64_t k) {
    return dtype == WEFT_F8_E4M3 ? ceil_div(ceil_div(k, CHUNK), LINE) * LINE : 0;
}

/** Bytes of scales in front of a chunk's lines. */
WEFT_LAYOUT int64_t scale_bytes(int64_t dtype) {
    return dtype == WEFT_F4_E2M1 ? LINE : 0;
}

WEFT_LAYOUT int64_t chunk_bytes(int64_t dtype) {
    return scale_bytes(dtype) + CHUNK / values_per_line(dtype) * LINE;
}

WEFT_LAYOUT int64_t panel_bytes(int64_t dtype, int64_t k) {
    return header_bytes(dtype, k) + ceil_div(k, CHUNK) * scale_bytes(dtype) +
           ceil_div(k, values_per_line(dtype)) * LINE;
}

WEFT_LAYOUT int64_t matrix_bytes(int64_t dtype, int64_t n, int64_t k) {
    return ceil_div(n, ROWS) * panel_bytes(dtype, k);
}

#undef WEFT_LAYOUT

/** Matrix `index` of a packed weight: in place, or where its pager keeps it (pager.h; the address table comes first). */
static inline __attribute__((always_inline)) const uint8_t *matrix_at(const weft_operand &w, int64_t index) {
    if (w.scale != nullptr) {
        return (*static_cast<const uint8_t *const *const *>(w.scale))[index];
    }
    return static_cast<const uint8_t *>(w.data) +
           index * matrix_bytes(w.dtype, w.dims[w.rank - 2], w.dims[w.rank - 1]);
}

/** Null if the matrix [N, K] can be packed, else why not. */
const char *unsupported(const weft_operand &w);

/** Name of the layout of a format. */
const char *id(int64_t dtype);

/** Packs a row-major matrix that `unsupported` has nothing against. */
void pack(const weft_operand &w, uint8_t *target);

}  // namespace weft::packing

#endif
