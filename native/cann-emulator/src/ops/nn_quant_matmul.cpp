// QuantMatmulV5 and its fractal-weight twin: the products. Partial sums are F32 over the span of one scale.
#include "nn_quant_matmul.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <vector>

#include "checks.h"
#include "mx.h"

namespace emu::quant_matmul {
namespace {

constexpr const char* kDoc = "ops-nn docs aclnnQuantMatmulV5";
constexpr const char* kNzDoc = "ops-nn docs aclnnQuantMatmulWeightNz";
constexpr int64_t kBlock = 128;

/** Scales as floats; 64-bit ones carry the F32 bits in their low half, as TransQuantParamV2 writes them. */
std::vector<float> scale_values(Run& run, const Tensor& t) {
    if (t.dtype != ACL_UINT64 && t.dtype != ACL_INT64) {
        return run.floats(t);
    }
    std::vector<float> values;
    for (int64_t packed : run.ints(bits_of(t))) {
        values.push_back(std::bit_cast<float>(static_cast<uint32_t>(packed)));
    }
    return values;
}

std::vector<float> per_channel(Run& run, const Problem& p) {
    const bool integers = p.x1.dtype == ACL_INT8;
    std::vector<float> y = multiply(run, run.floats(p.x1), p.m, p.x2,
                                    integers ? Weighting{kBlock, nullptr, true} : Weighting{});
    const std::vector<float> column = scale_values(run, *run.tensor("x2Scale"));
    const Tensor* x1_scale = present(run, "x1Scale");
    const std::vector<float> row = x1_scale ? run.floats(*x1_scale) : std::vector<float>{1};
    const Tensor* bias = present(run, "bias");
    const std::vector<float> addend = bias ? run.floats(*bias) : std::vector<float>{};
    for (int64_t i = 0; i < p.m * p.n; i++) {
        const auto r = static_cast<size_t>(i / p.n), c = static_cast<size_t>(i % p.n);
        float& v = y[static_cast<size_t>(i)];
        v += bias && bias->dtype == ACL_INT32 ? addend[c] : 0;
        v *= column[column.size() == 1 ? 0 : c] * row[row.size() == 1 ? 0 : r];
        v += bias && bias->dtype != ACL_INT32 ? addend[c] : 0;
    }
    return y;
}

std::vector<float> blocks(Run& run, const Problem& p) {
    const Tensor &s1 = *run.tensor("x1Scale"), &s2 = *run.tensor("x2Scale");
    const Tensor left = run.flag("transposeX1") ? transposed(s1) : s1;    // [rows, blocks of k]
    const Tensor right = run.flag("transposeX2") ? transposed(s2) : s2;   // [blocks of k, blocks of n]
    const std::vector<float> l = run.floats(left), r = run.floats(right);
    const int64_t kb = left.dims[1], nb = right.dims[1], rows_per_scale = left.dims[0] == p.m ? 1 : kBlock;
    Weighting weighting{kBlock, [&](int64_t row, int64_t block, int64_t column) {
                            return l[static_cast<size_t>(row / rows_per_scale * kb + block)] *
                                   r[static_cast<size_t>(block * nb + column / kBlock)];
                        }};
    return multiply(run, run.floats(p.x1), p.m, p.x2, weighting);
}

std::vector<float> mx(Run& run, const Problem& p) {
    const Tensor &s1 = *run.tensor("x1Scale"), &s2 = *run.tensor("x2Scale");
    const MxScales left(run, run.flag("transposeX1") ? mx_rows_first(s1) : s1);
    const MxScales right(run, run.flag("transposeX2") ? s2 : mx_rows_first(s2));
    std::vector<float> x1 = run.floats(p.x1);
    for (int64_t row = 0; row < p.m; row++) {
        left.apply(row, x1.data() + row * p.k, p.k);
    }
    std::vector<float> y = multiply(run, x1, p.m, p.x2, {}, [&](int64_t column, float* values) {
        right.apply(column, values, p.k);
    });
    if (const Tensor* bias = present(run, "bias")) {
        const std::vector<float> addend = run.floats(*bias);
        for (size_t i = 0; i < y.size(); i++) {
            y[i] += addend[i % static_cast<size_t>(p.n)];
        }
    }
    return y;
}

void quant_run(Run& run) {
    const Problem p = problem(run);
    run.store(*run.tensor("out"), p.mode == Mode::per_channel ? per_channel(run, p)
                                  : p.mode == Mode::blocks    ? blocks(run, p)
                                                              : mx(run, p));
}

EMU_OP(v5, "aclnnQuantMatmulV5", kDoc, [](Call& call) { rule(call, kDoc, false); }, quant_run, {}, true, true);
EMU_OP(nz, "aclnnQuantMatmulWeightNz", kNzDoc, [](Call& call) { rule(call, kNzDoc, true); }, quant_run, {}, true, true);

// ---- TransQuantParamV2: an F32 scale and an INT9 offset in one 64-bit parameter

constexpr const char* kParamDoc = "ops-nn docs aclnnTransQuantParamV2";

void param_rule(Call& call) {
    const Tensor& scale = call.need("scale");
    call.dtypes("scale", {ACL_FLOAT}, kParamDoc);
    call.require(scale.rank() <= 2, kInvalid, "scale is " + describe(scale), kParamDoc);
    call.dtypes("offset", {ACL_FLOAT}, kParamDoc);
    const Tensor* offset = call.tensor("offset");
    call.require(offset == nullptr || offset->numel() == scale.numel() || offset->numel() == 1 || scale.numel() == 1,
                 kInvalid, "scale and offset differ in extent", kParamDoc);
    call.dtypes("out", {ACL_UINT64, ACL_INT64}, kParamDoc);
    call.require(call.need("out").numel() == std::max(scale.numel(), offset ? offset->numel() : 0), kInvalid,
                 "out is " + describe(call.need("out")), kParamDoc);
}

void param_run(Run& run) {
    const std::vector<float> scale = run.floats(*run.tensor("scale"));
    const Tensor* offset_tensor = present(run, "offset");
    const std::vector<float> offset = offset_tensor ? run.floats(*offset_tensor) : std::vector<float>{};
    const Tensor& out = *run.tensor("out");
    std::vector<int64_t> packed;
    for (size_t i = 0; i < static_cast<size_t>(out.numel()); i++) {
        // the cube unit keeps 19 bits of the scale; bit 46 marks a signed result
        uint64_t value = std::bit_cast<uint32_t>(scale[scale.size() == 1 ? 0 : i]) & 0xFFFFE000U;
        value |= uint64_t{1} << 46;
        if (!offset.empty()) {
            const float o = std::nearbyint(offset[offset.size() == 1 ? 0 : i]);
            const auto whole = static_cast<int64_t>(std::min(std::max(o, -256.0F), 255.0F));
            value |= (static_cast<uint64_t>(whole) & 0x1FF) << 37;
        }
        packed.push_back(static_cast<int64_t>(value));
    }
    run.store(bits_of(out), packed);
}

EMU_OP(param, "aclnnTransQuantParamV2", kParamDoc, param_rule, param_run, {"out"}, true, true);

}  // namespace
}  // namespace emu::quant_matmul
