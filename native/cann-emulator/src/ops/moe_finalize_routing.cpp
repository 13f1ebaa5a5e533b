// aclnnMoeFinalizeRoutingV2: weighted sum of the experts' rows of each token, plus shared experts.
#include <algorithm>
#include <numeric>

#include "checks.h"

namespace emu {

namespace {

constexpr const char* kDoc = "ops-transformer docs aclnnMoeFinalizeRoutingV2";

int64_t choices(const Arguments& a) {
    const Tensor* scales = present(a, "scalesOptional");
    return scales == nullptr ? 1 : scales->dim(1);  // without scales K is 1
}

bool droppable(const Arguments& a) {
    return a.integer("dropPadMode") % 2 == 1;
}

void expect(Call& call, const char* name, const std::vector<int64_t>& dims) {
    const Tensor* tensor = present(call, name);
    if (tensor != nullptr && tensor->dims != dims) {
        call.refuse(kInnerNull, std::string(name) + ": found " + dims_text(tensor->dims) + ", expected " +
                                    dims_text(dims),
                    kDoc);
    }
}

void rule(Call& call) {
    const Tensor& x = call.need("expandedX");
    const Tensor& out = call.need("out");
    call.need("expandedRowIdx");
    call.dtypes("expandedX", {ACL_FLOAT, ACL_FLOAT16, ACL_BF16}, kDoc);
    call.dtypes("expandedRowIdx", {ACL_INT32}, kDoc);
    expect_range(call, "dropPadMode", call.integer("dropPadMode"), 0, 3, kInvalid, kDoc);
    for (const char* name : {"out", "x1Optional", "x2Optional", "biasOptional"}) {
        if (present(call, name) != nullptr) {
            call.dtypes(name, {x.dtype}, kDoc);
        }
    }
    call.require(out.rank() == 2 && x.rank() == (droppable(call) ? 3 : 2), kInvalid,
                 "expandedX, out: found " + dims_text(x.dims) + " and " + dims_text(out.dims), kDoc);
    const int64_t rows = out.dim(0), width = out.dim(1), k = choices(call);
    if (const Tensor* scales = present(call, "scalesOptional")) {
        call.dtypes("scalesOptional", {ACL_FLOAT, ACL_FLOAT16, ACL_BF16}, kDoc);
        call.require(is950(call) || scales->dtype == x.dtype || (x.dtype == ACL_BF16 && scales->dtype == ACL_FLOAT),
                     kInvalid, "scales: A2 and A3 need the dtype of expandedX, or FLOAT for BF16", kDoc);
        expect(call, "scalesOptional", {rows, k});
    }
    call.require(x.dim(-1) == width && (droppable(call) || x.dim(0) == rows * k), kInnerNull,
                 "expandedX: found " + dims_text(x.dims) + " for " + std::to_string(rows) + " rows of " +
                     std::to_string(k) + " experts",
                 kDoc);
    expect(call, "expandedRowIdx", {rows * k});
    expect(call, "x1Optional", out.dims);
    expect(call, "x2Optional", out.dims);
    call.require(present(call, "x1Optional") != nullptr || present(call, "x2Optional") == nullptr, kInvalid,
                 "x2: only together with x1", kDoc);
    if (const Tensor* bias = present(call, "biasOptional")) {
        call.require(present(call, "expertIdxOptional") != nullptr, kInvalid, "bias: needs expertIdx", kDoc);
        call.require(bias->rank() == 2 && bias->dim(1) == width, kInnerNull, "bias: found " + dims_text(bias->dims),
                     kDoc);
    }
    if (present(call, "expertIdxOptional") != nullptr) {
        call.dtypes("expertIdxOptional", {ACL_INT32}, kDoc);
        expect(call, "expertIdxOptional", {rows, k});
    }
    expect_contiguous(call, "out", kDoc);
}

std::vector<float> floats_of(Run& run, const char* name) {
    const Tensor* tensor = present(run, name);
    return tensor == nullptr ? std::vector<float>{} : run.floats(*tensor);
}

void run(Run& run) {
    const Tensor& out = *run.tensor("out");
    const int64_t rows = out.dim(0), width = out.dim(1), k = choices(run);
    const bool by_column = run.integer("dropPadMode") < 2, may_drop = droppable(run);
    const std::vector<float> x = run.floats(*run.tensor("expandedX"));
    const std::vector<int64_t> index = run.ints(*run.tensor("expandedRowIdx"));
    const std::vector<float> scales = floats_of(run, "scalesOptional"), bias = floats_of(run, "biasOptional");
    const std::vector<float> x1 = floats_of(run, "x1Optional"), x2 = floats_of(run, "x2Optional");
    const std::vector<int64_t> experts = bias.empty() ? std::vector<int64_t>{}
                                                      : run.ints(*run.tensor("expertIdxOptional"));
    const int64_t entries = static_cast<int64_t>(x.size()) / std::max<int64_t>(width, 1);
    std::vector<float> sums(static_cast<size_t>(rows * width));
    std::vector<int64_t> order(static_cast<size_t>(k));
    std::iota(order.begin(), order.end(), 0);
    for (int64_t r = 0; r < rows; r++) {
        float* sum = &sums[static_cast<size_t>(r * width)];
        for (const std::vector<float>* shared : {&x1, &x2}) {
            for (int64_t h = 0; h < width && !shared->empty(); h++) {
                sum[h] += (*shared)[static_cast<size_t>(r * width + h)];
            }
        }
        if (run.jitter()) {
            std::shuffle(order.begin(), order.end(), run.random());
        }
        for (int64_t c : order) {
            const int64_t entry = index[static_cast<size_t>(by_column ? c * rows + r : r * k + c)];
            if (entry == -1 && may_drop) {
                continue;
            }
            if (entry < 0 || entry >= entries) {
                run.device_exception("expandedRowIdx " + std::to_string(entry) + " outside the " +
                                         std::to_string(entries) + " rows of expandedX",
                                     kDoc);
            }
            const float scale = scales.empty() ? 1.0F : scales[static_cast<size_t>(r * k + c)];
            const float* added =
                bias.empty() ? nullptr : &bias[static_cast<size_t>(experts[static_cast<size_t>(r * k + c)] * width)];
            for (int64_t h = 0; h < width; h++) {
                const float value = x[static_cast<size_t>(entry * width + h)];
                sum[h] += scale * (added == nullptr ? value : value + added[h]);
            }
        }
    }
    run.store(out, sums);
}

EMU_OP(finalize_routing, .name = "aclnnMoeFinalizeRoutingV2", .cite = kDoc, .rule = rule, .run = run,
       .writes = {"out"});

}  // namespace

}  // namespace emu
