// Norms, the Hadamard rotation and rotary embedding with 16-byte loads. A norm gives a warp or a block to a row, which of
// them depends on the width of the rows alone.
#include "weft/cuda/rotary.cuh"
#include "weft/cuda/vectors.cuh"

using namespace weft;

namespace {

constexpr int THREADS = 256;
constexpr int N = 8;  // values of a run

// The threads that share a row: the warp or the block.
template <bool BLOCK>
struct Team {
    i64 row;
    int member;

    static constexpr int SIZE = BLOCK ? THREADS : WARP;

    __device__ __forceinline__ Team()
        : row(BLOCK ? blockIdx.x : global_thread() / WARP), member(BLOCK ? static_cast<int>(threadIdx.x) : lane_id()) {}

    __device__ __forceinline__ float sum(float x) const {
        return BLOCK ? block_sum(x) : warp_sum(x);
    }

    // Sum of f over the row.
    template <class T, class F>
    __device__ __forceinline__ float row_sum(const T *x, i64 columns, const F &f) const {
        const bool aligned = is_aligned(x, 16);
        float total = 0;
        for (i64 c = member * N; c < columns; c += SIZE * N) {
            float v[N];
            load_run(x + c, columns - c, aligned, v);
#pragma unroll
            for (int e = 0; e < N; e++) {
                total += f(v[e]);
            }
        }
        return sum(total);
    }
};

__device__ __forceinline__ float inverse_root(float x) {
    return 1.0f / sqrtf(x);
}

// Calls f(v, c) with runs of the row and stores what it leaves in v.
template <class TEAM, class T, class F>
__device__ __forceinline__ void map_row(const TEAM &team, const T *x, T *y, i64 columns, const F &f) {
    const bool x_aligned = is_aligned(x, 16);
    const bool y_aligned = is_aligned(y, 16);
    for (i64 c = team.member * N; c < columns; c += TEAM::SIZE * N) {
        float v[N];
        load_run(x + c, columns - c, x_aligned, v);
        f(v, c);
        store_run(y + c, columns - c, y_aligned, v);
    }
}

template <bool BLOCK, class T, class W>
__device__ __forceinline__ void rms_norm_row(const Call &call) {
    const Team<BLOCK> team;
    const Rows x = rows_of(call.at[0]);
    const Rows y = rows_of(call.at[2]);
    if (team.row >= x.count) {
        return;
    }
    const W *w = static_cast<const W *>(call.at[1].data);
    const T *from = x.row<const T>(team.row);
    const float squares = team.row_sum(from, x.columns, [](float v) { return v * v; });
    const float factor = inverse_root(squares / static_cast<float>(x.columns) + static_cast<float>(real(call.attribute[0])));
    const bool aligned = is_aligned(w, 16);
    map_row(team, from, y.row<T>(team.row), x.columns, [&](float (&v)[N], i64 c) {
        float weights[N];
        load_run(w + c, x.columns - c, aligned, weights);
#pragma unroll
        for (int e = 0; e < N; e++) {
            v[e] = weights[e] * (v[e] * factor);
        }
    });
}

template <bool BLOCK>
__device__ __forceinline__ void rms_norm_typed(const Call &call) {
    const bool wide = call.at[1].dtype == F32;
    if (call.at[0].dtype == F32) {
        wide ? rms_norm_row<BLOCK, float, float>(call) : rms_norm_row<BLOCK, float, bf16>(call);
    } else {
        wide ? rms_norm_row<BLOCK, bf16, float>(call) : rms_norm_row<BLOCK, bf16, bf16>(call);
    }
}

template <bool BLOCK, class T>
__device__ __forceinline__ void head_norm_row(const Call &call) {
    const Team<BLOCK> team;
    const Rows x = rows_of(call.at[0]);
    const Rows y = rows_of(call.at[1]);
    if (team.row >= x.count) {
        return;
    }
    const T *from = x.row<const T>(team.row);
    // with BF16 every intermediate result is a BF16 tensor in the publisher's code
    const float squares = team.row_sum(from, x.columns, [](float v) { return round_to<T>(v * v); });
    const float mean = round_to<T>(squares / static_cast<float>(x.columns));
    const float factor = round_to<T>(inverse_root(round_to<T>(mean + static_cast<float>(real(call.attribute[0])))));
    map_row(team, from, y.row<T>(team.row), x.columns, [&](float (&v)[N], i64) {
#pragma unroll
        for (int e = 0; e < N; e++) {
            v[e] *= factor;
        }
    });
}

template <bool BLOCK>
__device__ __forceinline__ void head_norm_typed(const Call &call) {
    call.at[0].dtype == F32 ? head_norm_row<BLOCK, float>(call) : head_norm_row<BLOCK, bf16>(call);
}

// ---- Hadamard: rows of 128 in a warp, four neighbours in a lane

template <class T>
__device__ __forceinline__ void hadamard_row(const Call &call) {
    const Rows x = rows_of(call.at[0]);
    const i64 i = global_thread() / WARP;
    if (i >= x.count) {
        return;
    }
    const T *from = x.row<const T>(i) + 4 * lane_id();
    float v[4];
    load_run(from, 4, is_aligned(from, 4 * sizeof(T)), v);
    const float a[4] = {v[0] + v[1], v[0] - v[1], v[2] + v[3], v[2] - v[3]};
    v[0] = a[0] + a[2];
    v[1] = a[1] + a[3];
    v[2] = a[0] - a[2];
    v[3] = a[1] - a[3];
#pragma unroll
    for (int stride = 1; stride < WARP; stride *= 2) {
        const bool upper = (lane_id() & stride) != 0;
#pragma unroll
        for (int e = 0; e < 4; e++) {
            const float other = __shfl_xor_sync(ALL_LANES, v[e], stride);
            v[e] = upper ? other - v[e] : v[e] + other;
        }
    }
    constexpr float FACTOR = 0x1.6a09e6p-4f;  // 128^-0.5
#pragma unroll
    for (int e = 0; e < 4; e++) {
        v[e] *= FACTOR;
    }
    T *to = rows_of(call.at[1]).row<T>(i) + 4 * lane_id();
    store_run(to, 4, is_aligned(to, 4 * sizeof(T)), v);
}

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
    rms_norm_typed<false>(call);
}

WEFT_KERNEL(rms_norm_block, THREADS) {
    rms_norm_typed<true>(call);
}

WEFT_KERNEL(head_norm_warp, THREADS) {
    head_norm_typed<false>(call);
}

WEFT_KERNEL(head_norm_block, THREADS) {
    head_norm_typed<true>(call);
}

WEFT_KERNEL(hadamard_128, THREADS) {
    call.at[0].dtype == F32 ? hadamard_row<float>(call) : hadamard_row<bf16>(call);
}

// Attributes: rotated lanes, whether backwards; table 0: frequencies. Shared memory: a SineCosine per pair.
WEFT_KERNEL(rotary_heads, ROTARY_THREADS) {
    WEFT_SHARED_MEMORY(SineCosine, angles);
    call.at[0].dtype == F32 ? turn_heads<float>(call, angles) : turn_heads<bf16>(call, angles);
}
