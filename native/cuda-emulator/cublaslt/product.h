// A product of matrices, and the algorithm that was chosen for it.
#pragma once

#include "world.h"

namespace weft::cublaslt {

/** D = op(A) op(B), everything column-major. */
struct Product {
    Layout a, b, d;
    Attributes operation;
    int compute, scale;

    uint64_t outputs() const { return d.rows; }
    uint64_t tokens() const { return d.columns; }
    uint64_t inputs() const { return operation.get(TRANSA) == OP_T ? a.rows : a.columns; }
    bool is_fp8() const { return a.type == R_8F_E4M3; }
    /** All that an algorithm depends on, as a number. */
    uint64_t identity() const;
};

/** What stands in a cublasLtMatmulAlgo_t. */
struct Algorithm {
    uint64_t magic, product, workspace, alignments, unused[4];

    /** Least alignment of operand 0 to 3, A to D. */
    uint64_t alignment(int operand) const { return alignments >> 16 * operand & 0xFFFF; }
};
static_assert(sizeof(Algorithm) == 64);
constexpr uint64_t MAGIC = 0x77656674'416C676Full;

/** The algorithm for a product. Under the lock. @param sm compute capability times ten of the device */
int choose(const Product &product, const Preference &preference, int sm, Algorithm &out);

/** Where a product's matrices are, addresses of the device. */
struct Places {
    uint64_t a, b, d, a_scales, b_scales, workspace;
};

/** Carries it out, on the thread of a stream. */
void carry_out(const Product &product, const Algorithm &algorithm, const Places &at, float alpha);

}  // namespace weft::cublaslt
