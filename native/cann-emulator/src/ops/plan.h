// Metadata tensors: the real ones hold a split of the work over cores, which differs between devices. The emulator's
// hold the attributes and a hash of the lengths they were made for, so that the main operator notices metadata of
// another step or another kind of layer.
#ifndef EMU_OPS_PLAN_H
#define EMU_OPS_PLAN_H

#include <cstdint>
#include <utility>
#include <vector>

#include "../op.h"

namespace emu {

constexpr int64_t kMetadataWords = 1024;

struct Plan {
    std::vector<std::pair<const char*, int64_t>> fields;
    uint64_t lengths = 0;
};

/** Hash of the values, and of the absence, of the named INT32 tensors. */
uint64_t hash_lengths(const Run& run, const std::vector<const char*>& names);

/** 0 BSND, 1 TND, 2 paged. */
int64_t layout_code(const std::string& layout);

/** Metadata words; the unused ones are random, as the split over cores would be. */
std::vector<int64_t> encode(Run& run, const Plan& plan);

/** Throws a device exception naming the first field that differs. */
void verify(Run& run, const Plan& plan, const std::vector<int64_t>& metadata, const char* cite);

}  // namespace emu

#endif
