// Softmax, top-k and the draw of a token, one block per row.
#include "weft/cuda/top_k_wide.cuh"
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

// Rank words of a row in shared memory, `sorted` of them with zeros behind the chosen ones, to values and columns in order.
template <class T>
__device__ __forceinline__ void store_sorted(const Call &call, i64 i, u64 *words) {
    const int k = static_cast<int>(call.attribute[0]);
    __syncthreads();
    sort_falling(words, static_cast<int>(call.attribute[1]));
    const T *row = at_index<const T>(call.at[0], i);
    T *values = at_index<T>(call.at[1], i);
    i32 *columns = at_index<i32>(call.at[2], i);
    for (int place = static_cast<int>(threadIdx.x); place < k; place += static_cast<int>(blockDim.x)) {
        const u32 j = index_of(words[place]);
        values[place] = row[j];
        columns[place] = static_cast<i32>(j);
    }
}

__device__ __forceinline__ void pad_words(const Call &call, u64 *words) {
    for (i64 place = call.attribute[0] + threadIdx.x; place < call.attribute[1]; place += blockDim.x) {
        words[place] = 0;
    }
}

// The keys of row i.
template <class T>
struct Keys {
    const T *row;

    __device__ __forceinline__ Keys(const Call &call, i64 i) : row(at_index<const T>(call.at[0], i)) {}

    __device__ __forceinline__ u32 operator()(int j) const {
        return order_key(to_float(row[j]));
    }
};

template <class T>
__device__ __forceinline__ void top_k_row(const Call &call, u64 *words, RadixShared<u32> &shared) {
    const Keys<T> key(call, blockIdx.x);
    const int n = static_cast<int>(call.at[0].dims[1]);
    pad_words(call, words);
    each_picked(
        n, top_cut(n, static_cast<int>(call.attribute[0]), key, shared), key,
        [&](u32 place, int j, u32 picked) { words[place] = rank_word(picked, j); }, shared);
    store_sorted<T>(call, blockIdx.x, words);
}

__device__ __forceinline__ WideRow wide_row(const Call &call, i64 i) {
    const i64 n = call.at[0].dims[1];
    return WideRow(call.workspace, i, n, n, call.attribute[0]);
}

template <class T>
__device__ __forceinline__ void top_k_part(const Call &call, RadixShared<u32> &shared) {
    const i64 parts = ceil_div(call.at[0].dims[1], PART);
    const i64 i = blockIdx.x / parts;
    wide_part(wide_row(call, i), static_cast<int>(blockIdx.x % parts), Keys<T>(call, i), shared);
}

template <class T>
__device__ __forceinline__ void top_k_choose(const Call &call, u64 *words, RadixShared<u32> &shared) {
    pad_words(call, words);
    wide_pick(wide_row(call, blockIdx.x), [&](u32 place, u64 word) { words[place] = word; }, shared);
    store_sorted<T>(call, blockIdx.x, words);
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

// Bins of a digit that lanes count in beside each other, as many as fit on every chip. SelectOps knows it.
constexpr int COPIES = 4;

// Masses by the highest digit. Most ids share a few digits, and an atomic sum of 64 bits is a loop in which one thread of those that
// want the same bin succeeds at a time.
template <class K>
__device__ __forceinline__ void count_coarse(int n, const K &key, const Masses &masses, u64 *copies, u64 *bins) {
    for (u32 i = threadIdx.x; i < COPIES * MOST_BINS; i += blockDim.x) {
        copies[i] = 0;
    }
    __syncthreads();
    u64 *own = copies + lane_id() % COPIES;
    each_key(n, key, [&](int, u32 k) {
        const u64 mass = masses(k);
        if (mass != 0) {
            atomicAdd(&own[(k >> digit_shift(0)) * COPIES], mass);
        }
    });
    __syncthreads();
    for (u32 bin = threadIdx.x; bin < MOST_BINS; bin += blockDim.x) {
        u64 sum = 0;
#pragma unroll
        for (int copy = 0; copy < COPIES; copy++) {
            sum += copies[bin * COPIES + copy];
        }
        bins[bin] = sum;
    }
    __syncthreads();
}

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

__device__ __forceinline__ u32 draw(const Call &call, Drawing &shared, u64 *copies) {
    const i64 i = blockIdx.x;
    const float *row = at_index<const float>(call.at[0], i);
    const int n = static_cast<int>(call.at[0].dims[1]);
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
    count_coarse(n, key, masses, copies, shared.coarse);
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

// Attributes of top-k: k, the power of two that is not below k. Shared memory: so many words.
WEFT_KERNEL(top_k_rows, WIDE_THREADS) {
    WEFT_SHARED_MEMORY(u64, words);
    __shared__ RadixShared<u32> shared;
    call.at[0].dtype == F32 ? top_k_row<float>(call, words, shared) : top_k_row<bf16>(call, words, shared);
}

WEFT_KERNEL(top_k_parts, WIDE_THREADS, 1) {
    __shared__ RadixShared<u32> shared;
    call.at[0].dtype == F32 ? top_k_part<float>(call, shared) : top_k_part<bf16>(call, shared);
}

WEFT_KERNEL(top_k_pick, WIDE_THREADS) {
    WEFT_SHARED_MEMORY(u64, words);
    __shared__ RadixShared<u32> shared;
    call.at[0].dtype == F32 ? top_k_choose<float>(call, words, shared) : top_k_choose<bf16>(call, words, shared);
}

// Shared memory: COPIES of the bins of a digit.
WEFT_KERNEL(sample_rows, WIDE_THREADS) {
    WEFT_SHARED_MEMORY(u64, copies);
    __shared__ Drawing shared;
    const u32 id = draw(call, shared, copies);
    if (threadIdx.x == 0) {
        static_cast<i32 *>(call.at[4].data)[blockIdx.x] = static_cast<i32>(id);
    }
}
