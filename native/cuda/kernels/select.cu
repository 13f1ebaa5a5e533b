// Softmax, top-k and the draw of a token.
#include "weft/cuda/rows.cuh"
#include "weft/cuda/top_k.cuh"

using namespace weft;

namespace {

constexpr int THREADS = 256;

}  // namespace

// y_i = e_i / sum e with e_i = exp(x_i - max), in F64; zeros if the maximum is negative infinity. One block per row.
WEFT_KERNEL(softmax_simple, THREADS) {
    const Rows x = rows_of(call.at[0]);
    const Rows y = rows_of(call.at[1]);
    const i64 i = blockIdx.x;
    float most = -infinity();
    bool nan = false;
    for (i64 c = threadIdx.x; c < x.columns; c += blockDim.x) {
        most = fmaxf(most, x.load(i, c));
        nan |= is_nan(x.load(i, c));
    }
    most = block_max(most);
    nan = block_max(nan ? 1.0f : 0.0f) != 0;
    if (most == -infinity() && !nan) {
        for (i64 c = threadIdx.x; c < x.columns; c += blockDim.x) {
            y.store(i, c, 0.0f);
        }
        return;
    }
    double sum = 0;
    for (i64 c = threadIdx.x; c < x.columns; c += blockDim.x) {
        sum += exp(static_cast<double>(x.load(i, c)) - most);
    }
    sum = block_sum(sum);
    for (i64 c = threadIdx.x; c < x.columns; c += blockDim.x) {
        y.store(i, c, static_cast<float>(exp(static_cast<double>(x.load(i, c)) - most) / sum));
    }
}

// The first entry, then again and again the first one behind it. One block per row. Attribute: k.
WEFT_KERNEL(top_k_simple, THREADS) {
    const Rows x = rows_of(call.at[0]);
    const i64 i = blockIdx.x;
    u64 last = ~0ull;
    for (i64 place = 0; place < call.attribute[0]; place++) {
        u64 next = 0;
        for (i64 c = threadIdx.x; c < x.columns; c += blockDim.x) {
            const u64 word = rank_word(order_key(x.load(i, c)), c);
            next = word < last ? max(next, word) : next;
        }
        last = block_greatest(next);
        if (threadIdx.x == 0) {
            const i64 column = index_of(last);
            rows_of(call.at[1]).store(i, place, x.load(i, column));
            rows_of(call.at[2]).row<i32>(i)[place] = static_cast<i32>(column);
        }
    }
}

namespace {

// A probability and its id; the order of draws is higher first, equal ones by lower id.
struct Candidate {
    double p;
    i64 id;

    __device__ __forceinline__ bool before(const Candidate &o) const {
        return p > o.p || (p == o.p && id < o.id);
    }
};

// One row of logits as probabilities: softmax(logits / temperature) in F64, that of NaN being 0.
struct Distribution {
    const float *logits;
    i64 count;
    double temperature;
    double most;
    double sum;

    // Not normalised.
    __device__ __forceinline__ double weight(i64 id) const {
        const double z = logits[id] / temperature;
        return z != z ? 0.0 : z == most ? 1.0 : exp(z - most);
    }

    // The first one after `last`, for every thread of the block.
    __device__ Candidate next(const Candidate &last) const {
        __shared__ Candidate parts[THREADS];
        Candidate best = {-1.0, count};
        for (i64 id = threadIdx.x; id < count; id += blockDim.x) {
            const Candidate c = {weight(id) / sum, id};
            if (last.before(c) && c.before(best)) {
                best = c;
            }
        }
        __syncthreads();  // the former one may still be read
        parts[threadIdx.x] = best;
        __syncthreads();
        for (int thread = 0; thread < static_cast<int>(blockDim.x); thread++) {
            if (parts[thread].before(best)) {
                best = parts[thread];
            }
        }
        return best;
    }
};

__device__ __forceinline__ double block_max_f64(double x) {
    __shared__ double parts[THREADS];
    __syncthreads();
    parts[threadIdx.x] = x;
    __syncthreads();
    for (int thread = 0; thread < static_cast<int>(blockDim.x); thread++) {
        x = fmax(x, parts[thread]);
    }
    return x;
}

// Ids in order until their sum reaches top_p, then those until the draw is exceeded.
__device__ i64 draw(const Distribution &d, double top_p, double uniform) {
    const Candidate first = {2.0, -1};
    Candidate last = first;
    i64 kept = 0;
    double sum = 0;
    do {
        last = d.next(last);
        sum += last.p;
        kept++;
    } while (kept < d.count && sum < top_p);
    const double threshold = uniform * sum;
    double cumulative = 0;
    last = first;
    for (i64 i = 0; i < kept && cumulative <= threshold; i++) {
        last = d.next(last);
        cumulative += last.p;
    }
    return last.id;
}

}  // namespace

// One block per row.
WEFT_KERNEL(sample_simple, THREADS) {
    const i64 i = blockIdx.x;
    const Rows logits = rows_of(call.at[0]);
    const float temperature = static_cast<const float *>(call.at[1].data)[i];
    const float *row = logits.row<const float>(i);
    i32 *id = static_cast<i32 *>(call.at[4].data) + i;
    Distribution d = {row, logits.columns, temperature, -infinity(), 0.0};
    bool finite = false;
    u64 best = 0;
    for (i64 c = threadIdx.x; c < d.count; c += blockDim.x) {
        finite |= is_finite(row[c]);
        d.most = fmax(d.most, row[c] / d.temperature);
        best = max(best, rank_word(order_key(row[c]), c));
    }
    d.most = block_max_f64(d.most);
    best = block_greatest(best);
    finite = block_max(finite ? 1.0f : 0.0f) != 0;
    if (!finite || temperature == 0) {
        if (threadIdx.x == 0) {
            *id = finite ? static_cast<i32>(index_of(best)) : 0;
        }
        return;
    }
    for (i64 c = threadIdx.x; c < d.count; c += blockDim.x) {
        d.sum += d.weight(c);
    }
    d.sum = block_sum(d.sum);
    const i64 drawn =
        draw(d, static_cast<const float *>(call.at[2].data)[i], static_cast<const float *>(call.at[3].data)[i]);
    if (threadIdx.x == 0) {
        *id = static_cast<i32>(drawn);
    }
}
