// aclnnMoeGatingTopK and V2: scores, expert selection by top-k or by a token table, weights.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "checks.h"

namespace emu {

namespace {

constexpr const char* kDoc = "ops-transformer docs aclnnMoeGatingTopK";
constexpr const char* kDocV2 = "ops-transformer docs aclnnMoeGatingTopKV2";
constexpr float kLinearSoftplus = 20.0F;  // above this log(1+e^x) is x in F32

enum NormType : int64_t { kSoftmax = 0, kSigmoid = 1, kSqrtSoftplus = 2 };

void check_groups(Call& call, int64_t experts, const char* cite) {
    const int64_t groups = call.integer("groupCount");
    const int64_t chosen = call.integer("kGroup");
    const int64_t mode = call.integer("groupSelectMode");
    expect_one_of(call, "groupSelectMode", mode, {0, 1}, kTiling, cite);
    call.require(groups > 0 && experts % groups == 0, kTiling,
                 "groupCount: must divide the " + std::to_string(experts) + " experts", cite);
    call.require(experts / groups > mode && ceil_div(experts / groups, 32) * 32 * groups <= 2048, kTiling,
                 "groupCount: groups of " + std::to_string(experts / groups) + " experts are too small or too many",
                 cite);
    expect_range(call, "kGroup", chosen, 1, groups, kTiling, cite);
    expect_range(call, "k", call.integer("k"), 1, experts / groups * chosen, kTiling, cite);
}

void check(Call& call, bool v2, const char* cite) {
    const Tensor& x = call.need("x");
    call.need("yOut");
    call.need("expertIdxOut");
    call.dtypes("x", {ACL_FLOAT, ACL_FLOAT16, ACL_BF16}, cite);
    call.dtypes("yOut", {x.dtype}, cite);
    call.dtypes("expertIdxOut", {ACL_INT32}, cite);
    call.require(x.rank() == 2 && x.dim(1) <= 2048, kTiling,
                 "x: expected [tokens, experts up to 2048]: found " + dims_text(x.dims), cite);
    if (const Tensor* bias = present(call, "biasOptional")) {
        call.dtypes("biasOptional", {ACL_FLOAT, ACL_FLOAT16, ACL_BF16}, cite);
        call.require(bias->dims == std::vector<int64_t>{x.dim(1)}, kTiling,
                     "bias: found " + dims_text(bias->dims) + " for " + std::to_string(x.dim(1)) + " experts", cite);
    }
    check_groups(call, x.dim(1), cite);
    const std::vector<int64_t> chosen{x.dim(0), call.integer("k")};
    for (const char* name : {"yOut", "expertIdxOut"}) {
        call.require(call.tensor(name)->dims == chosen, kTiling, std::string(name) + ": expected " + dims_text(chosen),
                     cite);
    }
    if (v2 && is950(call)) {
        expect_one_of(call, "normType", call.integer("normType"), {0, 1, 2}, kTiling, cite);
    } else {
        expect_one_of(call, "normType (2 is V2 on 950 only)", call.integer("normType"), {0, 1}, kTiling, cite);
    }
    expect_one_of(call, "renorm", call.integer("renorm"), {0, 1}, kTiling, cite);
    if (call.flag("outFlag")) {
        call.need("outOut");
        call.dtypes("outOut", {ACL_FLOAT}, cite);
        call.require(call.tensor("outOut")->dims == x.dims, kTiling, "out: expected the shape of x", cite);
    }
}

void rule(Call& call) {
    check(call, false, kDoc);
}

bool hash_mode(const Arguments& a) {
    return present(a, "inputIdsOptional") != nullptr && present(a, "tid2eidOptional") != nullptr;
}

void rule_v2(Call& call) {
    check(call, true, kDocV2);
    if (!hash_mode(call)) {
        return;
    }
    const int64_t k = call.integer("k");
    const int64_t experts = call.tensor("x")->dim(1);
    for (const char* name : {"inputIdsOptional", "tid2eidOptional"}) {
        call.dtypes(name, {ACL_INT32, ACL_INT64}, kDocV2);
    }
    call.require(k <= 64, kTiling, "k: at most 64 in hash mode", kDocV2);
    call.require(call.integer("kGroup") == call.integer("groupCount") || call.integer("groupCount") == experts, kTiling,
                 "kGroup: hash mode needs all groups", kDocV2);
    const Tensor& table = *call.tensor("tid2eidOptional");
    call.require(table.rank() == 2 && table.dim(1) == k, kTiling,
                 "tid2eid: expected [keys, " + std::to_string(k) + "]: found " + dims_text(table.dims), kDocV2);
    call.require(call.tensor("inputIdsOptional")->dims == std::vector<int64_t>{call.tensor("x")->dim(0)}, kTiling,
                 "inputIds: expected one id a token", kDocV2);
}

void normalise(int64_t type, const float* x, int64_t n, float* out) {
    if (type == kSoftmax) {
        const float max = *std::max_element(x, x + n);
        float sum = 0;
        for (int64_t i = 0; i < n; i++) {
            out[i] = std::exp(x[i] - max);
            sum += out[i];
        }
        for (int64_t i = 0; i < n; i++) {
            out[i] /= sum;
        }
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        out[i] = type == kSigmoid                ? 1.0F / (1.0F + std::exp(-x[i]))
                 : x[i] > kLinearSoftplus ? std::sqrt(x[i])
                                                 : std::sqrt(std::log1p(std::exp(x[i])));
    }
}

/** Indices of the k largest values, descending; equal values come in random order, as no document promises one. */
std::vector<int64_t> top(Run& run, const std::vector<float>& values, int64_t k) {
    std::vector<int64_t> order(values.size());
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), run.random());
    std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
        return values[static_cast<size_t>(a)] > values[static_cast<size_t>(b)];
    });
    order.resize(static_cast<size_t>(k));
    return order;
}

