// Batched products whose operands and result are permuted on the way: the grouped output projection.
#include <string>
#include <vector>

#include "checks.h"
#include "gemm.h"
#include "mx.h"
#include "support.h"

namespace emu {
namespace {

constexpr const char* kDoc = "ops-nn docs aclnnTransposeBatchMatMul";
constexpr const char* kQuantDoc = "ops-nn docs aclnnTransposeQuantBatchMatMul";

/** Axes of a permutation argument; absent means none. */
Dims axes_of(const Arguments& a, const char* name) {
    const std::vector<int64_t>* axes = a.integers(name);
    return axes == nullptr ? Dims{0, 1, 2} : *axes;
}

void check_axes(Call& call, const char* name, std::initializer_list<Dims> allowed, const char* cite) {
    const Dims found = axes_of(call, name);
    for (const Dims& a : allowed) {
        if (a == found) {
            return;
        }
    }
    call.refuse(kInvalid, std::string(name) + " is " + dims_text(found), cite);
}

/** A further axis (the pair of MX scales) stays last. */
Tensor permuted(const Tensor& t, const Dims& axes) {
    Tensor view = t;
    for (size_t i = 0; i < axes.size(); i++) {
        view.dims[i] = t.dims[static_cast<size_t>(axes[i])];
        view.strides[i] = t.strides[static_cast<size_t>(axes[i])];
    }
    return view;
}

struct Operands {
    Tensor x1, x2, out;  // [groups, rows, k], [groups, k, n], [groups, rows, n]
};

Operands operands(const Arguments& a) {
    const Tensor& out = *a.tensor("out");
    return {permuted(*a.tensor("x1"), axes_of(a, "permX1")), permuted(*a.tensor("x2"), axes_of(a, "permX2")),
            permuted(out, axes_of(a, "permY"))};  // {1, 0, 2} is its own inverse
}

void shapes_rule(Call& call, const char* cite) {
    for (const char* name : {"x1", "x2", "out"}) {
        call.require(call.need(name).rank() == 3, kInvalid, std::string(name) + " is " + describe(call.need(name)),
                     cite);
    }
    call.workspace(kCubeWorkspace);
    check_axes(call, "permY", {{1, 0, 2}}, cite);
    const Operands o = operands(call);
    const int64_t split = call.integer("batchSplitFactor"), groups = o.x2.dims[0];
    call.require(split >= 1 && split <= groups && groups % split == 0, kInvalid,
                 "batchSplitFactor " + std::to_string(split) + " with a batch of " + std::to_string(groups), cite);
    call.require(split == 1, kNoKernel, "EMULATOR: batchSplitFactor other than 1 is not played", cite);
    call.require(o.x1.dims[0] == o.x2.dims[0] && o.x1.dims[2] == o.x2.dims[1], kInvalid,
                 describe(o.x1) + " x " + describe(o.x2) + " after permutation", cite);
    call.require(o.out.dims == Dims({o.x1.dims[0], o.x1.dims[1], o.x2.dims[2]}), kInvalid,
                 "out is " + describe(call.need("out")), cite);
    call.require(present(call, "bias") == nullptr, kInvalid, "bias is reserved", cite);
}

void plain_rule(Call& call) {
    call.need("x1");
    call.dtypes("x1", kFloats, kDoc);
    call.need("x2");
    call.dtypes("x2", {call.need("x1").dtype}, kDoc);
    call.need("out");
    call.require(present(call, "scale") == nullptr, kNoKernel, "EMULATOR: a quantised result is not played", kDoc);
    call.dtypes("out", {call.need("x1").dtype}, kDoc);
    check_axes(call, "permX1", {{0, 1, 2}, {1, 0, 2}}, kDoc);
    if (is950(call)) {
        check_axes(call, "permX2", {{0, 1, 2}, {0, 2, 1}}, kDoc);
    } else {
        check_axes(call, "permX2", {{0, 1, 2}}, kDoc);
    }
    const int64_t math = call.integer("cubeMathType");
    call.require(math >= 0 && math <= 3 && (math != 2 || call.need("x1").dtype != ACL_BF16), kInvalid,
                 "cubeMathType " + std::to_string(math) + " with " + describe(call.need("x1")), kDoc);
    shapes_rule(call, kDoc);
    const Operands o = operands(call);
    const int64_t groups = o.x2.dims[0], k = o.x2.dims[1], n = o.x2.dims[2];
    const int64_t row = axes_of(call, "permX1")[0] == 1 ? groups * k : k;  // elements between rows of x1
    call.require(is950(call) || (groups < 65536 && n < 65536 && row <= 65535), kInvalid,
                 "an extent beyond 65535 in " + describe(call.need("x1")) + " x " + describe(call.need("x2")), kDoc);
}

void plain_run(Run& run) {
    const Operands o = operands(run);
    for (int64_t g = 0; g < o.x1.dims[0]; g++) {
        const std::vector<float> x1 = run.floats(at(o.x1, 0, g));
        run.store(at(o.out, 0, g), multiply(run, x1, o.x1.dims[1], at(o.x2, 0, g)));
    }
}

void quant_rule(Call& call) {
    call.require(is950(call), kPlatform, "the operator exists on the 950 only", kQuantDoc);
    const Tensor &x1 = call.need("x1"), &x2 = call.need("x2"), &s1 = call.need("x1Scale"), &s2 = call.need("x2Scale");
    call.require(s1.dtype == ACL_FLOAT8_E8M0 && s2.dtype == ACL_FLOAT8_E8M0, kNoKernel,
                 "EMULATOR: only MX scales are played", kQuantDoc);
    call.dtypes("x1", {ACL_FLOAT8_E4M3FN, ACL_FLOAT8_E5M2}, kQuantDoc);
    call.dtypes("x2", {ACL_FLOAT8_E4M3FN, ACL_FLOAT8_E5M2}, kQuantDoc);
    call.need("out");
    call.dtypes("out", {ACL_FLOAT16, ACL_BF16}, kQuantDoc);
    call.require(call.integer("dtype") == call.need("out").dtype, kInvalid, "dtype differs from that of out",
                 kQuantDoc);
    call.require((call.integer("groupSize") & 0xFFFF) == kMxBlock, kInvalid, "groupSize is not 32 along k", kQuantDoc);
    check_axes(call, "permX1", {{1, 0, 2}}, kQuantDoc);
    check_axes(call, "permX2", {{0, 1, 2}, {0, 2, 1}}, kQuantDoc);
    shapes_rule(call, kQuantDoc);
    call.require(x1.dim(-1) % 64 == 0, kInvalid, "k is not a multiple of 64", kQuantDoc);
    const int64_t pairs = x1.dim(-1) / 64;
    call.shape("x1Scale", {x1.dim(0), x1.dim(1), pairs, 2}, kQuantDoc);
    const bool turned = axes_of(call, "permX2")[1] == 2;
    call.shape("x2Scale", turned ? Dims{x2.dim(0), x2.dim(1), pairs, 2} : Dims{x2.dim(0), pairs, x2.dim(2), 2},
               kQuantDoc);
}

void quant_run(Run& run) {
    const Operands o = operands(run);
    const Tensor s1 = permuted(*run.tensor("x1Scale"), axes_of(run, "permX1"));
    const Tensor s2 = permuted(*run.tensor("x2Scale"), axes_of(run, "permX2"));  // [groups, pairs, n, 2]
    const int64_t rows = o.x1.dims[1], k = o.x1.dims[2];
    for (int64_t g = 0; g < o.x1.dims[0]; g++) {
        const MxScales left(run, at(s1, 0, g)), right(run, mx_rows_first(at(s2, 0, g)));
        std::vector<float> x1 = run.floats(at(o.x1, 0, g));
        for (int64_t row = 0; row < rows; row++) {
            left.apply(row, x1.data() + row * k, k);
        }
        run.store(at(o.out, 0, g), multiply(run, x1, rows, at(o.x2, 0, g), {}, [&](int64_t column, float* values) {
                      right.apply(column, values, k);
                  }));
    }
}

EMU_OP(plain, "aclnnTransposeBatchMatMul", kDoc, plain_rule, plain_run, {}, true, true);
EMU_OP(quant, "aclnnTransposeQuantBatchMatMul", kQuantDoc, quant_rule, quant_run, {}, true, true);

}  // namespace
}  // namespace emu
