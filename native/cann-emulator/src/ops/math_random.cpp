// Random numbers: a seed and an offset give the same values every time. Which values is CANN's own affair.
#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "checks.h"
#include "support.h"

namespace emu {
namespace {

constexpr const char* kMultinomialDoc = "ops-math docs aclnnMultinomial";
constexpr const char* kUniformDoc = "ops-math docs aclnnInplaceUniform";
constexpr const char* kNormalDoc = "ops-math docs aclnnInplaceNormal";
constexpr const char* kRandomDoc = "ops-math docs aclnnInplaceRandom";

std::mt19937_64 source(const Arguments& a) {
    std::seed_seq seed{a.integer("seed"), a.integer("offset")};
    return std::mt19937_64(seed);
}

double unit(std::mt19937_64& random) {
    return static_cast<double>(random() >> 11) * 0x1p-53;
}

// ---- drawing by weight

void multinomial_rule(Call& call) {
    const Tensor& self = call.need("self");
    call.dtypes("self", {ACL_FLOAT, ACL_FLOAT16, ACL_BF16, ACL_DOUBLE}, kMultinomialDoc);
    call.require(self.rank() == 1 || self.rank() == 2, kInvalid, "self is " + describe(self), kMultinomialDoc);
    const int64_t samples = call.integer("numsamples");
    call.require(samples > 0, kInvalid, "numsamples is not positive", kMultinomialDoc);
    call.require(call.flag("replacement") || samples <= self.dim(-1), kInvalid,
                 "more samples than categories without replacement", kMultinomialDoc);
    call.need("out");
    call.dtypes("out", {ACL_INT64}, kMultinomialDoc);
    Dims expected = self.dims;
    expected.back() = samples;
    call.shape("out", expected, kMultinomialDoc);
}

int64_t draw(const std::vector<double>& weights, std::mt19937_64& random) {
    double total = 0;
    for (double w : weights) {
        total += w;
    }
    double left = unit(random) * total;
    int64_t last = 0;
    for (size_t i = 0; i < weights.size(); i++) {
        if (weights[i] > 0) {
            last = static_cast<int64_t>(i);
            left -= weights[i];
            if (left < 0) {
                break;
            }
        }
    }
    return last;
}

void multinomial_run(Run& run) {
    const Tensor& self = *run.tensor("self");
    const std::vector<float> values = run.floats(self);
    std::mt19937_64 random = source(run);
    std::vector<int64_t> out;
    for (size_t first = 0; first < values.size(); first += static_cast<size_t>(self.dim(-1))) {
        std::vector<double> weights(values.begin() + static_cast<int64_t>(first),
                                    values.begin() + static_cast<int64_t>(first) + self.dim(-1));
        for (double w : weights) {
            if (!(w >= 0) || std::isinf(w)) {
                run.device_exception("a weight is negative or not finite", kMultinomialDoc);
            }
        }
        for (int64_t s = 0; s < run.integer("numsamples"); s++) {
            out.push_back(draw(weights, random));
            if (!run.flag("replacement")) {
                weights[static_cast<size_t>(out.back())] = 0;
            }
        }
    }
    run.store(*run.tensor("out"), out);
}

// ---- filling

void fill_rule(Call& call, DtypeList allowed, bool ordered, const char* cite) {
    call.need("selfRef");
    call.dtypes("selfRef", allowed, cite);
    max_rank(call, "selfRef", 8, cite);
    call.require(ordered, kInvalid, "the range is empty", cite);
}

template <typename Draw>
void fill(Run& run, Draw next) {
    const Tensor& self = *run.tensor("selfRef");
    std::mt19937_64 random = source(run);
    std::vector<float> values(static_cast<size_t>(self.numel()));
    for (float& v : values) {
        v = static_cast<float>(next(random));
    }
    run.store(self, values);
}

void uniform_run(Run& run) {
    const double from = run.real("from"), to = run.real("to");
    fill(run, [=](std::mt19937_64& random) { return from + (to - from) * unit(random); });
}

void normal_run(Run& run) {
    const double mean = run.real("mean"), deviation = run.real("std");
    fill(run, [=](std::mt19937_64& random) {
        const double radius = std::sqrt(-2 * std::log(1 - unit(random)));
        return mean + deviation * radius * std::cos(6.283185307179586 * unit(random));
    });
}

void random_run(Run& run) {
    const auto from = static_cast<double>(run.integer("from")), to = static_cast<double>(run.integer("to"));
    fill(run, [=](std::mt19937_64& random) { return from + std::floor((to - from) * unit(random)); });
}

EMU_OP(multinomial, "aclnnMultinomial", kMultinomialDoc, multinomial_rule, multinomial_run, {}, true, true);
EMU_OP(uniform, "aclnnInplaceUniform", kUniformDoc,
       [](Call& call) { fill_rule(call, kNumbers, call.real("from") <= call.real("to"), kUniformDoc); }, uniform_run,
       {"selfRef"}, true, true);
EMU_OP(normal, "aclnnInplaceNormal", kNormalDoc,
       [](Call& call) { fill_rule(call, kFloats, call.real("std") >= 0,
                                  kNormalDoc); }, normal_run, {"selfRef"}, true, true);
EMU_OP(random, "aclnnInplaceRandom", kRandomDoc,
       [](Call& call) { fill_rule(call, kNumbers, call.integer("from") < call.integer("to"), kRandomDoc); }, random_run,
       {"selfRef"}, true, true);

}  // namespace
}  // namespace emu
