// Softmax along an axis, in F32.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "checks.h"
#include "support.h"

namespace emu {
namespace {

constexpr const char* kSoftmaxDoc = "ops-nn docs aclnnSoftmax";
constexpr const char* kLogSoftmaxDoc = "ops-nn docs aclnnLogSoftmax";

void softmax_rule(Call& call, const char* cite) {
    const Tensor& self = call.need("self");
    call.dtypes("self", kFloats, cite);
    axis_of(call, call.integer("dim"), self.rank(), cite);
    max_rank(call, "self", 8, cite);
    call.need("out");
    call.dtypes("out", kFloats, cite);
    same_shape(call, "out", self.dims, cite);
}

void softmax_line(float* line, const Around& shape, bool logarithm) {
    float top = -std::numeric_limits<float>::infinity(), total = 0;
    for (int64_t e = 0; e < shape.extent; e++) {
        top = std::max(top, line[e * shape.inner]);
    }
    for (int64_t e = 0; e < shape.extent; e++) {
        total += std::exp(line[e * shape.inner] - top);
    }
    for (int64_t e = 0; e < shape.extent; e++) {
        float& v = line[e * shape.inner];
        v = logarithm ? v - top - std::log(total) : std::exp(v - top) / total;
    }
}

void softmax(Run& run, bool logarithm) {
    const Tensor& self = *run.tensor("self");
    const Around shape(self.dims, axis_of(run.integer("dim"), self.rank()));
    std::vector<float> values = run.floats(self);
    for (int64_t o = 0; o < shape.outer; o++) {
        for (int64_t i = 0; i < shape.inner; i++) {
            softmax_line(values.data() + o * shape.extent * shape.inner + i, shape, logarithm);
        }
    }
    run.store(*run.tensor("out"), values);
}

EMU_OP(plain, "aclnnSoftmax", kSoftmaxDoc, [](Call& call) { softmax_rule(call, kSoftmaxDoc); },
       [](Run& run) { softmax(run, false); }, {}, true, true, true);
EMU_OP(logarithmic, "aclnnLogSoftmax", kLogSoftmaxDoc, [](Call& call) { softmax_rule(call, kLogSoftmaxDoc); },
       [](Run& run) { softmax(run, true); }, {}, true, true, true);

}  // namespace
}  // namespace emu
