// The scales of a product as cuBLASLt reads them: F32, for x those of a block of K for all rows one behind another, for w those of
// 128 rows one behind another, their number filled up to a multiple of 4.
#include "weft/cuda/rows.cuh"

using namespace weft;

namespace {

constexpr int THREADS = 256;
constexpr i64 BLOCK = 128;

// Scale of row and block of an operand whose scales lie row by row.
__device__ __forceinline__ float scale_of(const Operand &o, i64 row, i64 block, i64 blocks) {
    return e8m0_to_float(static_cast<const u8 *>(o.scale)[row * blocks + block]);
}

}  // namespace

// Attributes: byte of the scratch memory at which the scales of x begin, and those of w. A thread per number. What fills up is 1,
// for a NaN beside a zero would not be without effect.
WEFT_KERNEL(cublaslt_scales, THREADS) {
    const Operand &x = call.at[0];
    const Operand &w = call.at[1];
    const i64 blocks = ceil_div(w.dims[1], BLOCK);
    const i64 filled = ceil_div(blocks, 4) * 4;
    const i64 rows = rows_of(x).count;
    char *scratch = static_cast<char *>(call.workspace);
    const i64 i = global_thread();
    if (i < rows * blocks) {
        float *of_x = reinterpret_cast<float *>(scratch + call.attribute[0]);
        of_x[i] = scale_of(x, i % rows, i / rows, blocks);
        return;
    }
    const i64 j = i - rows * blocks;
    if (j < filled * ceil_div(w.dims[0], BLOCK)) {
        float *of_w = reinterpret_cast<float *>(scratch + call.attribute[1]);
        of_w[j] = j % filled < blocks ? scale_of(w, j / filled, j % filled, blocks) : 1.0f;
    }
}
