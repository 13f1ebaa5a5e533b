// The order that every choice of the model uses (higher value first, equal values by lower index, NaN last), and the choice
// of the first k entries of a row by one block: a radix search for the key at which the choice ends, from the highest digit
// down, and one walk over the row that picks the entries. Nothing depends on the order in which threads run.
#ifndef WEFT_CUDA_TOP_K_CUH
#define WEFT_CUDA_TOP_K_CUH

#include "weft/cuda/rows.cuh"

namespace weft {

// ---- the order

// Word with the order of the values: both zeros alike, NaN below negative infinity.
__device__ __forceinline__ u32 order_key(float x) {
    if (is_nan(x)) {
        return 0;
    }
    const u32 bits = bits_of(x == 0.0f ? 0.0f : x);
    return (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
}

// The value of a key.
__device__ __forceinline__ float value_of(u32 key) {
    return __uint_as_float((key & 0x80000000u) != 0 ? key & 0x7FFFFFFFu : ~key);
}

// Whether entry i of key a comes before entry j of key b.
__device__ __forceinline__ bool ranks_before(u32 a, i64 i, u32 b, i64 j) {
    return a > b || (a == b && i < j);
}

// Key and index in a word that is greater for what comes first.
__device__ __forceinline__ u64 rank_word(u32 key, i64 index) {
    return static_cast<u64>(key) << 32 | ~static_cast<u32>(index);
}

__device__ __forceinline__ u32 index_of(u64 rank_word) {
    return ~static_cast<u32>(rank_word);
}

// The greatest word of the block, for every thread.
__device__ __forceinline__ u64 block_greatest(u64 word) {
    __shared__ u64 parts[WARP];
    for (int distance = WARP / 2; distance > 0; distance /= 2) {
        word = max(word, __shfl_xor_sync(ALL_LANES, word, distance));
    }
    __syncthreads();  // a former one may still be read
    if (lane_id() == 0) {
        parts[warp_id()] = word;
    }
    __syncthreads();
    for (int warp = 0; warp < static_cast<int>(blockDim.x / WARP); warp++) {
        word = max(word, parts[warp]);
    }
    return word;
}

// ---- sums over the block in the order of its threads

// Sum over the threads before this one; `parts` has a place per warp. `total` is that of all.
template <class T>
__device__ __forceinline__ T block_sum_before(T x, T *parts, T &total) {
    T sum = x;
    for (int distance = 1; distance < WARP; distance *= 2) {
        const T other = __shfl_up_sync(ALL_LANES, sum, distance);
        sum += lane_id() >= distance ? other : T{};
    }
    __syncthreads();  // `parts` may still be read
    if (lane_id() == WARP - 1) {
        parts[warp_id()] = sum;
    }
    __syncthreads();
    T before = 0;
    total = 0;
    for (int warp = 0; warp < static_cast<int>(blockDim.x / WARP); warp++) {
        before += warp < warp_id() ? parts[warp] : T{};
        total += parts[warp];
    }
    return before + sum - x;
}

// ---- radix search. T is the type of sums of weights: counts, or the masses of a distribution in fixed point.

constexpr int MOST_BINS = 2048;
constexpr int DIGITS = 3;

// Digits of a key, the highest first: 11, 11 and 10 bits.
__device__ __forceinline__ int digit_shift(int digit) {
    return digit == 0 ? 21 : digit == 1 ? 10 : 0;
}

__device__ __forceinline__ u32 digit_bins(int digit) {
    return digit == 2 ? 1024 : 2048;
}

template <class T>
struct RadixShared {
    T bins[MOST_BINS];
    T parts[WARP];
    T left;
    u32 digit;
};

// Calls f(j, key(j)) for the thread's share of n entries, four loads at a time.
template <class K, class F>
__device__ __forceinline__ void each_key(int n, const K &key, const F &f) {
    constexpr int AT_ONCE = 4;
    const u32 count = static_cast<u32>(n);
    for (u32 first = threadIdx.x; first < count; first += AT_ONCE * blockDim.x) {
        u32 keys[AT_ONCE];
#pragma unroll
        for (int i = 0; i < AT_ONCE; i++) {
            const u32 j = first + i * blockDim.x;
            keys[i] = j < count ? key(static_cast<int>(j)) : 0;
        }
#pragma unroll
        for (int i = 0; i < AT_ONCE; i++) {
            const u32 j = first + i * blockDim.x;
            if (j < count) {
                f(static_cast<int>(j), keys[i]);
            }
        }
    }
}

// Weights of the entries whose higher digits are those of `prefix`, summed by digit.
template <class T, class K, class W>
__device__ __forceinline__ void count_digit(int n, int digit, u32 prefix, const K &key, const W &weight, T *bins) {
    const int shift = digit_shift(digit);
    const u32 last = digit_bins(digit) - 1;
    const u32 known = digit == 0 ? 0u : ~0u << digit_shift(digit - 1);
    __syncthreads();  // the bins may still be read
    for (u32 bin = threadIdx.x; bin <= last; bin += blockDim.x) {
        bins[bin] = 0;
    }
    __syncthreads();
    each_key(n, key, [&](int, u32 k) {
        if ((k & known) == prefix) {
            const T w = weight(k);
            if (w != 0) {
                atomicAdd(&bins[k >> shift & last], w);
            }
        }
    });
    __syncthreads();
}

// The digit at which the sum of the bins from the highest down reaches `left`, which it lessens by what lies above.
template <class T>
__device__ __forceinline__ u32 find_digit(int digit, const T *bins, T &left, RadixShared<T> &shared) {
    const int count = static_cast<int>(digit_bins(digit));
    const int each = (count + static_cast<int>(blockDim.x) - 1) / static_cast<int>(blockDim.x);
    const int highest = count - 1 - static_cast<int>(threadIdx.x) * each;
    T sum = 0;
    for (int bin = highest; bin > highest - each && bin >= 0; bin--) {
        sum += bins[bin];
    }
    T total;
    T above = block_sum_before(sum, shared.parts, total);
    if (above < left && left <= above + sum) {
        int bin = highest;
        while (above + bins[bin] < left) {
            above += bins[bin--];
        }
        shared.digit = static_cast<u32>(bin);
        shared.left = left - above;
    }
    __syncthreads();
    left = shared.left;
    return shared.digit << digit_shift(digit);
}

// The key at which the weights of the entries in falling order of keys reach `left`, at most their sum and at least 1; what
// is then left falls on entries with that key. Keys may have fewer digits, zeros in the place of the others.
template <int digits = DIGITS, class T, class K, class W>
__device__ __forceinline__ u32 radix_search(int n, T &left, const K &key, const W &weight, RadixShared<T> &shared) {
    u32 prefix = 0;
    for (int digit = 0; digit < digits; digit++) {
        count_digit(n, digit, prefix, key, weight, shared.bins);
        prefix |= find_digit(digit, shared.bins, left, shared);
    }
    return prefix;
}

// ---- the choice

// Entries with a key above `key`, and the first `ties` of those that have it.
struct Cut {
    u32 key;
    u32 ties;
};

// The first k of n entries, 1 <= k <= n < 2^31. All threads of the block take part; blocks of whole warps.
template <int digits = DIGITS, class K>
__device__ __forceinline__ Cut top_cut(int n, int k, const K &key, RadixShared<u32> &shared) {
    u32 left = static_cast<u32>(k);
    const u32 last = radix_search<digits>(n, left, key, [](u32) { return 1u; }, shared);
    return {last, left};
}

// What an entry is to a walk.
enum class Kind { NONE, FIRST, SECOND };

// Calls emit(kind, firsts, seconds, j, key(j)) for the entries of two kinds, with the numbers of either kind before j.
template <class K, class C, class E>
__device__ __forceinline__ void each_in_order(int n, const K &key, const C &kind_of, const E &emit, u32 *parts) {
    // each warp walks its own stretch: first it counts, then it knows what is before it
    const u32 share = (static_cast<u32>(n) + blockDim.x - 1) / blockDim.x * WARP;
    const u32 begin = min(warp_id() * share, static_cast<u32>(n));
    const u32 end = min(begin + share, static_cast<u32>(n));
    u32 firsts = 0;
    u32 seconds = 0;
    for (u32 j = begin + lane_id(); j < end; j += WARP) {
        const Kind kind = kind_of(key(static_cast<int>(j)));
        firsts += kind == Kind::FIRST ? 1 : 0;
        seconds += kind == Kind::SECOND ? 1 : 0;
    }
    firsts = warp_sum(firsts);
    seconds = warp_sum(seconds);
    u32 total;
    // of the other warps: all lanes but the first bring nothing
    firsts = block_sum_before(lane_id() == 0 ? firsts : 0, parts, total);
    seconds = block_sum_before(lane_id() == 0 ? seconds : 0, parts, total);
    firsts = __shfl_sync(ALL_LANES, firsts, 0);
    seconds = __shfl_sync(ALL_LANES, seconds, 0);
    const u32 lower = (1u << lane_id()) - 1;
    for (u32 base = begin; base < end; base += WARP) {
        const u32 j = base + lane_id();
        const u32 k = j < end ? key(static_cast<int>(j)) : 0;
        const Kind kind = j < end ? kind_of(k) : Kind::NONE;
        const u32 all_firsts = __ballot_sync(ALL_LANES, kind == Kind::FIRST);
        const u32 all_seconds = __ballot_sync(ALL_LANES, kind == Kind::SECOND);
        if (kind != Kind::NONE) {
            emit(kind, firsts + __popc(all_firsts & lower), seconds + __popc(all_seconds & lower), static_cast<int>(j), k);
        }
        firsts += __popc(all_firsts);
        seconds += __popc(all_seconds);
    }
}

// Calls emit(place, j, key(j)) once for every entry of the cut, places counting them in ascending order of j.
template <class K, class E>
__device__ __forceinline__ void each_picked(int n, const Cut &cut, const K &key, const E &emit, RadixShared<u32> &shared) {
    each_in_order(
        n, key, [&](u32 k) { return k > cut.key ? Kind::FIRST : k == cut.key ? Kind::SECOND : Kind::NONE; },
        [&](Kind kind, u32 above, u32 ties, int j, u32 k) {
            if (kind == Kind::FIRST || ties < cut.ties) {
                emit(above + min(ties, cut.ties), j, k);
            }
        },
        shared.parts);
}

// Sorts `count` words, a power of two, the greatest first. The words are in shared memory and settled.
__device__ __forceinline__ void sort_falling(u64 *words, int count) {
    for (int run = 2; run <= count; run *= 2) {
        for (int distance = run / 2; distance > 0; distance /= 2) {
            for (int pair = static_cast<int>(threadIdx.x); pair < count / 2; pair += static_cast<int>(blockDim.x)) {
                const int i = pair / distance * 2 * distance + pair % distance;
                const u64 a = words[i];
                const u64 b = words[i + distance];
                const bool falling = (i & run) == 0;
                if (falling ? a < b : a > b) {
                    words[i] = b;
                    words[i + distance] = a;
                }
            }
            __syncthreads();
        }
    }
}

}  // namespace weft

#endif
