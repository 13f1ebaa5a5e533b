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
                                                        ACL_INT64, ACL_UINT64,  ACL_BOOL};
    static const std::vector<aclDataType> on950 = {ACL_HIFLOAT8, ACL_FLOAT8_E5M2, ACL_FLOAT8_E4M3FN, ACL_FLOAT4_E2M1,
                                                   ACL_FLOAT4_E1M2, ACL_INT4};
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
        move(run, from, to);
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

/** Narrow dtypes convert along the documented paths alone. */
bool has_path(aclDataType from, aclDataType to) {
    const auto plain = [](aclDataType t) { return t == ACL_FLOAT || t == ACL_FLOAT16 || t == ACL_BF16; };
    const auto narrow = [](aclDataType t) { return is_narrow_float(t); };
    const auto bits = [](aclDataType t) { return dtype_bits(t); };
    if (from == ACL_INT4 || to == ACL_INT4) {
        return from == ACL_INT32 && to == ACL_INT4;
    }
    if (narrow(from) && narrow(to)) {
        return bits(from) != bits(to);  // 8 bits to 4 or back
    }
    return (!narrow(from) || plain(to)) && (!narrow(to) || plain(from));
}

void cast_rule(Call& call) {
    check_castable(call, "self", kCastDoc);
    check_castable(call, "out", kCastDoc);
    const Tensor &self = call.need("self"), &out = call.need("out");
    call.require(has_path(self.dtype, out.dtype), kInvalid,
                 "no conversion of " + describe(self) + " to " + describe(out), kCastDoc);
    call.require(self.contiguous() || (self.dtype != ACL_BOOL && dtype_bits(self.dtype) > 4), kInvalid,
                 "a " + describe(self) + " with gaps", kCastDoc);
    call.require(out.dtype != ACL_INT4 || (self.contiguous() && out.contiguous()), kInvalid, "INT4 and gaps", kCastDoc);
    call.require(out.dtype != ACL_INT4 || self.rank() == 0 || self.dim(-1) % 2 == 0, kTiling,
                 "INT4 with an odd last axis", kCastDoc);
    call.require(call.integer("dtype") == call.need("out").dtype, kInvalid, "dtype differs from that of out", kCastDoc);
    same_shape(call, "out", call.need("self").dims, kCastDoc);
}

void cast_run(Run& run) {
    convert(run, *run.tensor("self"), *run.tensor("out"));
}

/** aclnnInplaceCopy converts fewer narrow dtypes than aclnnCast, and to FP8 from F32 only. */
bool copies(aclDataType from, aclDataType to) {
    const auto fp8 = [](aclDataType t) { return t == ACL_HIFLOAT8 || t == ACL_FLOAT8_E5M2 || t == ACL_FLOAT8_E4M3FN; };
    if (dtype_bits(from) == 4 || dtype_bits(to) == 4) {
        return false;
    }
    if (from == to || (!fp8(from) && !fp8(to))) {
        return true;
    }
    return fp8(to) ? from == ACL_FLOAT || (to == ACL_HIFLOAT8 && has_path(from, to)) : has_path(from, to);
}

void copy_rule(Call& call) {
    check_castable(call, "selfRef", kCopyDoc);
    check_castable(call, "src", kCopyDoc);
    const Tensor &self = call.need("selfRef"), &src = call.need("src");
    call.require(copies(src.dtype, self.dtype), kInvalid, "no copy of " + describe(src) + " to " + describe(self),
                 kCopyDoc);
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
