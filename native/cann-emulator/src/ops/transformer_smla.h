// Sparse attention on a shared latent (K = V) with a sliding window and compressed entries: what SparseFlashMla,
// MixedQuantSparseFlashMla and their metadata operators have in common.
#ifndef EMU_OPS_TRANSFORMER_SMLA_H
#define EMU_OPS_TRANSFORMER_SMLA_H

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "plan.h"

namespace emu::smla {

constexpr int64_t kHeadDim = 512;

/** The plan a metadata call describes; `mixed`: the quantised form with two more attributes. */
Plan announced(const Run& run, bool mixed);
/** The plan the main operator needs. */
Plan needed(const Run& run, bool mixed);

/** Rules common to the main operators; `kv_width` is the extent of the last axis of both caches. */
void check_main(Call& call, int64_t kv_width, const char* cite);
void check_metadata(Call& call, const char* cite);

/** Decodes one cache row of `kv_width` stored elements into the 512 lanes of the latent. */
using DecodeRow = std::function<void(const void* base, int64_t element, float* lanes)>;

void attend(Run& run, const Plan& plan, const DecodeRow& ori, const DecodeRow& cmp, const char* cite);

}  // namespace emu::smla

#endif
