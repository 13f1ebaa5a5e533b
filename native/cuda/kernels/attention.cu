// SparseAttention for every shape: a block is one head of one row.
#include "weft/cuda/key_list.cuh"

using namespace weft;
using namespace weft::attention;

namespace {

constexpr int THREADS = 128;
constexpr int WARPS = THREADS / WARP;

template <class T>
__device__ __forceinline__ void attend(const Call &call) {
    __shared__ const T *keys[BLOCK_KEYS];
    __shared__ float scores[BLOCK_KEYS];
    __shared__ float terms[BLOCK_KEYS];
    WEFT_SHARED_MEMORY(float, numerators);  // [width]
    const i64 row = blockIdx.x;
    const i64 head = blockIdx.y;
    const i64 width = call.at[Q].dims[2];
    const KeyList list = key_list(call, row);
    const T *q = row_of<const T>(call.at[Q], row, head);
    for (i64 c = threadIdx.x; c < width; c += THREADS) {
        numerators[c] = 0;
    }
    float denominator = 0;
    float greatest = -infinity();
    for (i32 first = 0; first < list.count; first += BLOCK_KEYS) {
        const i32 n = min(list.count - first, BLOCK_KEYS);
        for (int j = warp_id(); j < n; j += WARPS) {
            const T *key = list.key<T>(call, first + j);
            float dot = 0;
            for (i64 c = lane_id(); key != nullptr && c < width; c += WARP) {
                dot = fmaf(to_float(q[c]), to_float(key[c]), dot);
            }
            dot = warp_sum(dot);
            if (lane_id() == 0) {
                keys[j] = key;
                scores[j] = key == nullptr ? -infinity() : dot * scale(call);
            }
        }
        __syncthreads();
        float maximum = greatest;
        for (int j = 0; j < n; j++) {
            maximum = fmaxf(maximum, scores[j]);
        }
        for (int j = threadIdx.x; j < n; j += THREADS) {
            terms[j] = keys[j] == nullptr ? 0 : expf(scores[j] - maximum);
        }
        __syncthreads();
        const float kept = greatest == -infinity() ? 0 : expf(greatest - maximum);
        greatest = maximum;
        denominator *= kept;
        for (int j = 0; j < n; j++) {
            denominator += terms[j];
        }
        for (i64 c = threadIdx.x; c < width; c += THREADS) {
            float sum = numerators[c] * kept;
            for (int j = 0; j < n; j++) {
                if (keys[j] != nullptr) {
                    sum = fmaf(round_to<T>(terms[j]), to_float(keys[j][c]), sum);
                }
            }
            numerators[c] = sum;
        }
        __syncthreads();  // the next block's keys and scores overwrite this one's
    }
    if (list.count == 0) {
        return;
    }
    // the sink may exceed every score
    const float sink = static_cast<const float *>(call.at[SINK].data)[head];
    const float most = fmaxf(greatest, sink);
    const float shrink = expf(greatest - most);
    denominator = denominator * shrink + expf(sink - most);
    T *y = row_of<T>(result(call), row, head);
    for (i64 c = threadIdx.x; c < width; c += THREADS) {
        store_to(y + c, numerators[c] * shrink / denominator);
    }
}

}  // namespace

// Grid: rows, heads. Attributes: window, ratio, reach, scale. Shared memory: a row of floats.
WEFT_KERNEL(sparse_attention_simple, THREADS) {
    if (call.at[Q].dtype == F32) {
        attend<float>(call);
    } else {
        attend<bf16>(call);
    }
}
