// Dynamic quantisation to the MX formats along one axis, for the operators that end in it.
#ifndef EMU_OPS_MX_QUANTISE_H
#define EMU_OPS_MX_QUANTISE_H

#include <cstdint>
#include <string>
#include <vector>

#include "support.h"

namespace emu {

/** How the shared exponent of a block follows from its largest magnitude. */
enum class ScaleRule : int64_t {
    ocp = 0,       // 2^(floor(log2 amax) - emax)
    round_up = 1,  // smallest power of two with amax/scale <= largest value; FP8 only
    ranged = 2,    // the same with a caller-given largest value; FP4 only
};

struct MxTarget {
    aclDataType dtype;
    ScaleRule rule = ScaleRule::ocp;
    double largest = 0;    // 0: that of the dtype
    double low_bound = 0;  // smallest amax that is considered
};

/** Shape of the scales: the axis counts pairs of blocks, a last axis of 2 is added. */
Dims mx_scale_shape(const Dims& x, int axis);

/** Refuses what the documents of the dynamic MX quantisers do not allow. */
void mx_rule(Call& call, const Dims& x, int axis, const char* y, const char* scales, const char* round_mode,
             ScaleRule rule, double largest, const char* cite);

/** Stores the scaled values and the E8M0 codes; the padding half of a pair is 0. */
void mx_store(Run& run, std::vector<float> values, const Dims& dims, int axis, const MxTarget& target, const Tensor& y,
              const Tensor& scales);

}  // namespace emu

#endif
