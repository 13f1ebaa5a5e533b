// Softmax, top-k and the draw of a token, one block per row.
#include "weft/cuda/top_k.cuh"
#include "weft/cuda/vectors.cuh"

using namespace weft;

namespace {

constexpr int THREADS = 256;
constexpr int WIDE_THREADS = 1024;

// Calls f(v, c, left) with the runs of the thread's share of a row.
template <class T, class F>
__device__ __forceinline__ void each_run(const T *x, i64 columns, const F &f) {
    constexpr int N = 8;
    const bool aligned = is_aligned(x, 16);
    for (i64 c = static_cast<i64>(threadIdx.x) * N; c < columns; c += static_cast<i64>(blockDim.x) * N) {
        float v[N];
        load_run(x + c, columns - c, aligned, v);
        f(v, c, static_cast<int>(min(columns - c, static_cast<i64>(N))));
    }
}

template <class T>
__device__ __forceinline__ void softmax_row(const Call &call) {
    const Rows x = rows_of(call.at[0]);
    const i64 columns = x.columns;
    const T *from = x.row<const T>(blockIdx.x);
    T *to = rows_of(call.at[1]).row<T>(blockIdx.x);
    const bool aligned = is_aligned(to, 16);
    float most = -infinity();
    float nans = 0;
    each_run(from, columns, [&](const float(&v)[8], i64, int left) {
#pragma unroll
        for (int e = 0; e < 8; e++) {
            if (e < left) {
                most = fmaxf(most, v[e]);
                nans = is_nan(v[e]) ? 1.0f : nans;
            }
        }
    });
    most = block_max(most);
    if (most == -infinity() && block_max(nans) == 0) {
        const float zeros[8] = {};
        each_run(from, columns, [&](const float(&)[8], i64 c, int) { store_run(to + c, columns - c, aligned, zeros); });
        return;
    }
    float sum = 0;
    each_run(from, columns, [&](const float(&v)[8], i64, int left) {
#pragma unroll
        for (int e = 0; e < 8; e++) {
            sum += e < left ? expf(v[e] - most) : 0.0f;
        }
    });
    sum = block_sum(sum);
    each_run(from, columns, [&](float(&v)[8], i64 c, int) {
#pragma unroll
        for (int e = 0; e < 8; e++) {
            v[e] = expf(v[e] - most) / sum;
        }
        store_run(to + c, columns - c, aligned, v);
    });
}

template <class T>
__device__ __forceinline__ void top_k_row(const Call &call, u64 *words) {
    __shared__ RadixShared<u32> shared;
    const i64 i = blockIdx.x;
    const int k = static_cast<int>(call.attribute[0]);
    const int sorted = static_cast<int>(call.attribute[1]);
    const Rows x = rows_of(call.at[0]);
    const T *row = x.row<const T>(i);
    const int n = static_cast<int>(x.columns);
    const auto key = [&](int j) { return order_key(to_float(row[j])); };
    for (int place = k + static_cast<int>(threadIdx.x); place < sorted; place += static_cast<int>(blockDim.x)) {
        words[place] = 0;
    }
    each_picked(
        n, top_cut(n, k, key, shared), key,
        [&](u32 place, int j, u32 picked) { words[place] = rank_word(picked, j); }, shared);
    __syncthreads();
    sort_falling(words, sorted);
    T *values = rows_of(call.at[1]).row<T>(i);
    i32 *columns = rows_of(call.at[2]).row<i32>(i);
    for (int place = static_cast<int>(threadIdx.x); place < k; place += static_cast<int>(blockDim.x)) {
        const u32 j = index_of(words[place]);
        values[place] = row[j];
        columns[place] = static_cast<i32>(j);
    }
}

// ---- the draw. Weights exp(z - max z), z being logit / temperature, are counted in fixed point: sums of integers do not
// depend on their order, so a draw depends on its row alone.

struct Masses {
    double temperature;
    double most;
    double one;  // the weight of the most probable id

    // NaN has none.
    __device__ __forceinline__ u64 operator()(u32 key) const {
        const double z = logit(key) / temperature;
        return z != z || key == 0 ? 0 : z == most ? static_cast<u64>(one) : static_cast<u64>(exp(z - most) * one + 0.5);
    }

