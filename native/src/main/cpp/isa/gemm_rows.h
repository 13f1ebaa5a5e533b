// Activations in the form the inner kernels read (gemm.h, Rows).
#ifndef WEFT_GEMM_ROWS_H
#define WEFT_GEMM_ROWS_H

#include "isa/gemm.h"

namespace weft::WEFT_ISA::gemm {

/** x of a call as `groups` matrices [rows, k]; row r of group g begins at element r * step + g * k. */
struct Source {
    const uint8_t *data;
    const uint8_t *codes;  // E8M0 per 128 K, those of a row's groups behind each other; null unless FP8
    int64_t dtype;
    int64_t rows;
    int64_t groups;
    int64_t step;
    int64_t k;
    bool dot;  // for dot_kernel
};

/** Scratch bytes for the rows; 0 if the kernel reads them in place. */
int64_t converted_bytes(const Source &source);

/** Rows of a group from `first_row` on, which begin a block. */
Rows rows_at(const Source &source, uint8_t *scratch, int64_t group, int64_t first_row);

/** Whether convert() has work to do. */
bool converts(const Source &source);

/** Fills [first_k, end_k) of the block of `count` rows; both a multiple of 128 unless end_k is k. */
void convert(const Source &source, uint8_t *scratch, int64_t group, int64_t first_row, int64_t count, int64_t first_k,
             int64_t end_k);

}  // namespace weft::WEFT_ISA::gemm

#endif
