// aclnnMoeInitRoutingV3: tokens copied and grouped by expert, optionally quantised on the way.
#include <algorithm>
#include <array>
#include <limits>
#include <numeric>

#include "checks.h"
#include "quantise.h"
#include "rows.h"

namespace emu {

namespace {

constexpr const char* kDoc = "ops-transformer docs aclnnMoeInitRoutingV3";

enum QuantMode : int64_t { kNone = -1, kInt8 = 1, kMxE5m2 = 2, kMxE4m3 = 3, kGroupE5m2 = 4, kGroupE4m3 = 5 };
enum CountType : int64_t { kCumsum = 0, kCount = 1, kKeyValue = 2 };

struct Problem {
    int64_t rows, choices, width, start, end, experts;
    int64_t pairs() const { return rows * choices; }
};

Problem problem(const Arguments& a) {
    const Tensor& x = *a.tensor("x");
    const std::vector<int64_t>* range = a.integers("activeExpertRangeOptional");
    const int64_t experts = a.integer("expertNum");
    const bool all = range == nullptr || range->empty();
    return {x.dim(0),  a.tensor("expertIdx")->dim(1), x.dim(1), all ? 0 : (*range)[0], all ? experts : (*range)[1],
            experts};
}

aclDataType target_of(int64_t mode, aclDataType unquantised) {
    switch (mode) {
        case kNone: return unquantised;
        case kInt8: return ACL_INT8;
        case kMxE5m2:
        case kGroupE5m2: return ACL_FLOAT8_E5M2;
        default: return ACL_FLOAT8_E4M3FN;
    }
}

void check_mode(Call& call, int64_t mode) {
    if (!is950(call)) {
        expect_one_of(call, "quantMode on A2 and A3", mode, {kNone, kInt8}, kInvalid, kDoc);
    }
    expect_one_of(call, "quantMode", mode, {-1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 16, 17}, kInvalid,
                  kDoc);
    if (mode < kNone || mode == 0 || mode > kGroupE4m3) {
        call.refuse(kNoKernel, "EMULATOR: quantMode " + std::to_string(mode) + " is not emulated", kDoc);
    }
}

void check_scale_out(Call& call, const Problem& p, int64_t mode) {
    const Tensor* out = present(call, "expandedScaleOut");
    if (mode == kNone) {
        if (const Tensor* scale = present(call, "scaleOptional")) {
            expect_dims(call, "scaleOptional", *scale, {p.rows}, kDoc);
            call.dtypes("scaleOptional", {ACL_FLOAT}, kDoc);
            call.need("expandedScaleOut");
            call.shape("expandedScaleOut", {p.pairs()}, kDoc);
            call.dtypes("expandedScaleOut", {ACL_FLOAT}, kDoc);
        }
        return;
    }
    call.require(out != nullptr, kInvalid, "expandedScaleOut: required when quantising", kDoc);
    if (mode == kInt8) {
        call.dtypes("expandedScaleOut", {ACL_FLOAT}, kDoc);
        expect_dims(call, "expandedScaleOut", *out, {p.pairs()}, kDoc);
        if (const Tensor* smooth = present(call, "scaleOptional")) {
            expect_dims(call, "scaleOptional", *smooth, {p.end - p.start, p.width}, kDoc);
        }
    } else if (mode == kMxE5m2 || mode == kMxE4m3) {
        call.dtypes("expandedScaleOut", {ACL_FLOAT8_E8M0}, kDoc);
        expect_dims(call, "expandedScaleOut", *out, {p.pairs(), ceil_div(ceil_div(p.width, 32), 2) * 2}, kDoc);
    } else {
        call.dtypes("expandedScaleOut", {ACL_FLOAT}, kDoc);
        expect_dims(call, "expandedScaleOut", *out, {p.pairs(), ceil_div(p.width, 128)}, kDoc);
    }
}

void rule(Call& call) {
    const Tensor& x = call.need("x");
    const Tensor& experts = call.need("expertIdx");
    const int64_t mode = call.integer("quantMode");
    for (const char* name : {"expandedXOut", "expandedRowIdxOut", "expertTokensCountOrCumsumOut"}) {
        call.need(name);
    }
    call.dtypes("expertIdx", {ACL_INT32}, kDoc);
    call.dtypes("expandedRowIdxOut", {ACL_INT32}, kDoc);
    call.dtypes("expertTokensCountOrCumsumOut", {ACL_INT64}, kDoc);
    call.require(x.rank() == 2 && experts.rank() == 2 && experts.dim(0) == x.dim(0), kInvalid,
                 "x [rows, H] and expertIdx [rows, K]: found " + dims_text(x.dims) + " and " + dims_text(experts.dims),
                 kDoc);
    if (mode == kNone && is950(call)) {
        call.dtypes("x",
                    {ACL_FLOAT, ACL_FLOAT16, ACL_BF16, ACL_INT8, ACL_HIFLOAT8, ACL_FLOAT4_E2M1, ACL_FLOAT8_E4M3FN,
                     ACL_FLOAT8_E5M2},
                    kDoc);
    } else if (mode == kNone) {
        call.dtypes("x", {ACL_FLOAT, ACL_FLOAT16, ACL_BF16, ACL_INT8}, kDoc);
    } else {
        call.dtypes("x", {ACL_FLOAT, ACL_FLOAT16, ACL_BF16}, kDoc);
    }
    check_mode(call, mode);
    const Problem p = problem(call);
    const int64_t count_type = call.integer("expertTokensNumType");
    expect_one_of(call, "dropPadMode", call.integer("dropPadMode"), {0, 1}, kInvalid, kDoc);
    if (call.integer("dropPadMode") == 1) {
        call.refuse(kNoKernel, "EMULATOR: dropPadMode 1 is not emulated", kDoc);
    }
    expect_one_of(call, "expertTokensNumType", count_type, {0, 1, 2}, kInvalid, kDoc);
    call.require(call.flag("expertTokensNumFlag"), kInvalid, "expertTokensNumFlag: must be true", kDoc);
    expect_one_of(call, "rowIdxType", call.integer("rowIdxType"), {0, 1}, kInvalid, kDoc);
    expect_range(call, "expertNum", p.experts, 1, count_type == kKeyValue ? 5120 : 10240, kInvalid, kDoc);
    call.require(0 <= p.start && p.start < p.end && p.end <= p.experts, kInvalid,
                 "activeExpertRange: found " + std::to_string(p.start) + ".." + std::to_string(p.end), kDoc);
    const int64_t active = call.integer("activeNum");
    call.require(active == p.pairs() || (is950(call) && (active == -1 || active == 0)), kInvalid,
                 "activeNum: expected rows*K, on 950 also -1 or 0: found " + std::to_string(active), kDoc);
    call.require(present(call, "offsetOptional") == nullptr, kInvalid, "offset: only for static quantisation", kDoc);
    call.dtypes("expandedXOut", {target_of(mode, x.dtype)}, kDoc);
    call.shape("expandedXOut", {p.pairs(), p.width}, kDoc);
    call.shape("expandedRowIdxOut", {p.pairs()}, kDoc);
    call.shape("expertTokensCountOrCumsumOut",
               count_type == kKeyValue ? std::vector<int64_t>{p.experts, 2} : std::vector<int64_t>{p.end - p.start},
               kDoc);
    check_scale_out(call, p, mode);
}

/** Pairs of the active experts in expert order; the pair number is row*K + choice. */
std::vector<int64_t> sorted_pairs(Run& run, const Problem& p, const std::vector<int64_t>& experts) {
    std::vector<int64_t> pairs;
    for (int64_t i = 0; i < p.pairs(); i++) {
        const int64_t expert = experts[static_cast<size_t>(i)];
        if (expert < -1 || expert >= p.experts) {
            run.device_exception("expert " + std::to_string(expert) + " of " + std::to_string(p.experts), kDoc);
        }
        if (expert >= p.start && expert < p.end) {
            pairs.push_back(i);
        }
    }
    std::stable_sort(pairs.begin(), pairs.end(), [&](int64_t a, int64_t b) {
        return experts[static_cast<size_t>(a)] < experts[static_cast<size_t>(b)];
    });
    return pairs;
}

void store_counts(Run& run, const Problem& p, const std::vector<int64_t>& experts, const std::vector<int64_t>& pairs) {
    std::vector<int64_t> counts(static_cast<size_t>(p.end - p.start));
    for (int64_t pair : pairs) {
        counts[static_cast<size_t>(experts[static_cast<size_t>(pair)] - p.start)]++;
    }
    const Tensor& out = *run.tensor("expertTokensCountOrCumsumOut");
    switch (run.integer("expertTokensNumType")) {
        case kCumsum: std::partial_sum(counts.begin(), counts.end(), counts.begin()); break;
        case kKeyValue: {
            std::vector<int64_t> table;
            for (size_t e = 0; e < counts.size(); e++) {
                if (counts[e] != 0) {
                    table.push_back(static_cast<int64_t>(e) + p.start);
                    table.push_back(counts[e]);
                }
            }
            table.resize(static_cast<size_t>(2 * p.experts));  // a row of zeros ends the list
            run.store(out, table);
            return;
        }
        default: break;
    }
    run.store(out, counts);
}

void store_row_index(Run& run, const Problem& p, const std::vector<int64_t>& pairs) {
    std::vector<int64_t> index(static_cast<size_t>(p.pairs()), -1);
    if (run.integer("rowIdxType") == 0) {  // pair -> row of expandedX
        for (size_t i = 0; i < pairs.size(); i++) {
            index[static_cast<size_t>(pairs[i])] = static_cast<int64_t>(i);
        }
    } else {  // row of expandedX -> pair; the tail is not initialised
        std::copy(pairs.begin(), pairs.end(), index.begin());
        std::fill(index.begin() + static_cast<int64_t>(pairs.size()), index.end(), 0x7FFFFFFF);
    }
    run.store(*run.tensor("expandedRowIdxOut"), index);
}

/** One expanded row in the target format: scaled values and the scales. */
void quantise_row(int64_t mode, const float* row, int64_t width, float* values, std::vector<float>& scales) {
    const aclDataType target = target_of(mode, ACL_FLOAT);
    if (mode == kInt8) {
        scales.push_back(plain_scale(largest_magnitude(row, width), largest(target)));
        divide_by(row, width, scales.back(), values);
        return;
    }
    const bool mx = mode == kMxE5m2 || mode == kMxE4m3;
    const int64_t block = mx ? 32 : 128;
    for (int64_t at = 0; at < width; at += block) {
        const int64_t n = std::min(block, width - at);
        const float amax = largest_magnitude(row + at, n);
        scales.push_back(mx ? mx_scale(amax, target) : power_scale(amax, largest(target)));
        divide_by(row + at, n, scales.back(), values + at);
    }
    if (mx && ceil_div(width, 32) % 2 != 0) {
        scales.push_back(mx_scale(0, target));  // pairs of scales, zero padded
    }
}

void run(Run& run) {
    const Problem p = problem(run);
    const int64_t mode = run.integer("quantMode");
    const std::vector<float> x = run.floats(*run.tensor("x"));
    const std::vector<int64_t> experts = run.ints(*run.tensor("expertIdx"));
    const std::vector<int64_t> pairs = sorted_pairs(run, p, experts);
    const Tensor* scale_tensor = present(run, "scaleOptional");
    const std::vector<float> scale = scale_tensor == nullptr ? std::vector<float>{} : run.floats(*scale_tensor);
    const Tensor& expanded = *run.tensor("expandedXOut");
    const float poison = expanded.dtype == ACL_INT8 ? 85.0F : std::numeric_limits<float>::quiet_NaN();
    std::vector<float> out(static_cast<size_t>(p.pairs() * p.width), poison), scales, row(static_cast<size_t>(p.width));
    for (size_t i = 0; i < pairs.size(); i++) {
        const int64_t source = pairs[i] / p.choices;
        std::copy_n(&x[static_cast<size_t>(source * p.width)], p.width, row.begin());
        float* values = &out[i * static_cast<size_t>(p.width)];
        if (mode == kNone) {
            std::copy(row.begin(), row.end(), values);
            if (!scale.empty()) {
                scales.push_back(scale[static_cast<size_t>(source)]);
            }
            continue;
        }
        if (mode == kInt8 && !scale.empty()) {
            const int64_t expert = experts[static_cast<size_t>(pairs[i])] - p.start;
            for (int64_t h = 0; h < p.width; h++) {
                row[static_cast<size_t>(h)] *= scale[static_cast<size_t>(expert * p.width + h)];
            }
        }
        quantise_row(mode, row.data(), p.width, values, scales);
    }
    run.store(expanded, out);  // rows without a pair are not initialised
    if (!scales.empty()) {
        const Tensor& scale_out = *run.tensor("expandedScaleOut");
        scales.resize(static_cast<size_t>(scale_out.numel()), std::numeric_limits<float>::quiet_NaN());
        run.store(scale_out, scales);
    }
    store_row_index(run, p, pairs);
    store_counts(run, p, experts, pairs);
}

EMU_OP(init_routing, .name = "aclnnMoeInitRoutingV3", .cite = kDoc, .rule = rule, .run = run,
       .writes = {"expandedXOut", "expandedRowIdxOut", "expertTokensCountOrCumsumOut", "expandedScaleOut"});

}  // namespace

}  // namespace emu
