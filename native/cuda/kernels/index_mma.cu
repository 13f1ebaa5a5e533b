// LightningIndex of BF16 rows on tensor cores. A block scores 128 entries for some rows: keys stay in registers as one factor
// of the products, and the queries of row after row pass by as the other, so that the sum over heads is a sum over columns.
#include "weft/cuda/picks.cuh"
#include "weft/cuda/tile.cuh"
#include "weft/cuda/top_k_wide.cuh"

using namespace weft;
using namespace weft::index;

namespace {

constexpr int THREADS = 128;
constexpr int PICK_THREADS = 1024;
constexpr int WIDTH = 128;
constexpr int ENTRIES = 128;  // of a block
constexpr int HEADS = 16;     // that are multiplied at a time
constexpr int DEPTHS = WIDTH / 16;
constexpr int TILES = ENTRIES / (THREADS / WARP) / 16;  // tiles of 16 entries of a warp

// Words of a launch behind those of the simple kernels: rows of the wave, and rows of a block; where in the workspace the wide
// rows' counters are, 0 if there are none.
enum ScoreWord { WAVE_ROWS = LAUNCH_WORDS, GROUP_ROWS, ZEROED_COUNTERS };

__device__ __forceinline__ u32 *counters_at(const Call &call, i64 offset) {
    return reinterpret_cast<u32 *>(static_cast<u8 *>(call.workspace) + offset);
}

// Scores of BF16 have no more bits: the order of the words is that of the scores.
__device__ __forceinline__ u16 score_word(float score) {
    return static_cast<u16>(order_key(score) >> 16);
}

class Scorer {
public:
    // Behind the keys lie, twice, the queries of a row and the weights of its heads.
    __device__ __forceinline__ Scorer(const Call &call, unsigned char *memory)
        : call_(call), heads_(static_cast<int>(ceil_div(call.at[Q].dims[1], HEADS)) * HEADS) {
        keys_.data = reinterpret_cast<u16 *>(memory);
        queries_ = keys_.data + ENTRIES * WIDTH;
        weights_ = reinterpret_cast<float *>(queries_ + 2 * heads_ * WIDTH);
    }

    __device__ __forceinline__ void run() {
        const i64 begin = call_.attribute[FIRST_ROW];
        const i64 first = begin + static_cast<i64>(blockIdx.y) * call_.attribute[GROUP_ROWS];
        const i64 end = min(first + call_.attribute[GROUP_ROWS], begin + call_.attribute[WAVE_ROWS]);
        if (blockIdx.x == 0 && call_.attribute[ZEROED_COUNTERS] != 0 && first + thread() < end) {
            counters_at(call_, call_.attribute[ZEROED_COUNTERS])[first + thread() - begin] = 0;
        }
        for (i64 row = first; row < end;) {
            sequence_ = sequence_of(call_.at[POSITIONS], call_.at[STARTS], row);
            const i64 stop = sequence_.index < 0 ? row + 1 : min(end, static_cast<i64>(sequence_.end));
            // later rows see more
            const i64 most = visible(call_, sequence_, stop - 1);
            if (most > call_.attribute[TOP_K]) {
                for (i64 entry = static_cast<i64>(blockIdx.x) * ENTRIES; entry < most; entry += gridDim.x * ENTRIES) {
                    score_rows(row, stop, entry, most);
                }
            }
            row = stop;
        }
    }

private:
    static __device__ __forceinline__ int thread() {
        return static_cast<int>(threadIdx.x);
    }

    // Scores entries from `first` on, of which there are `most`, for the rows that see them.
    __device__ __forceinline__ void score_rows(i64 row, i64 stop, i64 first, i64 most) {
        while (!sees(row, first)) {
            row++;
        }
        __syncthreads();  // the keys before these have been read
        fetch_keys(first, most);
        fetch_row(row, 0);
        commit_copies();
        wait_copies<0>();
        __syncthreads();
        u32 keys[TILES][DEPTHS][4];
#pragma unroll
        for (int t = 0; t < TILES; t++) {
#pragma unroll
            for (int depth = 0; depth < DEPTHS; depth++) {
                keys_.rows_by_columns(keys[t][depth], entry_of_warp() + 16 * t, 2 * depth);
            }
        }
        for (int stage = 0; row < stop; row++, stage ^= 1) {
            if (row + 1 < stop) {
                fetch_row(row + 1, stage ^ 1);
            }
            commit_copies();
            wait_copies<1>();
            __syncthreads();
            score(keys, row, stage, first);
            __syncthreads();  // the stage is filled again
        }
    }

