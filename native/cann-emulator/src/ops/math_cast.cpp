// Conversions between dtypes: aclnnCast and aclnnInplaceCopy, which also moves between strided views.
#include <algorithm>
#include <cmath>
#include <vector>

#include "numeric.h"
#include "checks.h"
#include "support.h"

namespace emu {
namespace {

constexpr const char* kCastDoc = "ops-math docs aclnnCast";
constexpr const char* kCopyDoc = "ops-math docs aclnnInplaceCopy";

bool castable(const Call& call, aclDataType dtype) {
    static const std::vector<aclDataType> everywhere = {ACL_FLOAT, ACL_FLOAT16, ACL_BF16,   ACL_DOUBLE, ACL_INT8,
                                                        ACL_UINT8, ACL_INT16,   ACL_UINT16, ACL_INT32,  ACL_UINT32,
                                                        ACL_INT64, ACL_UINT64,  ACL_BOOL,   ACL_INT4};
    static const std::vector<aclDataType> on950 = {ACL_HIFLOAT8, ACL_FLOAT8_E5M2, ACL_FLOAT8_E4M3FN, ACL_FLOAT4_E2M1,
                                                   ACL_FLOAT4_E1M2};
    return std::count(everywhere.begin(), everywhere.end(), dtype) > 0 ||
           (is950(call) && std::count(on950.begin(), on950.end(), dtype) > 0);
}

void check_castable(Call& call, const char* name, const char* cite) {
    const Tensor& t = call.need(name);
    call.require(castable(call, t.dtype), kInvalid,
                 std::string(name) + " is " + describe(t) + ", a dtype this product does not convert", cite);
    max_rank(call, name, 8, cite);
}

void convert(Run& run, const Tensor& from, const Tensor& to) {
    if (from.dtype == to.dtype) {
        run.store(bits_of(to), run.ints(bits_of(from)));
    } else if (is_integer(from.dtype) && is_integer(to.dtype)) {
        std::vector<int64_t> values = run.ints(from);
        for (int64_t& v : values) {
            v = wrapped(to.dtype, v);
        }
        run.store(to, values);
    } else {
        std::vector<float> values = run.floats(from);
        for (float& v : values) {
            if (to.dtype == ACL_BOOL) {
                v = v != 0 ? 1.0F : 0.0F;
            } else if (is_integer(to.dtype)) {
                v = std::trunc(v);  // towards zero, as the documents' float-to-integer conversion
            }
        }
        run.store(to, values);
    }
}

void cast_rule(Call& call) {
    check_castable(call, "self", kCastDoc);
    check_castable(call, "out", kCastDoc);
    call.require(call.integer("dtype") == call.need("out").dtype, kInvalid, "dtype differs from that of out", kCastDoc);
    same_shape(call, "out", call.need("self").dims, kCastDoc);
}

void cast_run(Run& run) {
    convert(run, *run.tensor("self"), *run.tensor("out"));
}

void copy_rule(Call& call) {
    check_castable(call, "selfRef", kCopyDoc);
    check_castable(call, "src", kCopyDoc);
    const Tensor &self = call.need("selfRef"), &src = call.need("src");
    call.require(broadcast(call, self, src, kCopyDoc) == self.dims, kInvalid,
                 describe(src) + " does not broadcast to " + describe(self), kCopyDoc);
}

void copy_run(Run& run) {
    const Tensor& self = *run.tensor("selfRef");
    convert(run, expand(*run.tensor("src"), self.dims), self);
}

EMU_OP(cast, "aclnnCast", kCastDoc, cast_rule, cast_run, {}, true, true);
EMU_OP(copy, "aclnnInplaceCopy", kCopyDoc, copy_rule, copy_run, {}, true, true);

}  // namespace
}  // namespace emu
