// Norms with 16-byte loads: a warp or a block per row, which of them depends on the width of the rows alone.
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

}  // namespace

// Attribute of all: eps.
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
