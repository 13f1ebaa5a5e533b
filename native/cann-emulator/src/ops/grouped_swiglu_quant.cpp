// aclnnGroupedMatmulSwigluQuantV2: grouped matmul, SwiGLU without a clamp, quantisation of the result. MX on 950, INT8 on
// A2 and A3.
#include <algorithm>
#include <cmath>

#include "checks.h"
#include "grouped_multiply.h"
#include "quantise.h"
#include "rows.h"

namespace emu {

namespace {

using namespace grouped;

constexpr const char* kDoc = "ops-transformer docs aclnnGroupedMatmulSwigluQuantV2";

bool fp8(aclDataType t) {
    return t == ACL_FLOAT8_E4M3FN || t == ACL_FLOAT8_E5M2;
}

void check_mx(Call& call, int64_t m, int64_t k, int64_t n, int64_t experts, bool swapped) {
    const Tensor& x = *call.tensor("x");
    const Tensor& w = call.list("weight")->front();
    const Tensor& scale = call.list("weightScale")->front();
    if (x.dtype == ACL_FLOAT4_E2M1) {
        call.refuse(kNoKernel, "EMULATOR: FP4 activations are not emulated", kDoc);
    }
    call.require(fp8(x.dtype) && fp8(w.dtype), kInvalid,
                 "x and weight: found " + describe(x) + " and " + describe(w) + ", on 950 FP8 or FP4 on both sides", kDoc);
    const std::vector<int64_t> by_k{experts, ceil_div(k, 64), n, 2}, by_n{experts, n, ceil_div(k, 64), 2};
    call.require(scale.dtype == ACL_FLOAT8_E8M0 &&
                     (swapped ? (scale.dims == by_n && scale.contiguous()) ||
                                    (scale.dims == by_k && !scale.contiguous())
                              : scale.dims == by_k),
                 kInvalid, "weightScale: found " + describe(scale), kDoc);
    call.dtypes("xScale", {ACL_FLOAT8_E8M0}, kDoc);
    expect_dims(call, "xScale", *call.tensor("xScale"), {m, ceil_div(k, 64), 2}, kDoc);
    expect_one_of(call, "dequantMode on 950", call.integer("dequantMode"), {2}, kInvalid, kDoc);
    expect_one_of(call, "dequantDtype on 950", call.integer("dequantDtype"), {0}, kInvalid, kDoc);
    expect_one_of(call, "quantMode on 950", call.integer("quantMode"), {2}, kInvalid, kDoc);
    call.dtypes("output", {ACL_FLOAT8_E4M3FN, ACL_FLOAT8_E5M2}, kDoc);
    call.dtypes("outputScale", {ACL_FLOAT8_E8M0}, kDoc);
    call.shape("outputScale", {m, ceil_div(n / 2, 64), 2}, kDoc);
}

void check_int8(Call& call, int64_t m, int64_t k, int64_t n, int64_t experts, bool swapped) {
    const Tensor& scale = call.list("weightScale")->front();
    call.dtypes("x", {ACL_INT8}, kDoc);
    if (call.list("weight")->front().dtype != ACL_INT8) {
        call.refuse(kNoKernel, "EMULATOR: INT4 weights are not emulated", kDoc);
    }
    call.require(!swapped, kInvalid, "weight: must not be transposed on A2 and A3", kDoc);
    call.require(n <= 10240 && k < 65536, kInvalid, "weight: N up to 10240, K below 65536", kDoc);
    call.require((scale.dtype == ACL_FLOAT || scale.dtype == ACL_FLOAT16 || scale.dtype == ACL_BF16) &&
                     scale.dims == std::vector<int64_t>{experts, n},
                 kInvalid, "weightScale: found " + describe(scale), kDoc);
    call.dtypes("xScale", {ACL_FLOAT}, kDoc);
    expect_dims(call, "xScale", *call.tensor("xScale"), {m}, kDoc);
    expect_one_of(call, "dequantMode on A2 and A3", call.integer("dequantMode"), {0}, kInvalid, kDoc);
    call.dtypes("output", {ACL_INT8}, kDoc);
    call.dtypes("outputScale", {ACL_FLOAT}, kDoc);
    call.shape("outputScale", {m}, kDoc);
}

void rule(Call& call) {
    for (const char* name : {"x", "xScale", "groupList", "output", "outputScale"}) {
        call.need(name);
    }
    call.require(present_list(call, "weight") != nullptr && present_list(call, "weightScale") != nullptr, kNullPointer,
                 "weight, weightScale: required", kDoc);
    const Tensor& x = *call.tensor("x");
    const Tensor& w = call.list("weight")->front();
    if (w.rank() != 3 || call.list("weight")->size() != 1) {
        call.refuse(kNoKernel, "EMULATOR: only one [E, K, N] weight is emulated", kDoc);
    }
    call.require(x.rank() == 2 && x.dim(1) == w.dim(1) && w.dim(2) % 2 == 0, kInvalid,
                 "x and weight: found " + describe(x) + " and " + describe(w), kDoc);
    for (const char* name : {"bias", "smoothScale"}) {
        call.require(present(call, name) == nullptr, kInvalid, std::string(name) + ": must be null", kDoc);
    }
    expect_one_of(call, "groupListType", call.integer("groupListType"), {0, 1}, kInvalid, kDoc);
    call.dtypes("groupList", {ACL_INT64}, kDoc);
    expect_dims(call, "groupList", *call.tensor("groupList"), {w.dim(0)}, kDoc);
    call.shape("output", {x.dim(0), w.dim(2) / 2}, kDoc);
    if (is950(call)) {
        check_mx(call, x.dim(0), w.dim(1), w.dim(2), w.dim(0), transposed_weight(w));
    } else {
        check_int8(call, x.dim(0), w.dim(1), w.dim(2), w.dim(0), transposed_weight(w));
    }
    call.workspace(kCubeWorkspace);
}

/** One row: silu of the first half times the second, then blocks of `block` lanes and their scales. */
void finish_row(const float* row, int64_t width, int64_t block, aclDataType target, float* out,
                std::vector<float>& scales) {
    std::vector<float> values(static_cast<size_t>(width));
    for (int64_t i = 0; i < width; i++) {
        values[static_cast<size_t>(i)] = row[i] / (1.0F + std::exp(-row[i])) * row[width + i];
    }
    for (int64_t at = 0; at < width; at += block) {
        const int64_t n = std::min(block, width - at);
        const float amax = largest_magnitude(&values[static_cast<size_t>(at)], n);
        scales.push_back(target == ACL_INT8 ? plain_scale(amax, largest(target)) : mx_scale(amax, target));
        divide_by(&values[static_cast<size_t>(at)], n, scales.back(), out + at);
    }
    if (target != ACL_INT8 && ceil_div(width, block) % 2 != 0) {
        scales.push_back(mx_scale(0, target));  // pairs of scales, zero padded
    }
}

void run(Run& run) {
    const Tensor& x = *run.tensor("x");
    const Tensor& out = *run.tensor("output");
    const Operands o{is950(run) ? Scenario::kMx : Scenario::kInt8, &x, run.list("weight"), run.list("weightScale"),
                     run.tensor("xScale"), nullptr};
    const Multiply multiply(run, o);
    const int64_t width = out.dim(1), block = is950(run) ? kMxBlock : width;
    for (const Group& g : groups(run, *run.tensor("groupList"), run.integer("groupListType"), multiply.groups(),
                                 x.dim(0), kDoc)) {
        if (g.rows == 0) {
            continue;
        }
        const std::vector<float> rows = multiply.rows(g);
        std::vector<float> values(static_cast<size_t>(g.rows * width)), scales;
        for (int64_t r = 0; r < g.rows; r++) {
            finish_row(&rows[static_cast<size_t>(2 * r * width)], width, block, out.dtype,
                       &values[static_cast<size_t>(r * width)], scales);
        }
        run.store(rows_of(out, g), values);  // rows after the last group keep their contents
        run.store(rows_of(*run.tensor("outputScale"), g), scales);
    }
}

EMU_OP(grouped_swiglu, .name = "aclnnGroupedMatmulSwigluQuantV2", .cite = kDoc, .rule = rule, .run = run,
       .writes = {"output", "outputScale"});

}  // namespace

}  // namespace emu
