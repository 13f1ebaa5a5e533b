// Norms, the Hadamard rotation and rotary embedding with 16-byte loads. A norm gives a warp or a block to a row, which of
// them depends on the width of the rows alone.
#include "weft/cuda/norm_rows.cuh"
#include "weft/cuda/rotary.cuh"

using namespace weft;

namespace {

constexpr int THREADS = TEAM_THREADS;
constexpr int N = RUN;

// ---- rotary: a block has the angles of one position and turns some of its heads by them

constexpr int ROTARY_THREADS = 128;
constexpr int ROTARY_HEADS = 8;

template <class T>
__device__ __forceinline__ void turn_heads(const Call &call, SineCosine *angles) {
    const Rows x = rows_of(call.at[0]);
    const Rows y = rows_of(call.at[2]);
    const float *frequencies = static_cast<const float *>(call.table[0]);
    const i64 groups = ceil_div(x.inner, ROTARY_HEADS);
    const i64 position = blockIdx.x / groups;
    const i64 first_head = blockIdx.x % groups * ROTARY_HEADS;
    const i64 heads = min(x.inner - first_head, static_cast<i64>(ROTARY_HEADS));
    const i64 first = x.columns - call.attribute[0];
    const float p = static_cast<float>(static_cast<const i32 *>(call.at[1].data)[position]);
    for (i64 pair = threadIdx.x; pair < call.attribute[0] / 2; pair += ROTARY_THREADS) {
        const SineCosine t = sine_and_cosine(p * frequencies[pair]);
        angles[pair] = {call.attribute[1] != 0 ? -t.sine : t.sine, t.cosine};
    }
    __syncthreads();
    const i64 runs = x.columns / N;
    for (i64 item = threadIdx.x; item < heads * runs; item += ROTARY_THREADS) {
        const i64 row = position * x.inner + first_head + item / runs;
        const i64 c = item % runs * N;
        const T *from = x.row<const T>(row) + c;
        float v[N];
        load_run(from, N, is_aligned(from, 16), v);
        if (c >= first) {
#pragma unroll
            for (int e = 0; e < N; e += 2) {
                rotate_pair(v[e], v[e + 1], angles[(c - first + e) / 2]);
            }
        }
        T *to = y.row<T>(row) + c;
        store_run(to, N, is_aligned(to, 16), v);
    }
}

}  // namespace

// Attribute of the norms: eps.
WEFT_KERNEL(rms_norm_warp, THREADS) {
    rms_norm<false>(call, global_thread() / WARP);
}

WEFT_KERNEL(rms_norm_block, THREADS) {
    rms_norm<true>(call, blockIdx.x);
}

WEFT_KERNEL(head_norm_warp, THREADS) {
    head_norm<false>(call, global_thread() / WARP);
}

WEFT_KERNEL(head_norm_block, THREADS) {
    head_norm<true>(call, blockIdx.x);
}

WEFT_KERNEL(hadamard_128, THREADS) {
    weft::hadamard_128(call, global_thread() / WARP);
}

// Attributes: rotated lanes, whether backwards; table 0: frequencies. Shared memory: a SineCosine per pair.
WEFT_KERNEL(rotary_heads, ROTARY_THREADS) {
    WEFT_SHARED_MEMORY(SineCosine, angles);
    call.at[0].dtype == F32 ? turn_heads<float>(call, angles) : turn_heads<bf16>(call, angles);
}
