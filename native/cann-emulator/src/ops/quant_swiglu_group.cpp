// aclnnSwigluGroup and aclnnSwigluGroupQuant: clamped SwiGLU over the rows of the groups, optionally quantised.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "checks.h"
#include "quantise.h"
#include "rows.h"

namespace emu {

namespace {

constexpr const char* kDoc = "ops-nn docs aclnnSwigluGroup";
constexpr const char* kQuantDoc = "ops-nn docs aclnnSwigluGroupQuant";
enum QuantMode : int64_t { kBlock = 0, kMx = 1 };

std::vector<int64_t> with_last(std::vector<int64_t> dims, std::initializer_list<int64_t> last) {
    dims.pop_back();
    dims.insert(dims.end(), last);
    return dims;
}

int64_t row_count(const Tensor& x) {
    return x.dim(-1) == 0 ? 0 : x.numel() / x.dim(-1);
}

/** What both operators ask of their inputs. */
void check_inputs(Call& call, std::initializer_list<aclDataType> dtypes, const char* cite) {
    const Tensor& x = call.need("x");
    call.require(is950(call), kPlatform, "only on Ascend 950", cite);
    call.dtypes("x", dtypes, cite);
    call.require(x.rank() >= 1 && x.rank() <= 7 && x.numel() > 0 && x.dim(-1) % 2 == 0, kInvalid,
                 "x: found " + dims_text(x.dims), cite);
    expect_contiguous(call, "x", cite);
    if (const Tensor* weight = present(call, "weightOptional")) {
        call.dtypes("weightOptional", {ACL_FLOAT}, cite);
        call.require(weight->numel() == row_count(x), kInvalid,
                     "weight: expected one value a row, " + std::to_string(row_count(x)) + ": found " +
                         dims_text(weight->dims),
                     cite);
    }
    if (const Tensor* groups = present(call, "groupIndexOptional")) {
        call.dtypes("groupIndexOptional", {ACL_INT64}, cite);
        expect_dims(call, "groupIndexOptional", *groups, {-1}, cite);
    }
    const double limit = call.real("clampLimit");
    call.require(limit == -1.0 || limit > 0, kInvalid, "clampLimit: -1 or more than 0: found " + std::to_string(limit),
                 cite);
}

void rule(Call& call) {
    check_inputs(call, {ACL_BF16, ACL_FLOAT16, ACL_FLOAT}, kDoc);
    const Tensor& x = *call.tensor("x");
    call.need("out");
    call.dtypes("out", {x.dtype}, kDoc);
    call.shape("out", with_last(x.dims, {x.dim(-1) / 2}), kDoc);
}

void quant_rule(Call& call) {
    for (const char* name : {"x", "yOut", "yScaleOut", "yOriginOut"}) {
        call.need(name);
    }
    check_inputs(call, {ACL_BF16, ACL_FLOAT16}, kQuantDoc);
    const Tensor& x = *call.tensor("x");
    const int64_t mode = call.integer("quantMode"), target = call.integer("dstType"), width = x.dim(-1) / 2;
    call.require(x.dim(-1) % 256 == 0, kInvalid, "x: last axis must be a multiple of 256: found " + dims_text(x.dims),
                 kQuantDoc);
    expect_one_of(call, "quantMode", mode, {0, 1, 2, 3}, kInvalid, kQuantDoc);
    expect_one_of(call, "dstType", target, {34, 35, 36, 40, 41}, kInvalid, kQuantDoc);
    if (mode > kMx || (target != ACL_FLOAT8_E4M3FN && target != ACL_FLOAT8_E5M2)) {
        call.refuse(kNoKernel, "EMULATOR: HiFloat8 and FP4 results are not emulated", kQuantDoc);
    }
    expect_one_of(call, "blockSize", call.integer("blockSize"), {0, mode == kMx ? 32 : 128}, kInvalid, kQuantDoc);
    call.require(mode != kMx || call.flag("roundScale"), kInvalid, "roundScale: must be true for MX", kQuantDoc);
    call.dtypes("yOut", {static_cast<aclDataType>(target)}, kQuantDoc);
    call.shape("yOut", with_last(x.dims, {width}), kQuantDoc);
    call.dtypes("yScaleOut", {mode == kMx ? ACL_FLOAT8_E8M0 : ACL_FLOAT}, kQuantDoc);
    if (mode == kMx) {
        call.shape("yScaleOut", with_last(x.dims, {ceil_div(ceil_div(width, 32), 2), 2}), kQuantDoc);
    } else {
        call.shape("yScaleOut", with_last(x.dims, {ceil_div(width, 128)}), kQuantDoc);
    }
    call.dtypes("yOriginOut", {x.dtype}, kQuantDoc);
    if (call.flag("outputOrigin")) {
        call.shape("yOriginOut", with_last(x.dims, {width}), kQuantDoc);
    }
}

struct Activated {
    int64_t rows, width;
    std::vector<float> values;
};

/** SwiGLU of the rows that belong to a group; rows beyond the last group are not computed. */
Activated activate(Run& run, const char* cite) {
    const Tensor& x = *run.tensor("x");
    Activated a{row_count(x), x.dim(-1) / 2, {}};
    if (const Tensor* groups = present(run, "groupIndexOptional")) {
        const std::vector<int64_t> counts = run.ints(*groups);
        const int64_t total = std::accumulate(counts.begin(), counts.end(), int64_t{0});
        if (total < 0 || total > a.rows || *std::min_element(counts.begin(), counts.end()) < 0) {
            run.device_exception("groupIndex: " + std::to_string(total) + " rows of " + std::to_string(a.rows), cite);
        }
        a.rows = total;
    }
    const std::vector<float> values = run.floats(x);
    const Tensor* weight_tensor = present(run, "weightOptional");
    const std::vector<float> weight = weight_tensor == nullptr ? std::vector<float>{} : run.floats(*weight_tensor);
    const auto limit = static_cast<float>(run.real("clampLimit"));
    a.values.reserve(static_cast<size_t>(a.rows * a.width));
    for (int64_t r = 0; r < a.rows; r++) {
        const float* row = &values[static_cast<size_t>(2 * r * a.width)];
        for (int64_t i = 0; i < a.width; i++) {
            float gate = row[i], up = row[a.width + i];
            if (limit > 0) {  // the gate has only an upper bound
                gate = std::fmin(gate, limit);
                up = std::clamp(up, -limit, limit);
            }
            const float y = gate / (1.0F + std::exp(-gate)) * up;
            a.values.push_back(weight.empty() ? y : y * weight[static_cast<size_t>(r)]);
        }
    }
    return a;
}

/** Stores the first rows of an output that is `width` elements a row; the rest keeps its contents. */
void store_rows(Run& run, const char* name, int64_t rows, int64_t width, const std::vector<float>& values) {
    Tensor view = *run.tensor(name);
    view.dims = {rows, width};
    view.strides = {width, 1};
    run.store(view, values);
}

void run(Run& run) {
    const Activated a = activate(run, kDoc);
    store_rows(run, "out", a.rows, a.width, a.values);
}

void quant_run(Run& run) {
    const Activated a = activate(run, kQuantDoc);
    const bool mx = run.integer("quantMode") == kMx;
    const auto target = static_cast<aclDataType>(run.integer("dstType"));
    const int64_t block = mx ? 32 : 128;
    const double wanted = run.real("dstTypeMax");
    const float max = wanted > 0 ? static_cast<float>(wanted) : largest(target);
    std::vector<float> quantised(a.values.size()), scales;
    for (int64_t r = 0; r < a.rows; r++) {
        for (int64_t at = 0; at < a.width; at += block) {
            const float* from = &a.values[static_cast<size_t>(r * a.width + at)];
            const int64_t n = std::min(block, a.width - at);
            const float amax = largest_magnitude(from, n);
            scales.push_back(run.flag("roundScale") ? power_scale(amax, max) : plain_scale(amax, max));
            divide_by(from, n, scales.back(), &quantised[static_cast<size_t>(r * a.width + at)]);
        }
        if (mx && ceil_div(a.width, block) % 2 != 0) {
            scales.push_back(std::ldexp(1.0F, -127));  // pairs of scales, zero padded
        }
    }
    store_rows(run, "yOut", a.rows, a.width, quantised);
    store_rows(run, "yScaleOut", a.rows, a.rows == 0 ? 0 : static_cast<int64_t>(scales.size()) / a.rows, scales);
    if (run.flag("outputOrigin")) {
        store_rows(run, "yOriginOut", a.rows, a.width, a.values);
    }
}

EMU_OP(swiglu_group, .name = "aclnnSwigluGroup", .cite = kDoc, .rule = rule, .run = run, .writes = {"out"});
EMU_OP(swiglu_group_quant, .name = "aclnnSwigluGroupQuant", .cite = kQuantDoc, .rule = quant_rule, .run = quant_run,
       .writes = {"yOut", "yScaleOut", "yOriginOut"});

}  // namespace

}  // namespace emu
