// Muon's orthogonalisation on small matrices in the workspace: F64 sums, one thread per element.
#include "weft/cuda/rows.cuh"

using namespace weft;

namespace {

constexpr int THREADS = 256;

__device__ __forceinline__ float round_to_format(double x, i64 dtype) {
    const float rounded = static_cast<float>(x);
    return dtype == BF16 ? round_bf16(rounded) : rounded;
}

__device__ __forceinline__ float *matrix(const Call &call, i64 offset) {
    return static_cast<float *>(call.workspace) + offset;
}

}  // namespace

// The Frobenius norm of g, at least 1e-7, as the first F64 of the workspace. One block. Attribute: format of compute.
WEFT_KERNEL(newton_schulz_norm, THREADS) {
    const Rows g = rows_of(call.at[0]);
    const i64 compute = call.attribute[0];
    double sum = 0;
    for (i64 e = threadIdx.x; e < g.count * g.columns; e += blockDim.x) {
        const double v = round_to_format(g.load(e / g.columns, e % g.columns), compute);
        sum += v * v;
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0) {
        *static_cast<double *>(call.workspace) = fmax(static_cast<double>(round_to_format(sqrt(sum), compute)), 1e-7);
    }
}

// The quotient of g and its norm, wide. Attributes: format of compute, whether g is tall, offset of the result in floats.
WEFT_KERNEL(newton_schulz_begin, THREADS) {
    const Rows g = rows_of(call.at[0]);
    const i64 compute = call.attribute[0];
    const i64 e = global_thread();
    if (e < g.count * g.columns) {
        const i64 i = e / g.columns;
        const i64 c = e % g.columns;
        const float x = round_to_format(g.load(i, c), compute);
        const i64 to = call.attribute[1] != 0 ? c * g.count + i : e;
        matrix(call, call.attribute[2])[to] = round_to_format(x / *static_cast<const double *>(call.workspace), compute);
    }
}

// out = p * c + q * a * b, rounded once; c is not read if p is 0. Attributes: format of compute; p, q; offsets in floats of
// c, a, b and out; rows, columns and length of the sums; distances in b between terms of a sum and between columns.
WEFT_KERNEL(newton_schulz_product, THREADS) {
    const double p = real(call.attribute[1]);
    const double q = real(call.attribute[2]);
    const i64 columns = call.attribute[8];
    const i64 length = call.attribute[9];
    const i64 e = global_thread();
    if (e >= call.attribute[7] * columns) {
        return;
    }
    const float *a = matrix(call, call.attribute[4]) + e / columns * length;
    const float *b = matrix(call, call.attribute[5]) + e % columns * call.attribute[11];
    double sum = 0;
    for (i64 k = 0; k < length; k++) {
        sum += static_cast<double>(a[k]) * b[k * call.attribute[10]];
    }
    const double addend = p == 0 ? 0 : p * matrix(call, call.attribute[3])[e];
    matrix(call, call.attribute[6])[e] = round_to_format(addend + q * sum, call.attribute[0]);
}

// Attributes: whether y is tall, offset of the wide result in floats.
WEFT_KERNEL(newton_schulz_end, THREADS) {
    const Rows y = rows_of(call.at[1]);
    const i64 e = global_thread();
    if (e < y.count * y.columns) {
        const i64 i = e / y.columns;
        const i64 c = e % y.columns;
        const i64 from = call.attribute[0] != 0 ? c * y.count + i : e;
        y.store(i, c, matrix(call, call.attribute[1])[from]);
    }
}