    // Whether a row needs scores, also of entry `first`: later rows do too.
    __device__ __forceinline__ bool sees(i64 row, i64 first) const {
        const i64 count = visible(call_, sequence_, row);
        return count > call_.attribute[TOP_K] && count > first;
    }

    static __device__ __forceinline__ int entry_of_warp() {
        return warp_id() * TILES * 16;
    }

    __device__ __forceinline__ Tile<WIDTH> query_tile(int stage) const {
        return {queries_ + stage * heads_ * WIDTH};
    }

    __device__ __forceinline__ void fetch_keys(i64 first, i64 most) {
        const i32 *pages = row_of<const i32>(call_.at[PAGES], sequence_.index);
        constexpr int CHUNKS = WIDTH / CHUNK;
        for (int i = thread(); i < ENTRIES * CHUNKS; i += THREADS) {
            const i32 entry = static_cast<i32>(first) + i / CHUNKS;
            keys_.fetch(i / CHUNKS, i % CHUNKS, entry < most ? entry_of<bf16>(call_.at[KEYS], pages, entry) : nullptr);
        }
    }

    __device__ __forceinline__ void fetch_row(i64 row, int stage) {
        constexpr int CHUNKS = WIDTH / CHUNK;
        const int heads = static_cast<int>(call_.at[Q].dims[1]);
        const bf16 *q = row_of<const bf16>(call_.at[Q], row);
        for (int i = thread(); i < heads_ * CHUNKS; i += THREADS) {
            const int head = i / CHUNKS;
            query_tile(stage).fetch(head, i % CHUNKS, head < heads ? q + head * WIDTH : nullptr);
        }
        const bf16 *weights = row_of<const bf16>(call_.at[WEIGHTS], row);
        for (int head = thread(); head < heads_; head += THREADS) {
            weights_[stage * heads_ + head] = head < heads ? to_float(weights[head]) : 0.0f;
        }
    }

    // The scores of a row: the dot product, its product with the weight and the sum are each rounded.
    __device__ __forceinline__ void score(const u32 (&keys)[TILES][DEPTHS][4], i64 row, int stage, i64 first) {
        const Tile<WIDTH> queries = query_tile(stage);
        const float *weights = weights_ + stage * heads_ + lane_id() % 4 * 2;
        float scores[TILES][2] = {};
        for (int head = 0; head < heads_; head += HEADS) {
            float dots[TILES][2][4] = {};
#pragma unroll
            for (int depth = 0; depth < DEPTHS; depth++) {
                u32 b[4];
                queries.columns_by_rows(b, head, 2 * depth);
#pragma unroll
                for (int t = 0; t < TILES; t++) {
                    mma_bf16(dots[t][0], keys[t][depth], b[0], b[1]);
                    mma_bf16(dots[t][1], keys[t][depth], b[2], b[3]);
                }
            }
#pragma unroll
            for (int t = 0; t < TILES; t++) {
#pragma unroll
                for (int n = 0; n < 2; n++) {
#pragma unroll
                    for (int i = 0; i < 4; i++) {
                        const float dot = round_bf16(dots[t][n][i]);
                        const float positive = dot < 0 ? 0.0f : dot;  // keeps NaN
                        scores[t][i / 2] += round_bf16(positive * weights[head + 8 * n + i % 2]);
                    }
                }
            }
        }
        u16 *to = scores_of<u16>(call_, row) + first;
        const i64 count = visible(call_, sequence_, row) - first;
#pragma unroll
        for (int t = 0; t < TILES; t++) {
#pragma unroll
            for (int half = 0; half < 2; half++) {
                // four lanes have the heads of an entry
                float sum = scores[t][half];
                sum += __shfl_xor_sync(ALL_LANES, sum, 1);
                sum += __shfl_xor_sync(ALL_LANES, sum, 2);
                const int entry = entry_of_warp() + 16 * t + 8 * half + lane_id() / 4;
                if (lane_id() % 4 == 0 && entry < count) {
                    to[entry] = score_word(round_bf16(sum));
                }
            }
        }
    }

