// Selection of compressed entries by a lightning indexer: score = sum over heads of relu(q . k) * weight, then top-k.
#ifndef EMU_OPS_TRANSFORMER_INDEXER_H
#define EMU_OPS_TRANSFORMER_INDEXER_H

#include <cstdint>
#include <vector>

#include "../op.h"

namespace emu::indexer {

constexpr int64_t kHeadDim = 128;

struct Selection {
    std::vector<int64_t> indices;  // valid ones first in no particular order, then -1
    std::vector<float> values;     // -infinity where the index is -1
};

/** The `count` best of scores; equal scores and the order of the result are arbitrary on purpose. */
Selection select(Run& run, const std::vector<float>& scores, int64_t count);

/** Sum over heads of relu(dot) * weight in F32; `head_scale` multiplies each dot before the relu. */
float score(const float* query, const float* weights, const float* head_scale, float key_scale, const float* key,
            int64_t heads);

/** Keys visible to query i of `queries`, when `keys` entries of `ratio` tokens and `residual` tokens exist. */
int64_t causal_bound(int64_t keys, int64_t ratio, int64_t residual, int64_t queries, int64_t i);

}  // namespace emu::indexer

#endif