void mask_groups(Run& run, std::vector<float>& values) {
    const int64_t groups = run.integer("groupCount");
    const int64_t kept = run.integer("kGroup");
    if (groups == 1 || kept == groups) {
        return;
    }
    const int64_t size = static_cast<int64_t>(values.size()) / groups;
    std::vector<float> scores;
    for (int64_t g = 0; g < groups; g++) {
        std::vector<float> members(values.begin() + g * size, values.begin() + (g + 1) * size);
        std::sort(members.rbegin(), members.rend());
        scores.push_back(run.integer("groupSelectMode") == 0 ? members[0] : members[0] + members[1]);
    }
    std::vector<bool> keep(static_cast<size_t>(groups));
    for (int64_t g : top(run, scores, kept)) {
        keep[static_cast<size_t>(g)] = true;
    }
    for (size_t i = 0; i < values.size(); i++) {
        if (!keep[i / static_cast<size_t>(size)]) {
            values[i] = -std::numeric_limits<float>::infinity();
        }
    }
}

std::vector<int64_t> looked_up(Run& run, const std::vector<int64_t>& table, int64_t id, int64_t k, int64_t experts) {
    const int64_t keys = static_cast<int64_t>(table.size()) / k;
    if (id < 0 || id >= keys) {
        run.device_exception("input id " + std::to_string(id) + " outside the table of " + std::to_string(keys),
                             kDocV2);
    }
    std::vector<int64_t> chosen(table.begin() + id * k, table.begin() + (id + 1) * k);
    for (int64_t expert : chosen) {
        if (expert < 0 || expert >= experts) {
            run.device_exception("expert " + std::to_string(expert) + " in row " + std::to_string(id) + " of tid2eid",
                                 kDocV2);
        }
    }
    return chosen;
}

void gate(Run& run, bool hash) {
    const Tensor& x = *run.tensor("x");
    const int64_t experts = x.dim(1), k = run.integer("k"), type = run.integer("normType");
    const std::vector<float> logits = run.floats(x);
    const Tensor* bias_tensor = present(run, "biasOptional");
    const std::vector<float> bias = bias_tensor == nullptr ? std::vector<float>{} : run.floats(*bias_tensor);
    const std::vector<int64_t> ids = hash ? run.ints(*run.tensor("inputIdsOptional")) : std::vector<int64_t>{};
    const std::vector<int64_t> table = hash ? run.ints(*run.tensor("tid2eidOptional")) : std::vector<int64_t>{};
    const bool renorm = type != kSoftmax || run.integer("renorm") == 1;
    const auto eps = static_cast<float>(run.real("eps"));
    const auto factor = static_cast<float>(run.real("routedScalingFactor"));
    std::vector<float> norms(logits.size()), weights;
    std::vector<int64_t> chosen;
    for (int64_t t = 0; t < x.dim(0); t++) {
        float* norm = &norms[static_cast<size_t>(t * experts)];
        normalise(type, &logits[static_cast<size_t>(t * experts)], experts, norm);
        std::vector<int64_t> picked;
        if (hash) {
            picked = looked_up(run, table, ids[static_cast<size_t>(t)], k, experts);
        } else {
            std::vector<float> values(norm, norm + experts);
            for (size_t e = 0; e < bias.size(); e++) {
                values[e] += bias[e];  // the bias decides who is selected, not with which weight
            }
            mask_groups(run, values);
            picked = top(run, values, k);
        }
        float sum = 0;
        for (int64_t e : picked) {
            sum += norm[e];
        }
        for (int64_t e : picked) {
            weights.push_back((renorm ? norm[e] / (sum + eps) : norm[e]) * factor);
            chosen.push_back(e);
        }
    }
    run.store(*run.tensor("yOut"), weights);
    run.store(*run.tensor("expertIdxOut"), chosen);
    if (run.flag("outFlag")) {
        run.store(*run.tensor("outOut"), norms);
    }
}

void run_v1(Run& run) {
    gate(run, false);
}

void run_v2(Run& run) {
    gate(run, hash_mode(run));
}

EMU_OP(gating, .name = "aclnnMoeGatingTopK", .cite = kDoc, .rule = rule, .run = run_v1,
       .writes = {"yOut", "expertIdxOut", "outOut"});
EMU_OP(gating_v2, .name = "aclnnMoeGatingTopKV2", .cite = kDocV2, .rule = rule_v2, .run = run_v2,
       .writes = {"yOut", "expertIdxOut", "outOut"});

}  // namespace

}  // namespace emu