    // Keys have the order of probabilities.
    __device__ __forceinline__ double logit(u32 key) const {
        return temperature < 0 ? -value_of(key) : value_of(key);
    }
};

struct Drawing {
    RadixShared<u64> radix;
    u64 coarse[MOST_BINS];
    u32 id;
};

// An id and the mass of all ids up to it.
struct Drawn {
    u32 id;
    u64 mass;
};

// The first id at which the mass of ids in falling order of probability reaches `target`.
template <class K>
__device__ __forceinline__ Drawn reach(int n, u64 target, const K &key, const Masses &masses, Drawing &shared) {
    u64 left = target;
    u32 last = find_digit(0, shared.coarse, left, shared.radix);
    for (int digit = 1; digit < DIGITS; digit++) {
        count_digit(n, digit, last, key, masses, shared.radix.bins);
        last |= find_digit(digit, shared.radix.bins, left, shared.radix);
    }
    // ids with that key have equal masses
    const u64 each = masses(last);
    const u64 ties = (left + each - 1) / each;
    u64 before = 0;
    for (i64 base = 0; base < n && before < ties; base += blockDim.x) {
        const i64 j = base + threadIdx.x;
        const u64 mine = j < n && key(static_cast<int>(j)) == last ? 1 : 0;
        u64 total;
        const u64 ahead = before + block_sum_before(mine, shared.radix.parts, total);
        if (mine != 0 && ahead + 1 == ties) {
            shared.id = static_cast<u32>(j);
        }
        before += total;
    }
    __syncthreads();
    return {shared.id, target - left + ties * each};
}

// The greatest word of the block.
__device__ __forceinline__ u64 block_greatest(u64 x) {
    __shared__ u64 parts[WARP];
    for (int distance = WARP / 2; distance > 0; distance /= 2) {
        x = max(x, __shfl_xor_sync(ALL_LANES, x, distance));
    }
    if (lane_id() == 0) {
        parts[warp_id()] = x;
    }
    __syncthreads();
    for (int warp = 0; warp < static_cast<int>(blockDim.x / WARP); warp++) {
        x = max(x, parts[warp]);
    }
    return x;
}

__device__ __forceinline__ u32 draw(const Call &call, Drawing &shared) {
    const i64 i = blockIdx.x;
    const Rows logits = rows_of(call.at[0]);
    const float *row = logits.row<const float>(i);
    const int n = static_cast<int>(logits.columns);
    const float temperature = static_cast<const float *>(call.at[1].data)[i];
    const double top_p = static_cast<const float *>(call.at[2].data)[i];
    const double uniform = static_cast<const float *>(call.at[3].data)[i];
    const float sign = temperature < 0 ? -1.0f : 1.0f;
    const auto key = [&](int j) { return order_key(sign * row[j]); };
    u64 first = 0;
    bool finite = false;
    each_key(n, key, [&](int j, u32 k) {
        first = max(first, rank_word(k, j));
        finite |= k != 0 && is_finite(value_of(k));
    });
    first = block_greatest(first);
    if (__syncthreads_or(finite ? 1 : 0) == 0) {
        return 0;
    }
    if (temperature == 0) {
        return index_of(first);
    }
    Masses masses = {temperature, 0, static_cast<double>(1LL << (__clzll(n) - 2))};
    masses.most = masses.logit(static_cast<u32>(first >> 32)) / masses.temperature;
    count_digit(n, 0, 0, key, masses, shared.coarse);
    u64 sum = 0;
    for (u32 bin = threadIdx.x; bin < MOST_BINS; bin += blockDim.x) {
        sum += shared.coarse[bin];
    }
    block_sum_before(sum, shared.radix.parts, sum);
    u64 target = 1;
    if (top_p > 0) {
        target = top_p < 1 ? max(static_cast<u64>(ceil(top_p * static_cast<double>(sum))), target) : sum;
    }
    const u64 kept = reach(n, min(target, sum), key, masses, shared).mass;
    const u64 threshold = static_cast<u64>(uniform * static_cast<double>(kept));
    return reach(n, min(threshold + 1, kept), key, masses, shared).id;
}

}  // namespace

WEFT_KERNEL(softmax_rows, THREADS) {
    call.at[0].dtype == F32 ? softmax_row<float>(call) : softmax_row<bf16>(call);
}

// Attributes: k, the power of two that is not below k.
WEFT_KERNEL(top_k_rows, WIDE_THREADS) {
    WEFT_SHARED_MEMORY(u64, words);
    call.at[0].dtype == F32 ? top_k_row<float>(call, words) : top_k_row<bf16>(call, words);
}

WEFT_KERNEL(sample_rows, WIDE_THREADS) {
    __shared__ Drawing shared;
    const u32 id = draw(call, shared);
    if (threadIdx.x == 0) {
        static_cast<i32 *>(call.at[4].data)[blockIdx.x] = static_cast<i32>(id);
    }
}
