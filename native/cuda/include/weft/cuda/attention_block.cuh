// SparseAttention of BF16 rows on tensor cores. A block is up to 64 heads of one row; all heads share the keys, so a tile of
// 64 keys is two matrix products: scores = queries x keys, and values = probabilities x keys.
//
// Every tile has a softmax of its own, and tiles are merged in the order of the list. One block may walk the whole list, or
// each tile may have a block and a second launch merges them: the arithmetic is the same, so a row's bits do not depend on
// how many rows the call has.
#ifndef WEFT_CUDA_ATTENTION_BLOCK_CUH
#define WEFT_CUDA_ATTENTION_BLOCK_CUH

#include "weft/cuda/rotary.cuh"
#include "weft/cuda/split_list.cuh"
#include "weft/cuda/tile.cuh"
#include "weft/cuda/vectors.cuh"

namespace weft {

namespace attention {

constexpr int THREADS = 256;
constexpr int WARPS = THREADS / WARP;

// The greatest divisor of n that is not above a limit.
constexpr int divisor(int n, int limit) {
    return n % limit == 0 ? limit : divisor(n, limit - 1);
}

// ROTATES: whether a block that walks a whole list rotates what comes out, as a second call says.
template <int WIDTH, int HEAD_TILES, bool ROTATES>
class Block {
    static constexpr int HEADS = 16 * HEAD_TILES;
    static constexpr int DEPTHS = WIDTH / 16;  // steps of 16 along the width
    static constexpr int SCORE_PITCH = BLOCK_KEYS + 4;
    static constexpr int TERM_PITCH = BLOCK_KEYS + CHUNK;

    // Scores: warps share heads, keys, and the width in two halves.
    static constexpr int SCORE_M = HEAD_TILES > 1 ? 2 : 1;  // tiles of 16 heads of a warp
    static constexpr int SCORE_ROWS = HEAD_TILES / SCORE_M;
    static constexpr int SCORE_COLUMNS = WARPS / 2 / SCORE_ROWS;
    static constexpr int SCORE_N = BLOCK_KEYS / 8 / SCORE_COLUMNS;  // tiles of 8 keys of a warp

    // Values: warps share heads and the width.
    static constexpr int VALUE_ROWS = HEAD_TILES > 1 ? 2 : 1;
    static constexpr int VALUE_M = HEAD_TILES / VALUE_ROWS;
    static constexpr int VALUE_COLUMNS = divisor(WIDTH / 16, WARPS / VALUE_ROWS);
    static constexpr int VALUE_N = WIDTH / 8 / VALUE_COLUMNS;  // tiles of 8 lanes of a warp
    static constexpr int VALUE_GROUP = 2;  // that a tile's product is summed for at a time

    static_assert(SCORE_N % 2 == 0 && VALUE_GROUP % 2 == 0 && DEPTHS % 2 == 0);

public:
    // What the block has in shared memory. Behind it lie the tiles of keys, as many as the launch has stages.
    struct Shared {
        u16 queries[HEADS * WIDTH];
        float scores[HEADS * SCORE_PITCH];  // times log2(e)
        u16 terms[HEADS * TERM_PITCH];
        Softmax softmax[HEADS];
        Merge merge[HEADS];
        const bf16 *rows[BLOCK_KEYS];
        u32 present[2][BLOCK_KEYS / WARP];  // which keys of a stage there are
        KeyList list;
        SineCosine turns[WIDTH / 2];
        alignas(128) u16 keys[1];
    };

    // rotary: how the result is rotated, if it is.
    __device__ __forceinline__ Block(const Call &call, const Call *rotary, Shared &shared)
        : call_(call), rotary_(rotary), shared_(shared), first_head_(static_cast<int>(blockIdx.y) * HEADS) {}

    __device__ __forceinline__ void run() {
        const KeyList list = key_list(call_, blockIdx.x);
        const int tiles = (list.count + BLOCK_KEYS - 1) / BLOCK_KEYS;
        const bool whole = call_.attribute[SPLITS] == 0;
        const int begin = whole ? 0 : static_cast<int>(blockIdx.z);
        const int end = whole ? tiles : min(begin + 1, tiles);
        for (int i = thread(); i < HEADS; i += THREADS) {
            shared_.softmax[i] = {-infinity(), 0.0f};
        }
        if (thread() == 0) {
            shared_.list = list;
        }
        if (begin < end) {
            walk(begin, end);
        }
        __syncthreads();
        if (!whole) {
            write_split(begin < end);
        } else if (tiles > 0) {
            write_result();
        }
    }

private:
    static __device__ __forceinline__ int thread() {
        return static_cast<int>(threadIdx.x);
    }

