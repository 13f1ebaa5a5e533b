// RingWrite, and the compressor. A block of threads is one row of the step.
#include "weft/cuda/compress_row.cuh"
#include "weft/cuda/ring.cuh"

using namespace weft;

namespace {

constexpr int RING_THREADS = 128;

}  // namespace

// Grid: rows.
WEFT_KERNEL(ring_write, RING_THREADS) {
    ring::write_row(call, blockIdx.x);
}

using namespace weft::compressor;

namespace {

constexpr int SIMPLE_THREADS = 256;

// Softmax over the rows and weighted sum of one channel: maximum first.
__device__ __forceinline__ float weighted_mean(const Call &call, const Entry &e, i64 c) {
    float most = -infinity();
    for (i32 t = 0; t < e.rows; t++) {
        const Source s = source(call, e, t);
        most = fmaxf(most, s.z[c] + s.ape[c]);
    }
    float sum = 0;
    float weighted = 0;
    for (i32 t = 0; t < e.rows; t++) {
        const Source s = source(call, e, t);
        const float term = expf(s.z[c] + s.ape[c] - most);
        sum += term;
        weighted = fmaf(term, s.k[c], weighted);
    }
    return weighted / sum;
}

}  // namespace

// Grid: rows. One thread per channel. Attributes: ratio, overlap, rotated lanes, epsilon, form; table 0: frequencies.
// Shared memory: an entry.
WEFT_KERNEL(compress_simple, SIMPLE_THREADS) {
    WEFT_SHARED_MEMORY(float, entry);
    const i64 row = blockIdx.x;
    if (!ends_entry(call, row)) {
        return;
    }
    const Entry e = entry_of_row(call, row);
    if (e.index < 0) {
        return;
    }
    for (i64 c = threadIdx.x; c < call.at[CACHE].dims[2]; c += SIMPLE_THREADS) {
        entry[c] = weighted_mean(call, e, c);
    }
    __syncthreads();
    finish(call, e, entry);
}

// Grid: rows. Shared memory and attributes: see compress_row.
WEFT_KERNEL(compress, COMPRESS_THREADS) {
    WEFT_SHARED_MEMORY(float, memory);
    compress_row(call, blockIdx.x, memory);
}
