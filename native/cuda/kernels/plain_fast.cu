// Elementwise operators and copies of rows: one thread per run of eight elements of a row.
#include "weft/cuda/vectors.cuh"

using namespace weft;

namespace {

constexpr int THREADS = 256;
constexpr int N = 8;

// Where the thread's run lies; empty behind the last row.
struct Run {
    i64 row;
    i64 column;
    i64 left;

    __device__ __forceinline__ explicit Run(const Rows &y) {
        const i64 runs = ceil_div(y.columns, N);
        row = global_thread() / runs;
        column = global_thread() % runs * N;
        left = row < y.count ? y.columns - column : 0;
    }

    // The same columns of a row of x.
    template <class T>
    __device__ __forceinline__ void load(const Rows &x, i64 i, float (&v)[N]) const {
        const T *from = x.row<const T>(i) + column;
        load_run(from, left, is_aligned(from, 16), v);
    }

    template <class T>
    __device__ __forceinline__ void store(const Rows &y, const float (&v)[N]) const {
        T *to = y.row<T>(row) + column;
        store_run(to, left, is_aligned(to, 16), v);
    }
};

// y = f(a, b).
template <class T, class F>
__device__ __forceinline__ void zip(const Call &call, const F &f) {
    const Rows y = rows_of(call.at[2]);
    const Run run(y);
    if (run.left > 0) {
        float a[N];
        float b[N];
        run.load<T>(rows_of(call.at[0]), run.row, a);
        run.load<T>(rows_of(call.at[1]), run.row, b);
#pragma unroll
        for (int e = 0; e < N; e++) {
            a[e] = f(a[e], b[e]);
        }
        run.store<T>(y, a);
    }
}

// y = x * factor, from one format to another.
template <class T, class U>
__device__ __forceinline__ void map(const Call &call, float factor) {
    const Rows y = rows_of(call.at[1]);
    const Run run(y);
    if (run.left > 0) {
        float v[N];
        run.load<T>(rows_of(call.at[0]), run.row, v);
#pragma unroll
        for (int e = 0; e < N; e++) {
            v[e] *= factor;
        }
        run.store<U>(y, v);
    }
}

// y[i, j, :] = x[i, :].
template <class T>
__device__ __forceinline__ void expand_run(const Call &call) {
    const Rows y = rows_of(call.at[1]);
    const Run run(y);
    if (run.left > 0) {
        float v[N];
        run.load<T>(rows_of(call.at[0]), run.row / y.inner, v);
        run.store<T>(y, v);
    }
}

// y[i, ...] = table[index[i], ...]; an index out of range gives NaN.
template <class T, class U>
__device__ __forceinline__ void gather_run(const Call &call) {
    const Rows y = rows_of(call.at[2]);
    const Run run(y);
    if (run.left > 0) {
        const i64 entry = static_cast<const i32 *>(call.at[1].data)[run.row / y.inner];
        float v[N];
        if (entry >= 0 && entry < call.at[0].dims[0]) {
            run.load<T>(rows_of(call.at[0]), entry * y.inner + run.row % y.inner, v);
        } else {
#pragma unroll
            for (int e = 0; e < N; e++) {
                v[e] = not_a_number();
            }
        }
        run.store<U>(y, v);
    }
}

__device__ __forceinline__ float sum_of(float a, float b) {
    return a + b;
}

__device__ __forceinline__ float product_of(float a, float b) {
    return a * b;
}

}  // namespace

WEFT_KERNEL(add_runs, THREADS) {
    call.at[0].dtype == F32 ? zip<float>(call, sum_of) : zip<bf16>(call, sum_of);
}

WEFT_KERNEL(mul_runs, THREADS) {
    call.at[0].dtype == F32 ? zip<float>(call, product_of) : zip<bf16>(call, product_of);
}

// Attribute: factor.
WEFT_KERNEL(scale_runs, THREADS) {
    const float factor = static_cast<float>(real(call.attribute[0]));
    call.at[0].dtype == F32 ? map<float, float>(call, factor) : map<bf16, bf16>(call, factor);
}

WEFT_KERNEL(cast_runs, THREADS) {
    if (call.at[0].dtype == F32) {
        call.at[1].dtype == F32 ? map<float, float>(call, 1.0f) : map<float, bf16>(call, 1.0f);
    } else {
        call.at[1].dtype == F32 ? map<bf16, float>(call, 1.0f) : map<bf16, bf16>(call, 1.0f);
    }
}

WEFT_KERNEL(expand_runs, THREADS) {
    call.at[0].dtype == F32 ? expand_run<float>(call) : expand_run<bf16>(call);
}

WEFT_KERNEL(gather_runs, THREADS) {
    if (call.at[0].dtype == F32) {
        gather_run<float, float>(call);
    } else {
        call.at[2].dtype == F32 ? gather_run<bf16, float>(call) : gather_run<bf16, bf16>(call);
    }
}