    // Softmax and values of tiles [begin, end) of the list.
    __device__ __forceinline__ void walk(int begin, int end) {
        const int stages = static_cast<int>(call_.attribute[STAGES]);
        fetch_queries();
        if (stages == 2) {
            fetch_keys(begin, end, stages);
        }
        if constexpr (ROTATES) {
            find_turns();
        }
#pragma unroll
        for (int m = 0; m < VALUE_M; m++) {
#pragma unroll
            for (int n = 0; n < VALUE_N; n++) {
#pragma unroll
                for (int i = 0; i < 4; i++) {
                    values_[m][n][i] = 0;
                }
            }
        }
        for (int tile = begin; tile < end; tile++) {
            fetch_keys(tile + stages - 1, end, stages);
            if (stages == 2) {
                wait_copies<1>();
            } else {
                wait_copies<0>();
            }
            __syncthreads();
            const int stage = tile % stages;
            const u32 *present = shared_.present[stage];
            if ((present[0] | present[1]) != 0) {
                const Tile<WIDTH> keys = key_tile(stage);
                score(keys);
                exponentiate(present);
                add_values(keys);
            }
        }
    }

    __device__ __forceinline__ int heads_left() const {
        return static_cast<int>(call_.at[Q].dims[1]) - first_head_;
    }

    __device__ __forceinline__ Tile<WIDTH> key_tile(int stage) const {
        return {shared_.keys + stage * BLOCK_KEYS * WIDTH};
    }

    __device__ __forceinline__ Tile<WIDTH> query_tile() const {
        return {shared_.queries};
    }

    __device__ __forceinline__ void fetch_queries() {
        const bf16 *q = row_of<const bf16>(call_.at[Q], blockIdx.x, first_head_);
#pragma unroll 4
        for (int i = thread(); i < HEADS * WIDTH / CHUNK; i += THREADS) {
            const int head = i / (WIDTH / CHUNK);
            query_tile().fetch(head, i % (WIDTH / CHUNK), head < heads_left() ? q + head * WIDTH : nullptr);
        }
    }

    // Starts the copies of a tile; behind the end of the list there is none.
    __device__ __forceinline__ void fetch_keys(int tile, int end, int stages) {
        __syncthreads();  // the tile before last has been read
        if (tile < end) {
            const int stage = tile % stages;
            if (thread() < BLOCK_KEYS) {
                const KeyList &list = shared_.list;
                const int i = tile * BLOCK_KEYS + thread();
                const bf16 *key = i < list.count ? list.template key<bf16>(call_, i) : nullptr;
                shared_.rows[thread()] = key;
                const u32 present = __ballot_sync(ALL_LANES, key != nullptr);
                if (lane_id() == 0) {
                    shared_.present[stage][warp_id()] = present;
                }
            }
            __syncthreads();
            const Tile<WIDTH> keys = key_tile(stage);
#pragma unroll 4
            for (int i = thread(); i < BLOCK_KEYS * WIDTH / CHUNK; i += THREADS) {
                const int row = i / (WIDTH / CHUNK);
                keys.fetch(row, i % (WIDTH / CHUNK), shared_.rows[row]);
            }
        }
        commit_copies();
    }

    // Scores of all heads and the tile's keys. The upper half of the width is added to the lower one.
    __device__ __forceinline__ void score(const Tile<WIDTH> &keys) {
        const int half = warp_id() / (WARPS / 2);
        const int head = warp_id() % SCORE_ROWS * SCORE_M * 16;
        const int key = warp_id() % (WARPS / 2) / SCORE_ROWS * SCORE_N * 8;
        const Tile<WIDTH> queries = query_tile();
        float sums[SCORE_M][SCORE_N][4] = {};
#pragma unroll 4
        for (int depth = half * (DEPTHS / 2); depth < (half + 1) * (DEPTHS / 2); depth++) {
            __syncwarp();  // or loads of all steps would be started at once, which registers do not hold
            u32 a[SCORE_M][4];
#pragma unroll
            for (int m = 0; m < SCORE_M; m++) {
                queries.rows_by_columns(a[m], head + 16 * m, 2 * depth);
            }
#pragma unroll
            for (int n = 0; n < SCORE_N; n += 2) {
                u32 b[4];
                keys.columns_by_rows(b, key + 8 * n, 2 * depth);
#pragma unroll
                for (int m = 0; m < SCORE_M; m++) {
                    mma_bf16(sums[m][n], a[m], b[0], b[1]);
                    mma_bf16(sums[m][n + 1], a[m], b[2], b[3]);
                }
            }
        }
        if (half == 1) {
            each_score(head, key, [&](float2 *at, int m, int n, int i) {
                *at = make_float2(sums[m][n][i], sums[m][n][i + 1]);
            });
        }
        __syncthreads();
        if (half == 0) {
            const float factor = scale(call_) * LOG2_E;
            each_score(head, key, [&](float2 *at, int m, int n, int i) {
                const float2 upper = *at;
                *at = make_float2((sums[m][n][i] + upper.x) * factor, (sums[m][n][i + 1] + upper.y) * factor);
            });
        }
        __syncthreads();
    }

