// What the document of QuantMatmulV5 allows: dtypes, scale shapes, group sizes, products.
#include <string>

#include "checks.h"
#include "mx.h"
#include "nn_quant_matmul.h"

namespace emu::quant_matmul {

namespace {

constexpr int64_t kBlock = 128;

bool is_fp8(aclDataType dtype) {
    return dtype == ACL_FLOAT8_E4M3FN || dtype == ACL_FLOAT8_E5M2;
}

Mode mode_of(const Tensor& x1, const Tensor& x2, const Tensor& x2_scale) {
    if (x2_scale.dtype == ACL_FLOAT8_E8M0) {
        return is_fp8(x1.dtype) && x2.dtype == ACL_FLOAT4_E2M1 ? Mode::mx_a8w4 : Mode::mx;
    }
    return x2_scale.rank() == 2 && x2_scale.dtype == ACL_FLOAT ? Mode::blocks : Mode::per_channel;
}

std::string group_text(int64_t m, int64_t n, int64_t k) {
    return "[m " + std::to_string(m) + ", n " + std::to_string(n) + ", k " + std::to_string(k) + "]";
}

void check_group(Call& call, int64_t k, int64_t n, int64_t m, const char* cite) {
    const GroupSize g(call.integer("groupSize"));
    const auto fits = [](int64_t found, int64_t wanted) { return found == 0 || found == wanted; };
    call.require(fits(g.k, k) && fits(g.n, n) && fits(g.m, m), kInvalid,
                 "groupSize is " + group_text(g.m, g.n, g.k) + ", expected " + group_text(m, n, k), cite);
}

const Tensor& need_scale(Call& call, const char* name, aclDataType dtype, const Dims& expected, const char* cite) {
    const Tensor& scale = call.need(name);
    call.dtypes(name, {dtype}, cite);
    call.shape(name, expected, cite);
    return scale;
}

void absent(Call& call, const char* name, const char* cite) {
    call.require(present(call, name) == nullptr, kInvalid, std::string(name) + " is given, the mode has none", cite);
}

void per_channel_rule(Call& call, const Problem& p, const char* cite) {
    const bool integers = p.x1.dtype == ACL_INT8;
    call.require(integers ? p.x2.dtype == ACL_INT8 : is_fp8(p.x1.dtype) && is_fp8(p.x2.dtype), kInvalid,
                 describe(p.x1) + " x " + describe(p.x2), cite);
    if (integers) {
        call.dtypes("x2Scale", {ACL_FLOAT, ACL_BF16, ACL_UINT64, ACL_INT64}, cite);
        call.dtypes("bias", {ACL_INT32, ACL_BF16, ACL_FLOAT16, ACL_FLOAT}, cite);
        call.dtypes("out", {ACL_BF16, ACL_FLOAT16}, cite);
    } else {
        call.dtypes("x2Scale", {ACL_FLOAT, ACL_UINT64, ACL_INT64}, cite);
        call.dtypes("bias", {ACL_FLOAT}, cite);
        call.dtypes("out", {ACL_BF16, ACL_FLOAT16, ACL_FLOAT}, cite);
    }
    const Tensor& x2_scale = call.need("x2Scale");
    call.require(x2_scale.rank() == 1 && (x2_scale.dim(0) == p.n || x2_scale.dim(0) == 1), kInvalid,
                 "x2Scale is " + describe(x2_scale) + ", n is " + std::to_string(p.n), cite);
    if (const Tensor* x1_scale = present(call, "x1Scale")) {
        call.dtypes("x1Scale", {ACL_FLOAT}, cite);
        call.require(x1_scale->rank() == 1 && (x1_scale->dim(0) == p.m || x1_scale->dim(0) == 1), kInvalid,
                     "x1Scale is " + describe(*x1_scale) + ", m is " + std::to_string(p.m), cite);
    }
    call.require(call.integer("groupSize") == 0, kInvalid, "groupSize is not 0 with one-dimensional scales", cite);
}

void blocks_rule(Call& call, const Problem& p, const char* cite) {
    const int64_t kb = ceil_div(p.k, kBlock), nb = ceil_div(p.n, kBlock), mb = ceil_div(p.m, kBlock);
    const bool t1 = call.flag("transposeX1"), t2 = call.flag("transposeX2");
    if (is950(call)) {
        call.require(is_fp8(p.x1.dtype) && is_fp8(p.x2.dtype), kInvalid, describe(p.x1) + " x " + describe(p.x2), cite);
    } else {
        call.require(p.x1.dtype == ACL_INT8 && p.x2.dtype == ACL_INT8, kInvalid, "block scales with other than INT8",
                     cite);
        call.require(p.n % 256 == 0 && p.k % 512 == 0 && t2, kInvalid,
                     "n is not a multiple of 256, k not of 512, or x2 is not transposed", cite);
    }
    const Tensor& x1_scale = call.need("x1Scale");
    call.require(x1_scale.rank() == 2, kInvalid, "x1Scale is " + describe(x1_scale), cite);
    const GroupSize g(call.integer("groupSize"));
    const bool square = g.m == kBlock || (g.m == 0 && x1_scale.dim(t1 ? 1 : 0) != p.m);
    const int64_t rows = square ? mb : p.m;
    need_scale(call, "x1Scale", ACL_FLOAT, t1 ? Dims{kb, rows} : Dims{rows, kb}, cite);
    need_scale(call, "x2Scale", ACL_FLOAT, t2 ? Dims{nb, kb} : Dims{kb, nb}, cite);
    check_group(call, kBlock, kBlock, square ? kBlock : 1, cite);
    absent(call, "bias", cite);
    call.dtypes("out", {ACL_BF16, ACL_FLOAT16, ACL_FLOAT}, cite);
}

void mx_rule(Call& call, const Problem& p, const char* cite) {
    const bool t1 = call.flag("transposeX1"), t2 = call.flag("transposeX2");
    const bool fp4 = p.x1.dtype == ACL_FLOAT4_E2M1 && p.x2.dtype == ACL_FLOAT4_E2M1;
    call.require(fp4 || (is_fp8(p.x1.dtype) && is_fp8(p.x2.dtype)), kInvalid, describe(p.x1) + " x " + describe(p.x2),
                 cite);
    if (fp4) {
        const int64_t inner1 = t1 ? p.m : p.k, inner2 = t2 ? p.k : p.n;
        call.require(p.k > 2 && inner1 % 2 == 0 && inner2 % 2 == 0, kInvalid, "FP4 with k <= 2 or an odd inner axis",
                     cite);
    }
    const int64_t pairs = mx_pairs(p.k);
    need_scale(call, "x1Scale", ACL_FLOAT8_E8M0, t1 ? Dims{pairs, p.m, 2} : Dims{p.m, pairs, 2}, cite);
    need_scale(call, "x2Scale", ACL_FLOAT8_E8M0, t2 ? Dims{p.n, pairs, 2} : Dims{pairs, p.n, 2}, cite);
    check_group(call, kMxBlock, 1, 1, cite);
    if (present(call, "bias") != nullptr) {
        need_scale(call, "bias", ACL_FLOAT, {p.n}, cite);
    }
    call.dtypes("out", {ACL_BF16, ACL_FLOAT16, ACL_FLOAT}, cite);
}

void mx_a8w4_rule(Call& call, const Problem& p, const char* cite) {
    call.require(p.x1.dtype == ACL_FLOAT8_E4M3FN, kInvalid, "x1 is " + describe(p.x1) + ", FP4 weights take E4M3",
                 cite);
    call.require(call.flag("transposeX2") && !call.flag("transposeX1"), kInvalid,
                 "FP4 weights must be transposed, x1 not", cite);
    call.require(p.k % 8 == 0, kInvalid, "k is not a multiple of 8", cite);
    need_scale(call, "x1Scale", ACL_FLOAT8_E8M0, {p.m, mx_pairs(p.k), 2}, cite);
    need_scale(call, "x2Scale", ACL_FLOAT8_E8M0, {p.n, mx_pairs(p.k), 2}, cite);
    const int64_t group = call.integer("groupSize");
    call.require(group == kMxBlock || group == 4295032864, kInvalid,
                 "groupSize is " + std::to_string(group) + ", expected 32 or 4295032864", cite);
    call.dtypes("out", {ACL_BF16, ACL_FLOAT16, ACL_FLOAT}, cite);
    if (present(call, "bias") != nullptr) {
        need_scale(call, "bias", call.need("out").dtype, {1, p.n}, cite);
    }
}

}  // namespace

Problem problem(const Arguments& a) {
    const Tensor &x1 = *a.tensor("x1"), &x2 = *a.tensor("x2");
    Problem p{mode_of(x1, x2, *a.tensor("x2Scale")), x1, x2, 0, 0, 0};
    if (a.flag("transposeX1")) {
        p.x1 = transposed(x1);
    }
    if (a.flag("transposeX2")) {
        p.x2 = transposed(x2);
    }
    p.m = p.x1.dims[0];
    p.k = p.x1.dims[1];
    p.n = p.x2.dims[1];
    return p;
}

void rule(Call& call, const char* cite, bool fractal) {
    const Tensor &x1 = call.need("x1"), &x2 = call.need("x2");
    call.need("x2Scale");
    const Tensor& out = call.need("out");
    for (const char* name : {"x1", "x2"}) {
        const Tensor& t = call.need(name);
        call.require(is950(call) || !is_narrow_float(t.dtype), kInvalid,
                     std::string(name) + " is " + describe(t) + ", a dtype of the 950 only", cite);
        call.require(t.dtype != ACL_HIFLOAT8, kNoKernel, "EMULATOR: HiFloat8 products are not played", cite);
        call.require(t.rank() >= 2 && t.rank() <= 6, kInvalid, std::string(name) + " is " + describe(t), cite);
        call.require(t.rank() == 2, kNoKernel, "EMULATOR: batches of quantised products are not played", cite);
    }
    call.require(!is_nz(x1.format) && is_nz(x2.format) == fractal, kInvalid,
                 fractal ? "x2 is not in a fractal (NZ) format" : "a fractal (NZ) operand", cite);
    for (const char* name : {"yScale", "x1Offset", "x2Offset", "yOffset"}) {
        call.require(present(call, name) == nullptr, kNoKernel, std::string("EMULATOR: ") + name + " is not played",
                     cite);
    }
    call.workspace(kCubeWorkspace);
    const Problem p = problem(call);
    call.require(p.k == p.x2.dims[0], kInvalid, describe(x1) + " x " + describe(x2) + ": inner dimensions differ",
                 cite);
    call.require(out.dims == Dims({p.m, p.n}), kInvalid, "out is " + describe(out), cite);
    switch (p.mode) {
        case Mode::per_channel:
            return per_channel_rule(call, p, cite);
        case Mode::blocks:
            return blocks_rule(call, p, cite);
        case Mode::mx:
            return mx_rule(call, p, cite);
        default:
            return mx_a8w4_rule(call, p, cite);
    }
}

}  // namespace emu::quant_matmul