    const Call &call_;
    const int heads_;  // in whole tiles
    Sequence sequence_;
    Tile<WIDTH> keys_;
    u16 *queries_;
    float *weights_;
};

}  // namespace

// Grid: blocks that share the entries, groups of rows. Attributes: k, ratio, first row, capacity, rows of the wave and of a
// group, counters. Shared memory: 128 keys, and twice a row's queries and weights, heads in whole 16s.
WEFT_KERNEL(index_scores, THREADS, 1) {
    WEFT_SHARED_MEMORY(unsigned char, memory);
    Scorer(call, memory).run();
}

namespace {

constexpr int SCORE_DIGITS = 2;  // 22 bits: the scores have 16

// Where the workspaces of wide rows begin and where their counters are, in bytes.
enum WideWord { WIDE_OFFSET = LAUNCH_WORDS, COUNTERS };

// The scores of a row, as far as it sees.
struct ScoredRow {
    i64 row;
    int count;
    const u16 *scores;

    // For the whole block.
    __device__ __forceinline__ ScoredRow(const Call &call, i64 row_of_wave)
        : row(call.attribute[FIRST_ROW] + row_of_wave),
          count(static_cast<int>(visible(call, sequence_of(call.at[POSITIONS], call.at[STARTS], row), row))),
          scores(scores_of<const u16>(call, row)) {}

    __device__ __forceinline__ u32 operator()(int j) const {
        return static_cast<u32>(scores[j]) << 16;
    }

    __device__ __forceinline__ WideRow wide(const Call &call) const {
        u8 *workspace = static_cast<u8 *>(call.workspace) + call.attribute[WIDE_OFFSET];
        return WideRow(workspace, row - call.attribute[FIRST_ROW], call.attribute[CAPACITY], count, call.attribute[TOP_K]);
    }
};

}  // namespace

// Grid: rows of the wave. Attributes: k, ratio, first row, capacity.
WEFT_KERNEL(index_picks, PICK_THREADS, 1) {
    __shared__ RadixShared<u32> shared;
    const ScoredRow row(call, blockIdx.x);
    const int k = static_cast<int>(call.attribute[TOP_K]);
    i32 *picks = row_of<i32>(call.at[PICKS], row.row);
    if (row.count <= k) {
        pick_all(call, row.count, picks);
        return;
    }
    pick(row.count, top_cut<SCORE_DIGITS>(row.count, k, row, shared), row, picks, shared);
}

// The picks of rows too wide for one block; the block that comes last of a row's chooses among what all chose. Grid: parts of a
// row, rows of the wave. Attributes: k, ratio, first row, capacity, offset of the workspaces, and of a counter of each row that
// is zero.
WEFT_KERNEL(index_wide_picks, PICK_THREADS, 1) {
    __shared__ RadixShared<u32> shared;
    const ScoredRow row(call, blockIdx.y);
    const bool chooses = row.count > call.attribute[TOP_K];
    if (chooses) {
        wide_part<SCORE_DIGITS>(row.wide(call), static_cast<int>(blockIdx.x), row, shared);
    }
    if (!comes_last(counters_at(call, call.attribute[COUNTERS]) + blockIdx.y, gridDim.x)) {
        return;
    }
    i32 *picks = row_of<i32>(call.at[PICKS], row.row);
    if (!chooses) {
        pick_all(call, row.count, picks);
        return;
    }
    wide_pick<SCORE_DIGITS>(
        row.wide(call), [&](u32 place, u64 word) { picks[place] = static_cast<i32>(index_of(word)); }, shared);
}
