// Matrices of warps and warpgroups as PTX has them: what the engine does for kernels that were translated from PTX.
#ifndef WEFT_CUDA_PTX_PRODUCTS_H
#define WEFT_CUDA_PTX_PRODUCTS_H

#include "weft/cuda/simt.h"

#pragma GCC visibility push(default)
namespace weft::simt {

/** mma.sync.m16n8: d += a b; k is 16, or 32 of E4M3. */
void multiply_fragments(Factor format, float *d, const unsigned *a, const unsigned *b);

/** ldmatrix: `count` matrices of 8 x 8 values of 16 bits; lane i gives row i % 8 of matrix i / 8. */
void load_matrix_rows(unsigned *out, int count, bool is_transposed, const void *row);

/** wgmma.mma_async.m64 with A in registers. */
struct Product {
    Factor format;
    int columns;
    float *sums;  // columns / 2 of this thread
    const unsigned *a[4];
    unsigned long long b;  // descriptor of shared memory
    bool adds;             // to the sums; else they begin with 0
    int sign_a, sign_b;    // 1 or -1
    int b_is_transposed;
    unsigned long long shared;  // where address 0 of shared memory lies
};

/** A kernel with such products begins: who stores to shared memory is noted. */
void expect_products();
/** wgmma.fence */
void begin_products();
void begin_product(const Product &product);
void commit_products();
void wait_products(int pending);

/** After each store to shared memory. */
void mark_store(unsigned long long address, unsigned bytes);
/** fence.proxy.async: products may read what this thread has stored. */
void fence_products();

}  // namespace weft::simt
#pragma GCC visibility pop

#endif
