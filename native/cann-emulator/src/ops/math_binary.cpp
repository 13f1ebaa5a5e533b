// Element-wise operators of two tensors, or of a tensor and a scalar: arithmetic, comparison, logic, selection.
#include <cmath>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "checks.h"
#include "support.h"

namespace emu {
namespace {

enum class Result { operands, quotient, truth };
enum class Other { tensor, scalar };
enum class Alpha { none, yes };

struct Binary {
    const char* name;
    const char* cite;
    Other other;
    Alpha alpha;
    Result result;
    float (*real)(float, float);
    int64_t (*whole)(int64_t, int64_t);
    const char* self = "self";
    const char* out = "out";  // selfRef for in-place forms
};

constexpr float add(float a, float b) { return a + b; }
constexpr int64_t add_whole(int64_t a, int64_t b) { return a + b; }
constexpr float multiply(float a, float b) { return a * b; }
constexpr int64_t multiply_whole(int64_t a, int64_t b) { return a * b; }

const Binary table[] = {
    {"aclnnAdd", "ops-math docs aclnnAdd", Other::tensor, Alpha::yes, Result::operands, add, add_whole},
    {"aclnnAdds", "ops-math docs aclnnAdds", Other::scalar, Alpha::yes, Result::operands, add, add_whole},
    {"aclnnSub", "ops-math docs aclnnSub", Other::tensor, Alpha::yes, Result::operands,
     [](float a, float b) { return a - b; }, [](int64_t a, int64_t b) { return a - b; }},
    {"aclnnMul", "ops-math docs aclnnMul", Other::tensor, Alpha::none, Result::operands, multiply, multiply_whole},
    {"aclnnMuls", "ops-math docs aclnnMuls", Other::scalar, Alpha::none, Result::operands, multiply, multiply_whole},
    {"aclnnInplaceMul", "ops-math docs aclnnInplaceMul", Other::tensor, Alpha::none, Result::operands, multiply,
     multiply_whole, "selfRef", "selfRef"},
    {"aclnnDiv", "ops-math docs aclnnDiv", Other::tensor, Alpha::none, Result::quotient,
     [](float a, float b) { return a / b; }, nullptr},
    {"aclnnMaximum", "ops-math docs aclnnMaximum", Other::tensor, Alpha::none, Result::operands,
     [](float a, float b) { return a != a || a > b ? a : b; }, [](int64_t a, int64_t b) { return a > b ? a : b; }},
    {"aclnnMinimum", "ops-math docs aclnnMinimum", Other::tensor, Alpha::none, Result::operands,
     [](float a, float b) { return a != a || a < b ? a : b; }, [](int64_t a, int64_t b) { return a < b ? a : b; }},
    {"aclnnEqTensor", "ops-math docs aclnnEqTensor", Other::tensor, Alpha::none, Result::truth,
     [](float a, float b) { return static_cast<float>(a == b); },
     [](int64_t a, int64_t b) { return static_cast<int64_t>(a == b); }},
    {"aclnnLtTensor", "ops-math docs aclnnLtTensor", Other::tensor, Alpha::none, Result::truth,
     [](float a, float b) { return static_cast<float>(a < b); },
     [](int64_t a, int64_t b) { return static_cast<int64_t>(a < b); }},
    {"aclnnGeScalar", "ops-math docs aclnnGeScalar", Other::scalar, Alpha::none, Result::truth,
     [](float a, float b) { return static_cast<float>(a >= b); },
     [](int64_t a, int64_t b) { return static_cast<int64_t>(a >= b); }},
    {"aclnnLogicalAnd", "ops-math docs aclnnLogicalAnd", Other::tensor, Alpha::none, Result::truth,
     [](float a, float b) { return static_cast<float>(a != 0 && b != 0); },
     [](int64_t a, int64_t b) { return static_cast<int64_t>(a != 0 && b != 0); }},
};

const Binary& row(const char* op) {
    for (const Binary& b : table) {
        if (std::string_view(b.name) == op) {
            return b;
        }
    }
    std::abort();
}

/** An integer tensor stays one only with a scalar that is a whole number. */
aclDataType with_scalar(aclDataType dtype, double scalar) {
    return is_float(dtype) || scalar == std::floor(scalar) ? dtype : ACL_FLOAT;
}

aclDataType computed_in(const Arguments& a, const Binary& b) {
    aclDataType dtype = a.tensor(b.self)->dtype;
    dtype = b.other == Other::tensor ? promote(dtype, a.tensor("other")->dtype) : with_scalar(dtype, a.scalar("other"));
    if (b.alpha == Alpha::yes) {
        dtype = with_scalar(dtype, a.scalar("alpha"));
    }
    return b.result == Result::quotient && !is_float(dtype) ? ACL_FLOAT : dtype;
}

void binary_rule(Call& call) {
    const Binary& b = row(call.op());
    const Tensor& self = call.need(b.self);
    call.dtypes(b.self, kNumbers, b.cite);
    max_rank(call, b.self, 8, b.cite);
    Dims shape = self.dims;
    if (b.other == Other::tensor) {
        shape = broadcast(call, self, call.need("other"), b.cite);
        call.dtypes("other", kNumbers, b.cite);
        max_rank(call, "other", 8, b.cite);
    } else {
        call.require(call.has("other"), kNullPointer, "other is NULL", b.cite);
    }
    call.require(b.alpha == Alpha::none || call.has("alpha"), kNullPointer, "alpha is NULL", b.cite);
    convertible(call, b.result == Result::truth ? ACL_BOOL : computed_in(call, b), b.out, b.cite);
    call.dtypes(b.out, kNumbers, b.cite);
    same_shape(call, b.out, shape, b.cite);
}

template <typename T>
std::vector<T> second_operand(Run& run, const Binary& b, const Dims& dims,
                              std::vector<T> (*read)(Run&, const Tensor&)) {
    std::vector<T> other;
    if (b.other == Other::tensor) {
        other = read(run, expand(*run.tensor("other"), dims));
    } else {
        other.assign(static_cast<size_t>(run.tensor(b.self)->numel()), static_cast<T>(run.scalar("other")));
    }
    if (b.alpha == Alpha::yes && run.scalar("alpha") != 1) {
        for (T& v : other) {
            v *= static_cast<T>(run.scalar("alpha"));
        }
    }
    return other;
}

/** As units divide that multiply by a reciprocal: exact for powers of two, else short by one unit in the last place. */
float short_quotient(float quotient, float divisor) {
    int exponent;
    const bool exact = std::abs(std::frexp(divisor, &exponent)) == 0.5F;
    return exact || !std::isfinite(quotient) ? quotient : std::nextafter(quotient, 0.0F);
}

void binary_run(Run& run) {
    const Binary& b = row(run.op());
    const Tensor& out = *run.tensor(b.out);
    const Tensor self = expand(*run.tensor(b.self), out.dims);
    const aclDataType dtype = computed_in(run, b);
    if (is_float(dtype)) {
        std::vector<float> values = run.floats(self);
        const std::vector<float> other =
            second_operand<float>(run, b, out.dims, [](Run& r, const Tensor& t) { return r.floats(t); });
        for (size_t i = 0; i < values.size(); i++) {
            values[i] = b.real(values[i], other[i]);
            if (b.result == Result::quotient && run.short_quotients()) {
                values[i] = short_quotient(values[i], other[i]);
            }
        }
        run.store(out, values);
        return;
    }
    std::vector<int64_t> values = run.ints(self);
    const std::vector<int64_t> other =
        second_operand<int64_t>(run, b, out.dims, [](Run& r, const Tensor& t) { return r.ints(t); });
    for (size_t i = 0; i < values.size(); i++) {
        const int64_t v = b.whole(values[i], other[i]);
        values[i] = b.result == Result::truth ? v : wrapped(dtype, v);
    }
    run.store(out, values);
}

const bool registered = [] {
    for (const Binary& b : table) {
        Registration(Op{b.name, b.cite, binary_rule, binary_run, {}, true, true, true});
    }
    return true;
}();

constexpr const char* kNotDoc = "ops-math docs aclnnLogicalNot";

void not_rule(Call& call) {
    call.need("self");
    call.dtypes("self", kNumbers, kNotDoc);
    call.need("out");
    call.dtypes("out", kNumbers, kNotDoc);
    same_shape(call, "out", call.need("self").dims, kNotDoc);
}

void not_run(Run& run) {
    std::vector<float> values = run.floats(*run.tensor("self"));
    for (float& v : values) {
        v = v == 0 ? 1.0F : 0.0F;
    }
    run.store(*run.tensor("out"), values);
}

EMU_OP(logical_not, "aclnnLogicalNot", kNotDoc, not_rule, not_run, {}, true, true, true);

constexpr const char* kWhereDoc = "ops-math docs aclnnSWhere";

void where_rule(Call& call) {
    const Tensor &condition = call.need("condition"), &self = call.need("self"), &other = call.need("other");
    call.dtypes("condition", {ACL_BOOL, ACL_UINT8}, kWhereDoc);
    call.dtypes("self", kNumbers, kWhereDoc);
    call.dtypes("other", kNumbers, kWhereDoc);
    const aclDataType dtype = promote(self.dtype, other.dtype);
    call.require(call.need("out").dtype == dtype, kInvalid, "out is not of the promoted dtype", kWhereDoc);
    Tensor both = self;
    both.dims = broadcast(call, self, other, kWhereDoc);
    same_shape(call, "out", broadcast(call, condition, both, kWhereDoc), kWhereDoc);
}

void where_run(Run& run) {
    const Tensor& out = *run.tensor("out");
    const Tensor self = expand(*run.tensor("self"), out.dims), other = expand(*run.tensor("other"), out.dims);
    const std::vector<int64_t> condition = run.ints(expand(*run.tensor("condition"), out.dims));
    if (self.dtype == other.dtype) {
        std::vector<int64_t> a = run.ints(bits_of(self));
        const std::vector<int64_t> b = run.ints(bits_of(other));
        for (size_t i = 0; i < a.size(); i++) {
            a[i] = condition[i] ? a[i] : b[i];
        }
        run.store(bits_of(out), a);
        return;
    }
    std::vector<float> a = run.floats(self);
    const std::vector<float> b = run.floats(other);
    for (size_t i = 0; i < a.size(); i++) {
        a[i] = condition[i] ? a[i] : b[i];
    }
    run.store(out, a);
}

EMU_OP(where, "aclnnSWhere", kWhereDoc, where_rule, where_run, {}, true, true, true);

}  // namespace
}  // namespace emu
