#include <algorithm>

#include "checks.h"
#include "grouped_matmul.h"
#include "grouped_weights.h"

namespace emu::grouped {

namespace {

constexpr int64_t kMaxGroups = 1024;

bool fp8(aclDataType t) {
    return t == ACL_FLOAT8_E4M3FN || t == ACL_FLOAT8_E5M2;
}
bool fp4(aclDataType t) {
    return t == ACL_FLOAT4_E2M1 || t == ACL_FLOAT4_E1M2;
}

const Tensor* first(const Arguments& a, const char* list) {
    const std::vector<Tensor>* tensors = present_list(a, list);
    return tensors == nullptr ? nullptr : &tensors->front();
}

aclDataType dtype_of(const Arguments& a, const char* list) {
    const Tensor* tensor = first(a, list);
    return tensor == nullptr ? ACL_DT_UNDEFINED : tensor->dtype;
}

struct Shape {
    int64_t m, k, n, groups;
    bool transposed, single;
};

Shape check_shapes(Call& call, const char* cite) {
    const std::vector<Tensor>* x = present_list(call, "x");
    const std::vector<Tensor>* weight = present_list(call, "weight");
    const std::vector<Tensor>* out = present_list(call, "out");
    call.require(x != nullptr && weight != nullptr && out != nullptr, kNullPointer, "x, weight, out: required", cite);
    if (x->size() != 1 || out->size() != 1) {
        call.refuse(kNoKernel, "EMULATOR: several tensors in x or out are not emulated", cite);
    }
    const Tensor& w = weight->front();
    const bool single = w.rank() == 3;
    call.require(single ? weight->size() == 1 : w.rank() == 2, kInvalid,
                 "weight: expected one [g, K, N] tensor or a list of [K, N]: found " + dims_text(w.dims), cite);
    const Tensor& left = x->front();
    Shape s{left.dim(0), w.dim(-2), w.dim(-1), single ? w.dim(0) : static_cast<int64_t>(weight->size()),
            transposed_weight(w), single};
    call.require(left.rank() == 2 && left.dim(1) == s.k, kInvalid,
                 "x: found " + dims_text(left.dims) + " for weights of K = " + std::to_string(s.k), cite);
    call.require(left.contiguous(), kInvalid, "x: must not be transposed", cite);
    for (const Tensor& other : *weight) {
        call.require(other.dims == w.dims && other.dtype == w.dtype && transposed_weight(other) == s.transposed,
                     kInvalid, "weight: all tensors need one shape, dtype and orientation", cite);
    }
    expect_dims(call, "out", out->front(), {s.m, s.n}, cite);
    call.require(out->front().contiguous(), kInvalid, "out: must be contiguous", cite);
    call.require(s.groups <= kMaxGroups, kInvalid, "groups: at most 1024: found " + std::to_string(s.groups), cite);
    return s;
}

void check_attributes(Call& call, const Shape& s, Scenario scenario, const char* cite) {
    const int64_t type = call.integer("groupListType");
    expect_one_of(call, "splitItem", call.integer("splitItem"), {0, 1, 2, 3}, kInvalid, cite);
    expect_one_of(call, "groupType", call.integer("groupType"), {-1, 0, 2}, kInvalid, cite);
    if (call.integer("groupType") != 0) {
        call.refuse(kNoKernel, "EMULATOR: groupType other than 0 is not emulated", cite);
    }
    call.require(call.integer("splitItem") >= 2, kInvalid, "splitItem: one output needs 2 or 3", cite);
    const bool quantised = scenario != Scenario::kPlain && scenario != Scenario::kMxA8W4;
    call.require(type == 0 || type == 1 || (type == 2 && (quantised || !is950(call))), kInvalid,
                 "groupListType: found " + std::to_string(type) + "; 2 only for full quantisation on 950", cite);
    const Tensor* list = present(call, "groupListOptional");
    call.require(list != nullptr, kInvalid, "groupList: required for groupType 0", cite);
    call.dtypes("groupListOptional", {ACL_INT64}, cite);
    expect_dims(call, "groupListOptional", *list,
                type == 2 ? std::vector<int64_t>{s.groups, 2} : std::vector<int64_t>{s.groups}, cite);
    const int64_t act = call.integer("actType");
    expect_range(call, "actType", act, 0, 5, kInvalid, cite);
    call.require(act == 0 || scenario == Scenario::kInt8, kInvalid, "actType: only 0 for this combination", cite);
    if (act != 0) {
        call.refuse(kNoKernel, "EMULATOR: actType " + std::to_string(act) + " is not emulated", cite);
    }
    for (const char* name : {"activationInputOptional", "activationQuantScaleOptional",
                             "activationQuantOffsetOptional", "activationFeatureOutOptional",
                             "dynQuantScaleOutOptional"}) {
        call.require(present_list(call, name) == nullptr, kInvalid, std::string(name) + ": must be null", cite);
    }
}

void absent(Call& call, std::initializer_list<const char*> names, const char* cite) {
    for (const char* name : names) {
        call.require(present_list(call, name) == nullptr, kInvalid,
                     std::string(name) + ": must be empty for this dtype combination", cite);
    }
}

void one_of(Call& call, const char* what, aclDataType found, std::initializer_list<aclDataType> allowed,
            const char* cite) {
    call.require(std::find(allowed.begin(), allowed.end(), found) != allowed.end(), kInvalid,
                 std::string(what) + ": " + (found == ACL_DT_UNDEFINED ? "absent" : dtype_name(found)) +
                     " is not in the table of dtype combinations",
                 cite);
}

void check_bias(Call& call, const Shape& s, std::initializer_list<aclDataType> allowed, const char* cite) {
    if (const Tensor* bias = first(call, "biasOptional")) {
        one_of(call, "bias", bias->dtype, allowed, cite);
        expect_dims(call, "bias", *bias,
                    s.single ? std::vector<int64_t>{s.groups, s.n} : std::vector<int64_t>{s.n}, cite);
    }
}

/**
 * The scale's last axes without `tail`: [K blocks, N blocks]; with a transposed weight either dense [N blocks, K blocks]
 * or a view with swapped strides. A dense [K blocks, N blocks] next to a transposed weight would be read wrongly.
 */
bool fits_orientation(const Tensor& scale, const Shape& s, int64_t k_blocks, int64_t n_blocks, int64_t tail) {
    std::vector<int64_t> dims = scale.dims;
    const size_t last = tail > 0 ? 3 : 2;
    if (dims.size() != last + (s.single ? 1 : 0) || (s.single && dims[0] != s.groups) ||
        (tail > 0 && dims.back() != tail)) {
        return false;
    }
    const int64_t one = dims[dims.size() - last];
    const int64_t two = dims[dims.size() - last + 1];
    const bool by_k = one == k_blocks && two == n_blocks;
    const bool by_n = one == n_blocks && two == k_blocks;
    if (!s.transposed) {
        return by_k;
    }
    return (by_n && scale.contiguous()) || (by_k && (!scale.contiguous() || k_blocks == 1 || n_blocks == 1));
}

void check_orientation(Call& call, const char* name, const Shape& s, int64_t k_blocks, int64_t n_blocks, int64_t tail,
                       const char* cite) {
    const Tensor& scale = *first(call, name);
    call.require(fits_orientation(scale, s, k_blocks, n_blocks, tail), kInvalid,
                 std::string(name) + ": found " + describe(scale) + " with strides " + dims_text(scale.strides) +
                     " for " + std::to_string(k_blocks) + " blocks of K and " + std::to_string(n_blocks) + " of N, " +
                     (s.transposed ? "weight transposed" : "weight not transposed"),
                 cite);
}

void check_token_pairs(Call& call, const Shape& s, const char* cite) {
    const Tensor* scale = first(call, "perTokenScaleOptional");
    call.require(scale != nullptr && scale->dtype == ACL_FLOAT8_E8M0, kInvalid, "perTokenScale: FLOAT8_E8M0 required",
                 cite);
    expect_dims(call, "perTokenScale", *scale, {s.m, ceil_div(s.k, 2 * kMxBlock), 2}, cite);
}

void check_plain(Call& call, const Shape& s, Variant variant, const char* cite) {
    const aclDataType x = dtype_of(call, "x");
    absent(call, {"scaleOptional", "offsetOptional", "antiquantScaleOptional", "antiquantOffsetOptional",
                  "perTokenScaleOptional"},
           cite);
    one_of(call, "weight", dtype_of(call, "weight"), {x}, cite);
    one_of(call, "out", dtype_of(call, "out"), {x}, cite);
    if (x == ACL_FLOAT16) {
        check_bias(call, s, {ACL_FLOAT16, is950(call) ? ACL_FLOAT : ACL_FLOAT16}, cite);
    } else {
        check_bias(call, s, {ACL_FLOAT, x == ACL_BF16 && is950(call) ? ACL_BF16 : ACL_FLOAT}, cite);
    }
    if (variant == Variant::kWeightNz) {
        call.require(x != ACL_FLOAT, kInvalid, "x: FLOAT has no fractal form", cite);
        call.require(s.k % 16 == 0 && s.n % 16 == 0, kInvalid, "weight: K and N must be 32-byte aligned", cite);
    }
}

void check_int8(Call& call, const Shape& s, const char* cite) {
    absent(call, {"offsetOptional", "antiquantScaleOptional", "antiquantOffsetOptional"}, cite);
    const Tensor* scale = first(call, "scaleOptional");
    const aclDataType out = dtype_of(call, "out");
    call.require(scale != nullptr, kInvalid, "scale: required for INT8 with a BF16 or FP16 result", cite);
    one_of(call, "out", out, {ACL_BF16, ACL_FLOAT16}, cite);
    if (out == ACL_BF16) {
        one_of(call, "scale", scale->dtype, {ACL_BF16, is950(call) ? ACL_FLOAT : ACL_BF16}, cite);
    } else {
        one_of(call, "scale", scale->dtype, {ACL_FLOAT}, cite);
    }
    call.require(s.single, kInvalid, "weight: INT8 needs one [g, K, N] tensor", cite);
    expect_dims(call, "scale", *scale, {s.groups, s.n}, cite);
    if (const Tensor* token = first(call, "perTokenScaleOptional")) {
        one_of(call, "perTokenScale", token->dtype, {ACL_FLOAT}, cite);
        expect_dims(call, "perTokenScale", *token, {s.m}, cite);
    }
    check_bias(call, s, {ACL_INT32}, cite);
}

void check_mx(Call& call, const Shape& s, Variant variant, const char* cite) {
    absent(call, {"offsetOptional", "antiquantScaleOptional", "antiquantOffsetOptional"}, cite);
    const aclDataType x = dtype_of(call, "x");
    const aclDataType w = dtype_of(call, "weight");
    if (variant == Variant::kWeightNz && fp8(x)) {
        one_of(call, "x", x, {ACL_FLOAT8_E4M3FN}, cite);
        one_of(call, "weight", w, {ACL_FLOAT8_E4M3FN}, cite);
    }
    one_of(call, "out", dtype_of(call, "out"), {ACL_BF16, ACL_FLOAT16, ACL_FLOAT}, cite);
    if (fp8(x)) {
        absent(call, {"biasOptional"}, cite);
    } else {
        check_bias(call, s, {ACL_FLOAT}, cite);
        call.require(s.k % 2 == 0 && s.k != 2 && (s.transposed || s.n % 2 == 0), kInvalid,
                     "FP4: K must be even and not 2, N even", cite);
    }
    check_orientation(call, "scaleOptional", s, ceil_div(s.k, 2 * kMxBlock), s.n, 2, cite);
    check_token_pairs(call, s, cite);
}

void check_group_block(Call& call, const Shape& s, Variant variant, const char* cite) {
    call.require(variant == Variant::kV5, kInvalid, "FLOAT scales of FP8 blocks: only in GroupedMatmulV5", cite);
    absent(call, {"biasOptional", "offsetOptional", "antiquantScaleOptional", "antiquantOffsetOptional"}, cite);
    one_of(call, "out", dtype_of(call, "out"), {ACL_BF16, ACL_FLOAT16, ACL_FLOAT}, cite);
    const int64_t kb = ceil_div(s.k, kTileBlock);
    call.require(s.single, kInvalid, "weight: FP8 blocks need one [g, K, N] tensor", cite);
    check_orientation(call, "scaleOptional", s, kb, ceil_div(s.n, kTileBlock), 0, cite);
    const Tensor* token = first(call, "perTokenScaleOptional");
    call.require(token != nullptr && token->dtype == ACL_FLOAT, kInvalid, "perTokenScale: FLOAT required", cite);
    expect_dims(call, "perTokenScale", *token, {s.m, kb}, cite);
}

void check_a8w4(Call& call, const Shape& s, Variant variant, const char* cite) {
    call.require(variant == Variant::kWeightNz, kInvalid, "FP8 with FP4 weights: only in GroupedMatmulWeightNz", cite);
    absent(call, {"scaleOptional", "offsetOptional", "antiquantOffsetOptional"}, cite);
    one_of(call, "x", dtype_of(call, "x"), {ACL_FLOAT8_E4M3FN}, cite);
    one_of(call, "antiquantScale", dtype_of(call, "antiquantScaleOptional"), {ACL_FLOAT8_E8M0}, cite);
    const aclDataType out = dtype_of(call, "out");
    one_of(call, "out", out, {ACL_BF16, ACL_FLOAT16}, cite);
    check_bias(call, s, {out}, cite);
    call.require(s.transposed, kInvalid, "weight: FP4 weights must be transposed views", cite);
    call.require(s.k % 64 == 0 && s.n % 64 == 0, kInvalid, "weight: K and N must be 32-byte aligned (64 FP4)", cite);
    call.require(first(call, "weight")->format == ACL_FORMAT_FRACTAL_NZ_C0_32, kInvalid,
                 "weight: expected format FRACTAL_NZ_C0_32 (51)", cite);
    expect_one_of(call, "quantGroupSize", call.integer("quantGroupSize"), {0, kMxBlock}, kInvalid, cite);
    check_orientation(call, "antiquantScaleOptional", s, ceil_div(s.k, 2 * kMxBlock), s.n, 2, cite);
    check_token_pairs(call, s, cite);
}

}  // namespace

Scenario scenario(const Arguments& a) {
    const aclDataType x = dtype_of(a, "x");
    const aclDataType w = dtype_of(a, "weight");
    if (fp8(x) && fp4(w)) {
        return Scenario::kMxA8W4;
    }
    if ((fp8(x) && fp8(w)) || (fp4(x) && fp4(w))) {
        return dtype_of(a, "scaleOptional") == ACL_FLOAT ? Scenario::kGroupBlock : Scenario::kMx;
    }
    return x == ACL_INT8 ? Scenario::kInt8 : Scenario::kPlain;
}

void check(Call& call, Variant variant, const char* cite) {
    const Shape s = check_shapes(call, cite);
    const aclDataType x = dtype_of(call, "x"), w = dtype_of(call, "weight");
    for (aclDataType t : {x, w, dtype_of(call, "scaleOptional"), dtype_of(call, "antiquantScaleOptional")}) {
        call.require(is950(call) || !(fp8(t) || fp4(t) || t == ACL_FLOAT8_E8M0 || t == ACL_HIFLOAT8), kInvalid,
                     std::string(dtype_name(t)) + ": not on A2 and A3", cite);
    }
    const bool nz = is_nz(first(call, "weight")->format);
    if (variant == Variant::kWeightNz) {
        call.require(nz, kInvalid, "weight: expected a FRACTAL_NZ format", cite);
        call.require(s.k != 1 && s.n != 1, kInvalid, "weight: an extent of 1 has no fractal form", cite);
    }
    const Scenario kind = scenario(call);
    check_attributes(call, s, kind, cite);
    switch (kind) {
        case Scenario::kInt8:
            one_of(call, "weight", w, {ACL_INT8}, cite);
            check_int8(call, s, cite);
            break;
        case Scenario::kMx: {
            one_of(call, "scale", dtype_of(call, "scaleOptional"), {ACL_FLOAT8_E8M0}, cite);
            check_mx(call, s, variant, cite);
            break;
        }
        case Scenario::kGroupBlock: check_group_block(call, s, variant, cite); break;
        case Scenario::kMxA8W4: check_a8w4(call, s, variant, cite); break;
        case Scenario::kPlain:
            one_of(call, "x", x, {ACL_BF16, ACL_FLOAT16, ACL_FLOAT}, cite);
            check_plain(call, s, variant, cite);
            break;
    }
    call.workspace(kCubeWorkspace);
}

std::vector<Group> groups(Run& run, const Tensor& list, int64_t type, int64_t weights, int64_t total,
                          const char* cite) {
    const std::vector<int64_t> values = run.ints(list);
    std::vector<Group> result;
    int64_t start = 0;
    for (int64_t i = 0; i < list.dim(0); i++) {
        const auto at = static_cast<size_t>(i);
        const int64_t index = type == 2 ? values[2 * at] : i;
        const int64_t rows = type == 0 ? values[at] - start : type == 1 ? values[at] : values[2 * at + 1];
        if (rows < 0 || start + rows > total || index < 0 || index >= weights) {
            run.device_exception("groupList: group " + std::to_string(index) + " of " + std::to_string(rows) +
                                     " rows at " + std::to_string(start) + " of " + std::to_string(total),
                                 cite);
        }
        result.push_back({index, start, rows});
        start += rows;
    }
    return result;
}

}  // namespace emu::grouped
