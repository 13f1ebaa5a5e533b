// The dynamic MX quantisers, their inverse, and the norm that ends in one.
#include <cmath>
#include <string>
#include <vector>

#include "checks.h"
#include "mx.h"
#include "mx_quantise.h"
#include "support.h"

namespace emu {
namespace {

constexpr const char* kDoc = "ops-nn docs aclnnDynamicMxQuant";
constexpr const char* kV2Doc = "ops-nn docs aclnnDynamicMxQuantV2";
constexpr const char* kV3Doc = "ops-nn docs aclnnDynamicMxQuantV3";
constexpr const char* kAntiDoc = "ops-nn docs aclnnAntiMxQuant";
constexpr const char* kNormDoc = "ops-nn docs aclnnRmsNormDynamicMxQuant";

ScaleRule scale_rule(const Arguments& a) {
    return static_cast<ScaleRule>(a.integer("scaleAlg"));
}

template <int version>
void quant_rule(Call& call) {
    constexpr const char* cite = version == 1 ? kDoc : version == 2 ? kV2Doc : kV3Doc;
    const Tensor& x = call.need("x");
    call.dtypes("x", {ACL_FLOAT16, ACL_BF16}, cite);
    call.require(x.rank() >= 1 && x.rank() <= 7, kInvalid, "x is " + describe(x), cite);
    const int64_t block = call.integer("blocksize");
    call.require(block > 0 && block <= 1024 && block % kMxBlock == 0, kInvalid,
                 "blocksize " + std::to_string(block) + " is not a multiple of 32 up to 1024", cite);
    call.require(block == kMxBlock, kNoKernel, "EMULATOR: only blocks of 32 are played", cite);
    double largest = 0;
    if constexpr (version >= 2) {
        largest = call.real("dstTypeMax");
    }
    mx_rule(call, x.dims, axis_of(call, call.integer("axis"), x.rank(), cite), "yOut", "mxscaleOut",
            "roundModeOptional",
            scale_rule(call), largest, cite);
}

template <int version>
void quant_run(Run& run) {
    const Tensor &x = *run.tensor("x"), &y = *run.tensor("yOut");
    MxTarget target{y.dtype, scale_rule(run)};
    if constexpr (version >= 2) {
        target.largest = run.real("dstTypeMax");
    }
    if constexpr (version >= 3) {
        target.low_bound = run.real("maxLowBound");
    }
    mx_store(run, run.floats(x), x.dims, axis_of(run.integer("axis"), x.rank()), target, y, *run.tensor("mxscaleOut"));
}

// ---- back

void anti_rule(Call& call) {
    call.require(is950(call), kPlatform, "the operator exists on the 950 only", kAntiDoc);
    const Tensor& x = call.need("x");
    call.dtypes("x", {ACL_FLOAT8_E4M3FN, ACL_FLOAT8_E5M2, ACL_FLOAT4_E2M1, ACL_FLOAT4_E1M2}, kAntiDoc);
    call.require(x.rank() >= 1 && x.rank() <= 7, kInvalid, "x is " + describe(x), kAntiDoc);
    const int axis = axis_of(call, call.integer("axis"), x.rank(), kAntiDoc);
    call.need("mxscale");
    call.dtypes("mxscale", {ACL_FLOAT8_E8M0}, kAntiDoc);
    call.shape("mxscale", mx_scale_shape(x.dims, axis), kAntiDoc);
    call.need("y");
    call.dtypes("y", kFloats, kAntiDoc);
    call.require(call.integer("dstType") == call.need("y").dtype, kInvalid, "dstType differs from that of y", kAntiDoc);
    call.shape("y", x.dims, kAntiDoc);
}

void anti_run(Run& run) {
    const Tensor& x = *run.tensor("x");
    const Around shape(x.dims, axis_of(run.integer("axis"), x.rank()));
    const int64_t pairs = mx_pairs(shape.extent);
    std::vector<float> values = run.floats(x);
    const std::vector<float> scales = run.floats(*run.tensor("mxscale"));
    for (int64_t n = 0; n < static_cast<int64_t>(values.size()); n++) {
        const int64_t inner = n % shape.inner, outer = n / shape.inner / shape.extent;
        const int64_t block = n / shape.inner % shape.extent / kMxBlock;
        values[static_cast<size_t>(n)] *=
            scales[static_cast<size_t>(((outer * pairs + block / 2) * shape.inner + inner) * 2 + block % 2)];
    }
    run.store(*run.tensor("y"), values);
}

// ---- after a norm

void norm_rule(Call& call) {
    const Tensor &x = call.need("x"), &gamma = call.need("gamma");
    call.dtypes("x", {ACL_FLOAT16, ACL_BF16}, kNormDoc);
    call.require(x.rank() >= 1 && x.rank() <= 7, kInvalid, "x is " + describe(x), kNormDoc);
    call.require(gamma.dtype == x.dtype || gamma.dtype == ACL_FLOAT, kInvalid, "gamma is " + describe(gamma), kNormDoc);
    call.shape("gamma", {x.dim(-1)}, kNormDoc);
    call.dtypes("beta", {gamma.dtype}, kNormDoc);
    if (call.has("beta")) {
        call.shape("beta", {x.dim(-1)}, kNormDoc);
    }
    mx_rule(call, x.dims, x.rank() - 1, "yOut", "mxscaleOut", "roundMode", scale_rule(call), 0, kNormDoc);
    if (call.flag("outputRstd")) {
        call.need("rstdOut");
        call.dtypes("rstdOut", {ACL_FLOAT}, kNormDoc);
        Dims expected = x.dims;
        expected.back() = 1;
        call.shape("rstdOut", expected, kNormDoc);
    }
}

void norm_run(Run& run) {
    const Tensor &x = *run.tensor("x"), &y = *run.tensor("yOut");
    std::vector<float> values = run.floats(x), rstd;
    const std::vector<float> gamma = run.floats(*run.tensor("gamma"));
    const Tensor* beta_tensor = run.tensor("beta");
    const std::vector<float> beta = beta_tensor ? run.floats(*beta_tensor) : std::vector<float>(gamma.size(), 0);
    const size_t width = gamma.size();
    for (size_t first = 0; first < values.size(); first += width) {
        float squares = 0;
        for (size_t i = 0; i < width; i++) {
            squares += values[first + i] * values[first + i];
        }
        rstd.push_back(1.0F / std::sqrt(squares / static_cast<float>(width) + static_cast<float>(run.real("epsilon"))));
        for (size_t i = 0; i < width; i++) {
            values[first + i] = values[first + i] * rstd.back() * gamma[i] + beta[i];
        }
    }
    mx_store(run, values, x.dims, x.rank() - 1, {y.dtype, scale_rule(run)}, y, *run.tensor("mxscaleOut"));
    if (run.flag("outputRstd")) {
        run.store(*run.tensor("rstdOut"), rstd);
    }
}

EMU_OP(quant, "aclnnDynamicMxQuant", kDoc, quant_rule<1>, quant_run<1>, {"yOut", "mxscaleOut"});
EMU_OP(quant_v2, "aclnnDynamicMxQuantV2", kV2Doc, quant_rule<2>, quant_run<2>, {"yOut", "mxscaleOut"});
EMU_OP(quant_v3, "aclnnDynamicMxQuantV3", kV3Doc, quant_rule<3>, quant_run<3>, {"yOut", "mxscaleOut"});
EMU_OP(anti, "aclnnAntiMxQuant", kAntiDoc, anti_rule, anti_run, {"y"});
EMU_OP(norm, "aclnnRmsNormDynamicMxQuant", kNormDoc, norm_rule, norm_run, {});

}  // namespace
}  // namespace emu