    // Calls f(address, m, n, i) for the pairs of scores of the thread.
    template <class F>
    __device__ __forceinline__ void each_score(int head, int key, const F &f) {
        float *at = shared_.scores + (head + lane_id() / 4) * SCORE_PITCH + key + lane_id() % 4 * 2;
#pragma unroll
        for (int m = 0; m < SCORE_M; m++) {
#pragma unroll
            for (int n = 0; n < SCORE_N; n++) {
                f(reinterpret_cast<float2 *>(at + 16 * m * SCORE_PITCH + 8 * n), m, n, 0);
                f(reinterpret_cast<float2 *>(at + (16 * m + 8) * SCORE_PITCH + 8 * n), m, n, 2);
            }
        }
    }

    // The softmax of each head over the tile, 16 threads per head, and its merge into that of the tiles before.
    __device__ __forceinline__ void exponentiate(const u32 *present) {
        constexpr int KEYS = 4;
        constexpr int TEAM = BLOCK_KEYS / KEYS;
        const int first = thread() % TEAM * KEYS;
        const u32 here = present[first / WARP] >> first % WARP;
        for (int head = thread() / TEAM; head < HEADS; head += THREADS / TEAM) {
            const float4 scores = *reinterpret_cast<const float4 *>(shared_.scores + head * SCORE_PITCH + first);
            float terms[KEYS] = {scores.x, scores.y, scores.z, scores.w};
            float most = -infinity();
#pragma unroll
            for (int i = 0; i < KEYS; i++) {
                terms[i] = (here >> i & 1u) != 0 ? terms[i] : -infinity();
                most = fmaxf(most, terms[i]);
            }
            for (int distance = TEAM / 2; distance > 0; distance /= 2) {
                most = fmaxf(most, __shfl_xor_sync(ALL_LANES, most, distance));
            }
            float sum = 0;
#pragma unroll
            for (int i = 0; i < KEYS; i++) {
                terms[i] = power(terms[i], most);
                sum += terms[i];
            }
            for (int distance = TEAM / 2; distance > 0; distance /= 2) {
                sum += __shfl_xor_sync(ALL_LANES, sum, distance);
            }
            *reinterpret_cast<uint2 *>(shared_.terms + head * TERM_PITCH + first) =
                make_uint2(floats_to_bf16(terms[0], terms[1]), floats_to_bf16(terms[2], terms[3]));
            if (first == 0) {
                shared_.merge[head] = merge(shared_.softmax[head], {most, sum});
            }
        }
        __syncthreads();
    }

    // Adds the tile's product of probabilities and keys to the values.
    __device__ __forceinline__ void add_values(const Tile<WIDTH> &keys) {
        if (warp_id() >= VALUE_ROWS * VALUE_COLUMNS) {
            return;
        }
        constexpr int STEPS = BLOCK_KEYS / 16;
        const int head = value_head();
        const int first = value_column() / 8;
        u32 a[VALUE_M][STEPS][4];
        Merge factors[VALUE_M][2];
#pragma unroll
        for (int m = 0; m < VALUE_M; m++) {
#pragma unroll
            for (int step = 0; step < STEPS; step++) {
                ldmatrix_x4(a[m][step], shared_.terms + (head + 16 * m + lane_id() % 16) * TERM_PITCH + 16 * step
                                            + lane_id() / 16 * CHUNK);
            }
            factors[m][0] = shared_.merge[head + 16 * m + lane_id() / 4];
            factors[m][1] = shared_.merge[head + 16 * m + lane_id() / 4 + 8];
        }
#pragma unroll
        for (int group = 0; group < VALUE_N; group += VALUE_GROUP) {
            __syncwarp();  // as in score
            float sums[VALUE_M][VALUE_GROUP][4] = {};
#pragma unroll
            for (int step = 0; step < STEPS; step++) {
#pragma unroll
                for (int n = 0; n < VALUE_GROUP; n += 2) {
                    u32 b[4];
                    keys.rows_as_depth(b, 16 * step, first + group + n);
#pragma unroll
                    for (int m = 0; m < VALUE_M; m++) {
                        mma_bf16(sums[m][n], a[m][step], b[0], b[1]);
                        mma_bf16(sums[m][n + 1], a[m][step], b[2], b[3]);
                    }
                }
            }
#pragma unroll
            for (int m = 0; m < VALUE_M; m++) {
#pragma unroll
                for (int n = 0; n < VALUE_GROUP; n++) {
#pragma unroll
                    for (int i = 0; i < 4; i++) {
                        float &value = values_[m][group + n][i];
                        value = merge(factors[m][i / 2], value, sums[m][n][i]);
                    }
                }
            }
        }
    }

