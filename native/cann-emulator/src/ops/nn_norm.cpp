// RMS norms. The reciprocal root is an F32 output that must be given.
#include <cmath>
#include <string>
#include <vector>

#include "checks.h"
#include "rows.h"
#include "support.h"

namespace emu {
namespace {

constexpr const char* kNormDoc = "ops-nn docs aclnnRmsNorm";
constexpr const char* kAddNormDoc = "ops-nn docs aclnnAddRmsNorm";

/** gamma covers the last axes of x; rstd keeps the others and has extents of 1 for those. */
void norm_rule(Call& call, const Tensor& x, const char* cite) {
    const Tensor& gamma = call.need("gamma");
    call.require(x.rank() >= 1 && x.rank() <= 8, kInvalid, "x is " + describe(x), cite);
    bool fits = gamma.rank() >= 1 && gamma.rank() <= x.rank();
    for (int i = 1; fits && i <= gamma.rank(); i++) {
        fits = gamma.dim(-i) == x.dim(-i);
    }
    call.require(fits, kInvalid, "gamma is " + describe(gamma) + ", x is " + describe(x), cite);
    Dims expected = x.dims;
    for (int i = 0; i < gamma.rank(); i++) {
        expected[expected.size() - 1 - static_cast<size_t>(i)] = 1;
    }
    call.need("rstdOut");  // mandatory, also where nobody reads it
    call.dtypes("rstdOut", {ACL_FLOAT}, cite);
    same_shape(call, "rstdOut", expected, cite);
    call.need("yOut");
    same_shape(call, "yOut", x.dims, cite);
    call.dtypes("yOut", {x.dtype}, cite);
    call.require(call.real("epsilon") >= 0, kInvalid, "epsilon is negative", cite);
}

void rms_norm_rule(Call& call) {
    const Tensor& x = call.need("x");
    call.dtypes("x", kFloats, kNormDoc);
    norm_rule(call, x, kNormDoc);
    // mixed: an F32 gamma with 16-bit x
    call.require(call.need("gamma").dtype == x.dtype || call.need("gamma").dtype == ACL_FLOAT, kInvalid,
                 "gamma is " + describe(call.need("gamma")) + ", x is " + describe(x), kNormDoc);
}

void normalise(Run& run, std::vector<float> x) {
    const std::vector<float> gamma = run.floats(*run.tensor("gamma"));
    const auto epsilon = static_cast<float>(run.real("epsilon"));
    const size_t width = gamma.size();
    std::vector<float> rstd;
    for (size_t first = 0; first < x.size(); first += width) {
        float squares = 0;
        for (size_t i = 0; i < width; i++) {
            squares += x[first + i] * x[first + i];
        }
        rstd.push_back(1.0F / std::sqrt(squares / static_cast<float>(width) + epsilon));
        for (size_t i = 0; i < width; i++) {
            x[first + i] = x[first + i] * rstd.back() * gamma[i];
        }
    }
    run.store(*run.tensor("yOut"), x);
    run.store(*run.tensor("rstdOut"), rstd);
}

void rms_norm_run(Run& run) {
    normalise(run, run.floats(*run.tensor("x")));
}

void add_rms_norm_rule(Call& call) {
    const Tensor& x1 = call.need("x1");
    call.need("x2");
    call.need("xOut");
    call.dtypes("x1", kFloats, kAddNormDoc);
    for (const char* name : {"x2", "gamma", "xOut"}) {
        call.dtypes(name, {x1.dtype}, kAddNormDoc);
    }
    same_shape(call, "x2", x1.dims, kAddNormDoc);
    same_shape(call, "xOut", x1.dims, kAddNormDoc);
    norm_rule(call, x1, kAddNormDoc);
}

void add_rms_norm_run(Run& run) {
    std::vector<float> x = run.floats(*run.tensor("x1"));
    const std::vector<float> other = run.floats(*run.tensor("x2"));
    for (size_t i = 0; i < x.size(); i++) {
        x[i] += other[i];
    }
    run.store(*run.tensor("xOut"), x);
    normalise(run, x);
}

EMU_OP(rms_norm, "aclnnRmsNorm", kNormDoc, rms_norm_rule, rms_norm_run, {"yOut", "rstdOut"}, true, true);
EMU_OP(add_rms_norm, "aclnnAddRmsNorm", kAddNormDoc, add_rms_norm_rule, add_rms_norm_run, {}, true, true);

}  // namespace
}  // namespace emu
