// The scenarios of the grouped matmuls that the emulator knows, and what both phases derive from the arguments.
#ifndef EMU_OPS_GROUPED_MATMUL_H
#define EMU_OPS_GROUPED_MATMUL_H

#include <cstdint>
#include <vector>

#include "../op.h"

namespace emu::grouped {

enum class Scenario {
    kPlain,       // BF16, FP16 or FP32 on both sides
    kInt8,        // A8W8: per channel times per token
    kMx,          // FP8 or FP4 on both sides, E8M0 scales of 32
    kGroupBlock,  // FP8, 1x128 scales times 128x128 scales
    kMxA8W4,      // FP8 activations, FP4 weights, E8M0 scales of 32
};

enum class Variant { kV4, kV5, kWeightNz };

constexpr int64_t kMxBlock = 32;
constexpr int64_t kTileBlock = 128;

/** By dtypes and presence of scales; phase 1 has refused everything else. */
Scenario scenario(const Arguments& a);

void check(Call& call, Variant variant, const char* cite);

/** Rows of each group in order of x; `index` names the weight. */
struct Group {
    int64_t index, start, rows;
};
std::vector<Group> groups(Run& run, const Tensor& list, int64_t type, int64_t weights, int64_t total, const char* cite);

}  // namespace emu::grouped

#endif