    __device__ __forceinline__ int value_head() const {
        return warp_id() % VALUE_ROWS * VALUE_M * 16;
    }

    __device__ __forceinline__ int value_column() const {
        return warp_id() / VALUE_ROWS * VALUE_N * 8;
    }

    // Calls f(head, column, value, next value) for the pairs of values of the thread.
    template <class F>
    __device__ __forceinline__ void each_value(const F &f) {
        if (warp_id() >= VALUE_ROWS * VALUE_COLUMNS) {
            return;
        }
#pragma unroll
        for (int m = 0; m < VALUE_M; m++) {
#pragma unroll
            for (int half = 0; half < 2; half++) {
                const int head = value_head() + 16 * m + 8 * half + lane_id() / 4;
                if (head < heads_left()) {
#pragma unroll
                    for (int n = 0; n < VALUE_N; n++) {
                        f(head, value_column() + 8 * n + lane_id() % 4 * 2, values_[m][n][2 * half],
                          values_[m][n][2 * half + 1]);
                    }
                }
            }
        }
    }

    __device__ __forceinline__ void write_split(bool has_values) {
        const i64 split = blockIdx.z;
        Softmax *softmax = split_softmax(call_, blockIdx.x, split) + first_head_;
        for (int i = thread(); i < min(HEADS, heads_left()); i += THREADS) {
            softmax[i] = shared_.softmax[i];
        }
        if (!has_values) {
            return;
        }
        float *values = split_values(call_, blockIdx.x, split, first_head_);
        each_value([&](int head, int column, float low, float high) {
            *reinterpret_cast<float2 *>(values + head * WIDTH + column) = make_float2(low, high);
        });
    }

    // Angles of the row, while its first keys are on their way.
    __device__ __forceinline__ void find_turns() {
        static_assert(WIDTH / 2 <= THREADS);
        if (thread() < static_cast<int>(rotary_->attribute[0]) / 2) {
            const i32 position = static_cast<const i32 *>(rotary_->at[1].data)[blockIdx.x];
            const float frequency = static_cast<const float *>(rotary_->table[0])[thread()];
            const SineCosine t = sine_and_cosine(static_cast<float>(position) * frequency);
            shared_.turns[thread()] = {rotary_->attribute[1] != 0 ? -t.sine : t.sine, t.cosine};
        }
    }

    // The pair of a column, rotated.
    __device__ __forceinline__ u32 rotated(u32 pair, int column) const {
        const int behind = column - (WIDTH - static_cast<int>(rotary_->attribute[0]));
        if (behind < 0) {
            return pair;
        }
        float x[2];
        unpack_pair(pair, x[0], x[1]);
        rotate_pair(x[0], x[1], shared_.turns[behind / 2]);
        return floats_to_bf16(x[0], x[1]);
    }

    __device__ __forceinline__ void write_result() {
        const float *sinks = static_cast<const float *>(call_.at[SINK].data) + first_head_;
        for (int i = thread(); i < min(HEADS, heads_left()); i += THREADS) {
            shared_.merge[i].kept = closing(shared_.softmax[i], sinks[i]);
        }
        __syncthreads();
        bf16 *y = row_of<bf16>(ROTATES ? rotary_->at[2] : result(call_), blockIdx.x, first_head_);
        const bool paired = reinterpret_cast<u64>(y) % 4 == 0;
        each_value([&](int head, int column, float low, float high) {
            const float factor = shared_.merge[head].kept;
            u32 pair = floats_to_bf16(low * factor, high * factor);
            if constexpr (ROTATES) {
                pair = rotated(pair, column);
            }
            bf16 *to = y + head * WIDTH + column;
            if (paired) {
                *reinterpret_cast<u32 *>(to) = pair;
            } else {
                to[0].code = static_cast<u16>(pair);
                to[1].code = static_cast<u16>(pair >> 16);
            }
        });
    }

    const Call &call_;
    const Call *const rotary_;
    Shared &shared_;
    const int first_head_;
    float values_[VALUE_M][VALUE_N][4];
};

}  // namespace attention

}  // namespace weft

#endif
