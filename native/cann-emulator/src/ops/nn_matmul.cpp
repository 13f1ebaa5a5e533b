// Plain matrix products. Transposition is by strides of the operands.
#include <algorithm>
#include <bit>
#include <cmath>
#include <string>
#include <vector>

#include "checks.h"
#include "gemm.h"
#include "rows.h"
#include "support.h"

namespace emu {
namespace {

/** Parameter names and limits of one member of the family. */
struct Form {
    const char* op;
    const char* cite;
    const char *a, *b, *out;
    int least_rank, most_rank;
    bool fractal = false;
};

const Form forms[] = {
    {"aclnnMatmul", "ops-nn docs aclnnMatmul", "self", "mat2", "out", 1, 6},
    {"aclnnMatmulWeightNz", "ops-nn docs aclnnMatmulWeightNz", "self", "mat2", "out", 2, 2, true},
    {"aclnnMm", "ops-nn docs aclnnMm", "self", "mat2", "out", 2, 2},
    {"aclnnBatchMatMul", "ops-nn docs aclnnBatchMatMul", "self", "mat2", "out", 3, 3},
    {"aclnnAddmm", "ops-nn docs aclnnAddmm", "mat1", "mat2", "out", 2, 2},
    {"aclnnFusedMatmul", "ops-nn docs aclnnFusedMatmul", "x1", "x2", "y", 2, 2},
};

const Form& form_of(const Arguments& a) {
    return *std::find_if(std::begin(forms), std::end(forms),
                         [&](const Form& f) { return std::string(f.op) == a.op(); });
}

/** A vector counts as a matrix of one row (left) or one column (right). */
Tensor as_matrix(const Tensor& t, bool left) {
    Tensor view = t;
    if (t.rank() == 1) {
        view.dims.insert(left ? view.dims.begin() : view.dims.end(), 1);
        view.strides.insert(left ? view.strides.begin() : view.strides.end(), left ? t.dims[0] * t.strides[0] : 1);
    }
    return view;
}

Tensor batch_part(const Tensor& t) {
    Tensor view = t;
    view.dims.resize(t.dims.size() - 2);
    return view;
}

Dims product_shape(Call& call, const Form& f, const Tensor& a, const Tensor& b) {
    const Tensor left = as_matrix(a, true), right = as_matrix(b, false);
    call.require(left.dim(-1) == right.dim(-2), kInvalid,
                 describe(a) + " x " + describe(b) + ": inner dimensions differ", f.cite);
    Dims shape = broadcast(call, batch_part(left), batch_part(right), f.cite);
    if (a.rank() > 1) {
        shape.push_back(left.dim(-2));
    }
    if (b.rank() > 1) {
        shape.push_back(right.dim(-1));
    }
    return shape;
}

void operands_rule(Call& call, const Form& f) {
    const Tensor &a = call.need(f.a), &b = call.need(f.b);
    for (const char* name : {f.a, f.b}) {
        call.dtypes(name, kFloats, f.cite);
        const int rank = call.need(name).rank();
        call.require(rank >= f.least_rank && rank <= f.most_rank, kInvalid,
                     std::string(name) + " is " + describe(call.need(name)) + ", a rank the operator does not take",
                     f.cite);
    }
    call.require(a.dtype == b.dtype, kInvalid, describe(a) + " x " + describe(b) + ": dtypes differ", f.cite);
    call.require(is_nz(b.format) == f.fractal, kInvalid,
                 f.fractal ? "the weight is not in a fractal (NZ) format" : "a fractal (NZ) weight", f.cite);
    call.require(!f.fractal || (b.dim(-1) != 1 && b.dim(-2) != 1), kInvalid, "a fractal weight with an axis of 1",
                 f.cite);
    same_shape(call, f.out, product_shape(call, f, a, b), f.cite);
    call.workspace(kCubeWorkspace);
    const int64_t math = call.integer("cubeMathType");
    call.require(math >= 0 && math <= (is950(call) ? 4 : 3), kInvalid, "cubeMathType " + std::to_string(math), f.cite);
    call.require(math != 2 || a.dtype != ACL_BF16, kInvalid, "cubeMathType 2 (FP16) with BF16 operands", f.cite);
    call.require(math != 3 || a.dtype == ACL_FLOAT, kInvalid, "cubeMathType 3 (HF32) without F32 operands", f.cite);
}

void matmul_rule(Call& call) {
    const Form& f = form_of(call);
    operands_rule(call, f);
    call.need(f.out);
    call.dtypes(f.out, {call.need(f.a).dtype}, f.cite);
}

/** What the cube unit makes of F32 operands: 0 keeps them, 1 and 3 give HF32 (11 mantissa bits), 2 gives FP16. */
float narrowed(float v, int64_t math) {
    if (math == 2) {
        return rounded(ACL_FLOAT16, v);
    }
    if ((math == 1 || math == 3) && std::isfinite(v)) {
        uint32_t bits = std::bit_cast<uint32_t>(v);
        bits += 0x7FF + (bits >> 12 & 1);
        return std::bit_cast<float>(bits & ~0xFFFU);
    }
    return v;
}

std::vector<float> product(Run& run, const Tensor& a, const Tensor& b) {
    const int64_t math = a.dtype == ACL_FLOAT ? run.integer("cubeMathType") : 0;
    std::vector<float> left = run.floats(a);
    ColumnEdit edit;
    if (math != 0) {
        for (float& v : left) {
            v = narrowed(v, math);
        }
        const int64_t k = b.dim(-2);
        edit = [k, math](int64_t, float* values) {
            for (int64_t i = 0; i < k; i++) {
                values[i] = narrowed(values[i], math);
            }
        };
    }
    return multiply(run, left, a.dim(-2), b, {}, edit);
}

/** All matrices of the batch, in the order of out. */
std::vector<float> batched(Run& run, const Form& f) {
    Tensor a = as_matrix(*run.tensor(f.a), true), b = as_matrix(*run.tensor(f.b), false);
    if (is_nz(b.format)) {
        return product(run, a, b);
    }
    Dims lead(std::max(a.dims.size(), b.dims.size()) - 2);
    int64_t batches = 1;
    for (size_t i = 0; i < lead.size(); i++) {
        const auto extent = [&](const Tensor& t) {
            const size_t missing = lead.size() + 2 - t.dims.size();
            return i < missing ? 1 : t.dims[i - missing];
        };
        lead[i] = extent(a) == 1 ? extent(b) : extent(a);
        batches *= lead[i];
    }
    const auto spread = [&](const Tensor& t) {
        Dims dims = lead;
        dims.push_back(t.dim(-2));
        dims.push_back(t.dim(-1));
        Tensor view = expand(t, dims);
        // expand() gives extents of 1 the stride 0, which is harmless for a matrix
        return view;
    };
    a = spread(a);
    b = spread(b);
    std::vector<float> out;
    for (int64_t i = 0; i < batches; i++) {
        const std::vector<float> one = product(run, matrix_of(a, i), matrix_of(b, i));
        out.insert(out.end(), one.begin(), one.end());
    }
    return out;
}

void matmul_run(Run& run) {
    const Form& f = form_of(run);
    run.store(*run.tensor(f.out), batched(run, f));
}

// ---- with an addend

void addmm_rule(Call& call) {
    const Form& f = form_of(call);
    matmul_rule(call);
    const Tensor& self = call.need("self");
    call.dtypes("self", kFloats, f.cite);
    call.require(call.has("alpha") && call.has("beta"), kNullPointer, "alpha or beta is NULL", f.cite);
    call.require(broadcast(call, self, call.need("out"), f.cite) == call.need("out").dims, kInvalid,
                 "self does not broadcast to the product", f.cite);
}

void addmm_run(Run& run) {
    const Form& f = form_of(run);
    const Tensor& out = *run.tensor("out");
    std::vector<float> values = batched(run, f);
    const std::vector<float> self = run.floats(expand(*run.tensor("self"), out.dims));
    const auto alpha = static_cast<float>(run.scalar("alpha")), beta = static_cast<float>(run.scalar("beta"));
    for (size_t i = 0; i < values.size(); i++) {
        values[i] = alpha * values[i] + (beta == 0 ? 0.0F : beta * self[i]);
    }
    run.store(out, values);
}

// ---- with a fused last step

void fused_rule(Call& call) {
    const Form& f = form_of(call);
    const std::string kind = call.text("fusedOpType");
    call.require(is950(call), kPlatform, "the operator exists on the 950 only", f.cite);
    const Tensor& x1 = call.need("x1");
    call.need("y");
    const bool third = kind == "add" || kind == "mul";
    call.require(third || kind.empty() || kind == "relu" || kind == "gelu_tanh" || kind == "gelu_erf" ||
                 kind == "16cast32",
                 kInvalid, "fusedOpType \"" + kind + "\"", f.cite);
    const bool gelu = kind == "gelu_tanh" || kind == "gelu_erf";
    if (gelu || kind == "16cast32") {
        call.dtypes("x1", {ACL_FLOAT16, ACL_BF16}, f.cite);
    }
    call.dtypes("y", {kind == "16cast32" ? ACL_FLOAT : x1.dtype}, f.cite);
    call.require(x1.dtype != ACL_FLOAT || call.integer("cubeMathType") == 3, kInvalid,
                 "F32 operands with another cubeMathType than 3", f.cite);
    operands_rule(call, f);
    call.require(third == (call.tensor("x3") != nullptr), third ? kNullPointer : kInvalid,
                 "x3 goes with fusedOpType \"add\" and \"mul\" alone", f.cite);
    if (third) {
        same_shape(call, "x3", call.need("y").dims, f.cite);
    }
    const Tensor* bias = call.tensor("bias");
    call.require(bias == nullptr || !gelu, kNullPointer, "bias with fusedOpType \"" + kind + "\"", f.cite);
    call.require(bias == nullptr || bias->numel() == call.need("y").dim(-1), kInvalid, "bias is not of n elements",
                 f.cite);
}

float activated(const std::string& kind, float x) {
    if (kind == "relu") {
        return std::max(x, 0.0F);
    }
    if (kind == "gelu_tanh") {
        return 0.5F * x * (1 + std::tanh(0.7978845608F * (x + 0.044715F * x * x * x)));
    }
    return kind == "gelu_erf" ? 0.5F * x * (1 + std::erf(x * 0.70710678F)) : x;
}

void fused_run(Run& run) {
    const std::string kind = run.text("fusedOpType");
    const Tensor& y = *run.tensor("y");
    std::vector<float> values = batched(run, form_of(run));
    if (const Tensor* bias = run.tensor("bias")) {
        const std::vector<float> b = run.floats(*bias);
        for (size_t i = 0; i < values.size(); i++) {
            values[i] += b[i % b.size()];
        }
    }
    if (const Tensor* x3 = run.tensor("x3")) {
        const std::vector<float> third = run.floats(*x3);
        for (size_t i = 0; i < values.size(); i++) {
            values[i] = kind == "add" ? values[i] + third[i] : values[i] * third[i];
        }
    }
    for (float& v : values) {
        v = activated(kind, v);
    }
    run.store(y, values);
}

EMU_OP(matmul, "aclnnMatmul", forms[0].cite, matmul_rule, matmul_run, {}, true, true);
EMU_OP(matmul_nz, "aclnnMatmulWeightNz", forms[1].cite, matmul_rule, matmul_run, {}, true, true);
EMU_OP(mm, "aclnnMm", forms[2].cite, matmul_rule, matmul_run, {}, true, true);
EMU_OP(batch, "aclnnBatchMatMul", forms[3].cite, matmul_rule, matmul_run, {}, true, true);
EMU_OP(addmm, "aclnnAddmm", forms[4].cite, addmm_rule, addmm_run, {}, true, true);
EMU_OP(fused, "aclnnFusedMatmul", forms[5].cite, fused_rule, fused_run, {"y"}, true, true);

}  // namespace
}  // namespace emu
