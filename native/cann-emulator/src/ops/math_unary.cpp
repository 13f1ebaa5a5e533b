// Element-wise operators of one tensor: one row of the table each.
#include <cmath>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "checks.h"
#include "support.h"

namespace emu {
namespace {

/** How an operator treats integer operands. */
enum class Whole { refused, as_float, exact };

struct Unary {
    const char* name;
    const char* cite;
    Whole integers;
    float (*real)(float);
    int64_t (*whole)(int64_t) = nullptr;
    bool generated = false;  // the executor comes from an op definition
};

float sigmoid(float x) {
    return 1.0F / (1.0F + std::exp(-x));
}

const Unary table[] = {
    {"aclnnExp", "ops-math docs aclnnExp", Whole::as_float, [](float x) { return std::exp(x); }},
    {"aclnnLog", "ops-math docs aclnnLog", Whole::as_float, [](float x) { return std::log(x); }},
    {"aclnnSqrt", "ops-math docs aclnnSqrt", Whole::as_float, [](float x) { return std::sqrt(x); }},
    {"aclnnRsqrt", "ops-math docs aclnnRsqrt", Whole::as_float, [](float x) { return 1.0F / std::sqrt(x); }},
    {"aclnnReciprocal", "ops-math docs aclnnReciprocal", Whole::as_float, [](float x) { return 1.0F / x; }},
    {"aclnnNeg", "ops-math docs aclnnNeg", Whole::exact, [](float x) { return -x; }, [](int64_t x) { return -x; }},
    {"aclnnAbs", "ops-math docs aclnnAbs", Whole::exact, [](float x) { return std::fabs(x); },
     [](int64_t x) { return x < 0 ? -x : x; }},
    {"aclnnSin", "ops-math docs aclnnSin", Whole::as_float, [](float x) { return std::sin(x); }},
    {"aclnnCos", "ops-math docs aclnnCos", Whole::as_float, [](float x) { return std::cos(x); }},
    {"aclnnSilu", "ops-nn docs aclnnSilu", Whole::refused, [](float x) { return x * sigmoid(x); }},
    {"aclnnSigmoid", "ops-nn docs aclnnSigmoid", Whole::as_float, sigmoid},
    {"aclnnRelu", "ops-nn docs aclnnRelu", Whole::exact, [](float x) { return x > 0 ? x : x != x ? x : 0.0F; },
     [](int64_t x) { return x > 0 ? x : 0; }, true},
    // the tanh form, as the document of the operator gives it
    {"aclnnGelu", "ops-nn docs aclnnGelu", Whole::refused,
     [](float x) { return 0.5F * x * (1 + std::tanh(0.7978845608F * (x + 0.044715F * x * x * x))); }},
};

const Unary& row(const char* op) {
    for (const Unary& u : table) {
        if (std::string_view(u.name) == op) {
            return u;
        }
    }
    std::abort();
}

void unary_rule(Call& call) {
    const Unary& u = row(call.op());
    const Tensor& self = call.need("self");
    if (u.integers == Whole::refused) {
        call.dtypes("self", kFloats, u.cite);
    } else {
        call.dtypes("self", kNumbers, u.cite);
    }
    call.require(self.dtype != ACL_BOOL || u.integers == Whole::as_float, kInvalid, "self is BOOL", u.cite);
    convertible(call, is_float(self.dtype) || u.integers == Whole::exact ? self.dtype : ACL_FLOAT, "out", u.cite);
    call.dtypes("out", kNumbers, u.cite);
    same_shape(call, "out", self.dims, u.cite);
    max_rank(call, "self", 8, u.cite);
}

void unary_run(Run& run) {
    const Unary& u = row(run.op());
    const Tensor &self = *run.tensor("self"), &out = *run.tensor("out");
    if (!is_float(self.dtype) && u.integers == Whole::exact) {
        std::vector<int64_t> values = run.ints(self);
        for (int64_t& v : values) {
            v = wrapped(self.dtype, u.whole(v));
        }
        run.store(out, values);
        return;
    }
    std::vector<float> values = run.floats(self);
    for (float& v : values) {
        v = u.real(v);
    }
    run.store(out, values);
}

const bool registered = [] {
    for (const Unary& u : table) {
        Registration(Op{u.name, u.cite, unary_rule, unary_run, {}, true, !u.generated, true});
    }
    return true;
}();

// ---- with scalars

constexpr const char* kClampDoc = "ops-math docs aclnnClamp";

void clamp_rule(Call& call) {
    const Tensor& self = call.need("self");
    call.dtypes("self", {ACL_FLOAT, ACL_FLOAT16, ACL_BF16, ACL_DOUBLE, ACL_INT8, ACL_UINT8, ACL_INT16, ACL_INT32,
                         ACL_INT64},
                kClampDoc);
    call.require(call.has("clipValueMin") || call.has("clipValueMax"), kNullPointer,
                 "clipValueMin and clipValueMax are both NULL", kClampDoc);
    convertible(call, self.dtype, "out", kClampDoc);
    call.dtypes("out", kNumbers, kClampDoc);
    same_shape(call, "out", self.dims, kClampDoc);
}

template <typename T>
std::vector<T> clamped(Run& run, std::vector<T> values) {
    for (T& v : values) {
        if (run.has("clipValueMin") && v < static_cast<T>(run.scalar("clipValueMin"))) {
            v = static_cast<T>(run.scalar("clipValueMin"));
        }
        if (run.has("clipValueMax") && v > static_cast<T>(run.scalar("clipValueMax"))) {
            v = static_cast<T>(run.scalar("clipValueMax"));
        }
    }
    return values;
}

void clamp_run(Run& run) {
    const Tensor &self = *run.tensor("self"), &out = *run.tensor("out");
    if (is_float(self.dtype)) {
        run.store(out, clamped(run, run.floats(self)));
    } else {
        run.store(out, clamped(run, run.ints(self)));
    }
}

EMU_OP(clamp, "aclnnClamp", kClampDoc, clamp_rule, clamp_run, {}, true, true, true);

constexpr const char* kSoftplusDoc = "ops-nn docs aclnnSoftplus";

void softplus_rule(Call& call) {
    call.need("self");
    call.dtypes("self", kFloats, kSoftplusDoc);
    call.require(call.has("beta") && call.has("threshold"), kNullPointer, "beta or threshold is NULL", kSoftplusDoc);
    convertible(call, ACL_FLOAT, "out", kSoftplusDoc);
    same_shape(call, "out", call.need("self").dims, kSoftplusDoc);
}

void softplus_run(Run& run) {
    const auto beta = static_cast<float>(run.scalar("beta")), threshold = static_cast<float>(run.scalar("threshold"));
    std::vector<float> values = run.floats(*run.tensor("self"));
    for (float& v : values) {
        v = v * beta > threshold ? v : std::log1p(std::exp(v * beta)) / beta;
    }
    run.store(*run.tensor("out"), values);
}

EMU_OP(softplus, "aclnnSoftplus", kSoftplusDoc, softplus_rule, softplus_run, {}, true, true, true);

}  // namespace
}  // namespace emu
