// Manifold-constrained hyper-connections: aclnnMhcPreSinkhorn and aclnnMhcPost.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "blocked.h"
#include "checks.h"
#include "rows.h"

namespace emu {

namespace {

constexpr const char* kPreDoc = "ops-transformer docs aclnnMhcPreSinkhorn";
constexpr const char* kPostDoc = "ops-transformer docs aclnnMhcPost";
constexpr int64_t kStreams = 4;
constexpr int64_t kMix = kStreams * kStreams + 2 * kStreams;
constexpr int kIterations = 20;

std::vector<int64_t> with(std::vector<int64_t> leading, std::initializer_list<int64_t> last) {
    leading.insert(leading.end(), last);
    return leading;
}

/** x is [B, S, 4, C], or [T, 4, C] on 950; returns the axes before the streams. */
std::vector<int64_t> leading_axes(Call& call, const Tensor& x, const char* cite) {
    call.require(x.rank() == 4 || (x.rank() == 3 && is950(call)), kInvalid,
                 "x: expected [B, S, 4, C], on 950 also [T, 4, C]: found " + dims_text(x.dims), cite);
    call.require(x.dim(-2) == kStreams, kInvalid, "x: must have 4 streams: found " + dims_text(x.dims), cite);
    return {x.dims.begin(), x.dims.end() - 2};
}

void expect_output(Call& call, const char* name, std::initializer_list<aclDataType> dtypes,
                   const std::vector<int64_t>& dims, const char* cite) {
    const Tensor& out = call.need(name);
    call.dtypes(name, dtypes, cite);
    expect_dims(call, name, out, dims, cite);
    expect_contiguous(call, name, cite);
}

void pre_rule(Call& call) {
    const Tensor& x = call.need("x");
    call.dtypes("x", {ACL_BF16, ACL_FLOAT16}, kPreDoc);
    const std::vector<int64_t> rows = leading_axes(call, x, kPreDoc);
    const int64_t width = x.dim(-1);
    if (is950(call)) {
        expect_one_of(call, "x: last axis on 950", width, {4096, 7168}, kInvalid, kPreDoc);
    } else {
        call.require(width % 128 == 0 && width >= 1 && width <= 100000, kInvalid,
                     "x: last axis must be a multiple of 128 up to 100000: found " + std::to_string(width), kPreDoc);
    }
    for (const char* name : {"phi", "alpha", "bias"}) {
        call.need(name);
        call.dtypes(name, {ACL_FLOAT}, kPreDoc);
    }
    expect_dims(call, "phi", *call.tensor("phi"), {kMix, kStreams * width}, kPreDoc);
    expect_dims(call, "alpha", *call.tensor("alpha"), {3}, kPreDoc);
    expect_dims(call, "bias", *call.tensor("bias"), {kMix}, kPreDoc);
    expect_one_of(call, "hcMult", call.integer("hcMult"), {kStreams}, kInvalid, kPreDoc);
    expect_one_of(call, "numIters", call.integer("numIters"), {kIterations}, kInvalid, kPreDoc);
    expect_output(call, "hin", {x.dtype}, with(rows, {width}), kPreDoc);
    expect_output(call, "hPost", {ACL_FLOAT}, with(rows, {kStreams}), kPreDoc);
    expect_output(call, "hRes", {ACL_FLOAT}, with(rows, {kStreams * kStreams}), kPreDoc);
    if (call.flag("needBackward")) {
        std::vector<int64_t> steps = rows;
        steps.insert(steps.begin(), 2 * kIterations);
        expect_output(call, "hPre", {ACL_FLOAT}, with(rows, {kStreams}), kPreDoc);
        expect_output(call, "hcBeforeNorm", {ACL_FLOAT}, with(rows, {kMix}), kPreDoc);
        expect_output(call, "invRms", {ACL_FLOAT}, with(rows, {1}), kPreDoc);
        expect_output(call, "sumOut", {ACL_FLOAT}, with(steps, {kStreams}), kPreDoc);
        expect_output(call, "normOut", {ACL_FLOAT}, with(steps, {kStreams, kStreams}), kPreDoc);
    }
    call.workspace(kCubeWorkspace);
}

using Square = std::array<float, kStreams * kStreams>;

/** What the Sinkhorn iteration leaves behind for the backward pass: 2*kIterations steps. */
struct Trace {
    std::array<Square, 2 * kIterations> norm;
    std::array<std::array<float, kStreams>, 2 * kIterations> sum;
};

void divide(Square& c, bool by_column, float eps, std::array<float, kStreams>& sums) {
    for (int64_t i = 0; i < kStreams; i++) {
        float sum = 0;
        for (int64_t j = 0; j < kStreams; j++) {
            sum += by_column ? c[j * kStreams + i] : c[i * kStreams + j];
        }
        sums[i] = sum + eps;
        for (int64_t j = 0; j < kStreams; j++) {
            float& value = by_column ? c[j * kStreams + i] : c[i * kStreams + j];
            value /= sums[i];
        }
    }
}

/** Softmax over the last axis plus eps counts as the first row pass; columns always come last. */
Square sinkhorn(const float* scores, float eps, Trace& trace) {
    Square c;
    for (int64_t i = 0; i < kStreams; i++) {
        const float* row = scores + i * kStreams;
        const float max = *std::max_element(row, row + kStreams);
        float sum = 0;
        for (int64_t j = 0; j < kStreams; j++) {
            c[i * kStreams + j] = std::exp(row[j] - max);
            sum += c[i * kStreams + j];
        }
        for (int64_t j = 0; j < kStreams; j++) {
            c[i * kStreams + j] = c[i * kStreams + j] / sum + eps;
        }
        trace.sum[0][i] = sum;
    }
    trace.norm[0] = c;
    for (int step = 1; step < 2 * kIterations; step++) {
        divide(c, step % 2 == 1, eps, trace.sum[static_cast<size_t>(step)]);
        trace.norm[static_cast<size_t>(step)] = c;
    }
    return c;
}

float sigmoid(float v) {
    return 1.0F / (1.0F + std::exp(-v));
}

struct Backward {
    std::vector<float> pre, mix, rms, sum, norm;
};

void poison_or_store(Run& run, const char* name, const std::vector<float>& values, bool valid) {
    const Tensor* out = run.tensor(name);
    if (out != nullptr && out->numel() > 0) {
        run.store(*out, valid ? values
                              : std::vector<float>(static_cast<size_t>(out->numel()),
                                                   std::numeric_limits<float>::quiet_NaN()));
    }
}

void pre_run(Run& run) {
    const Tensor& x = *run.tensor("x");
    const int64_t width = x.dim(-1);
    const int64_t long_width = kStreams * width;
    const int64_t rows = x.numel() / std::max<int64_t>(long_width, 1);
    const std::vector<float> values = dense_floats(run, x);
    const std::vector<float> phi = dense_floats(run, *run.tensor("phi"));
    const std::vector<float> alpha = run.floats(*run.tensor("alpha"));
    const std::vector<float> bias = run.floats(*run.tensor("bias"));
    const auto hc_eps = static_cast<float>(run.real("hcEps"));
    const auto norm_eps = static_cast<float>(run.real("normEps"));
    std::vector<float> hin(static_cast<size_t>(rows * width)), post, res;
    Backward back;
    back.sum.resize(static_cast<size_t>(2 * kIterations * rows * kStreams));
    back.norm.resize(static_cast<size_t>(2 * kIterations * rows * kStreams * kStreams));
    for (int64_t r = 0; r < rows; r++) {
        const float* u = &values[static_cast<size_t>(r * long_width)];
        const float rms = 1.0F / std::sqrt(dot(u, u, long_width) / static_cast<float>(long_width) + norm_eps);
        float mix[kMix];
        for (int64_t m = 0; m < kMix; m++) {
            const float projected = dot(u, &phi[static_cast<size_t>(m * long_width)], long_width);
            back.mix.push_back(projected);
            const int64_t kind = m < kStreams ? 0 : m < 2 * kStreams ? 1 : 2;  // pre, post, residual
            mix[m] = alpha[static_cast<size_t>(kind)] * (projected * rms) + bias[static_cast<size_t>(m)];
        }
        float* out = &hin[static_cast<size_t>(r * width)];
        for (int64_t j = 0; j < kStreams; j++) {
            const float pre = sigmoid(mix[j]) + hc_eps;
            back.pre.push_back(pre);
            add_scaled(out, pre, u + j * width, width);
            post.push_back(2.0F * sigmoid(mix[kStreams + j]));
        }
        Trace trace;
        const Square c = sinkhorn(mix + 2 * kStreams, hc_eps, trace);
        res.insert(res.end(), c.begin(), c.end());
        back.rms.push_back(rms);
        for (int64_t step = 0; step < 2 * kIterations; step++) {
            const auto s = static_cast<size_t>(step);
            std::copy(trace.sum[s].begin(), trace.sum[s].end(), &back.sum[static_cast<size_t>((step * rows + r) * 4)]);
            std::copy(trace.norm[s].begin(), trace.norm[s].end(),
                      &back.norm[static_cast<size_t>((step * rows + r) * 16)]);
        }
    }
    run.store(*run.tensor("hin"), hin);
    run.store(*run.tensor("hPost"), post);
    run.store(*run.tensor("hRes"), res);
    const bool valid = run.flag("needBackward");  // otherwise the document calls these outputs invalid
    poison_or_store(run, "hPre", back.pre, valid);
    poison_or_store(run, "hcBeforeNorm", back.mix, valid);
    poison_or_store(run, "invRms", back.rms, valid);
    poison_or_store(run, "sumOut", back.sum, valid);
    poison_or_store(run, "normOut", back.norm, valid);
}

void post_rule(Call& call) {
    const Tensor& x = call.need("x");
    call.dtypes("x", {ACL_BF16, ACL_FLOAT16}, kPostDoc);
    const std::vector<int64_t> rows = leading_axes(call, x, kPostDoc);
    const int64_t width = x.dim(-1);
    call.require(width % 128 == 0 && width >= 1 && width <= 100000, kInvalid,
                 "x: last axis must be a multiple of 128 up to 100000: found " + std::to_string(width), kPostDoc);
    const Tensor* res = present(call, "hRes");
    call.require(res != nullptr || is950(call), kNullPointer, "hRes: optional only on 950", kPostDoc);
    if (res != nullptr) {
        call.dtypes("hRes", {ACL_FLOAT}, kPostDoc);
        call.require(res->dims == with(rows, {kStreams, kStreams}) || res->dims == with(rows, {kStreams * kStreams}),
                     kInvalid, "hRes: found " + dims_text(res->dims) + ", expected 4 x 4 per row", kPostDoc);
    }
    call.need("hOut");
    call.need("hPost");
    call.dtypes("hOut", {x.dtype}, kPostDoc);
    call.dtypes("hPost", {ACL_FLOAT}, kPostDoc);
    expect_dims(call, "hOut", *call.tensor("hOut"), with(rows, {width}), kPostDoc);
    expect_dims(call, "hPost", *call.tensor("hPost"), with(rows, {kStreams}), kPostDoc);
    expect_output(call, "out", {x.dtype}, x.dims, kPostDoc);
}

void post_run(Run& run) {
    const Tensor& x = *run.tensor("x");
    const int64_t width = x.dim(-1);
    const int64_t rows = x.numel() / std::max<int64_t>(kStreams * width, 1);
    const std::vector<float> values = dense_floats(run, x);
    const std::vector<float> added = run.floats(*run.tensor("hOut"));
    const std::vector<float> post = run.floats(*run.tensor("hPost"));
    const Tensor* res = present(run, "hRes");
    const std::vector<float> comb = res == nullptr ? std::vector<float>{} : run.floats(*res);
    std::vector<float> out(values.size());
    for (int64_t r = 0; r < rows; r++) {
        const float* u = &values[static_cast<size_t>(r * kStreams * width)];
        for (int64_t k = 0; k < kStreams; k++) {
            float* row = &out[static_cast<size_t>((r * kStreams + k) * width)];
            for (int64_t j = 0; j < kStreams; j++) {  // (H^res)^T x: the sum runs over the first index
                const float weight = comb.empty() ? (j == k ? 1.0F : 0.0F)
                                                  : comb[static_cast<size_t>((r * kStreams + j) * kStreams + k)];
                add_scaled(row, weight, u + j * width, width);
            }
            add_scaled(row, post[static_cast<size_t>(r * kStreams + k)], &added[static_cast<size_t>(r * width)], width);
        }
    }
    run.store(*run.tensor("out"), out);
}

EMU_OP(mhc_pre_sinkhorn, .name = "aclnnMhcPreSinkhorn", .cite = kPreDoc, .rule = pre_rule, .run = pre_run,
       .writes = {"hin", "hPost", "hRes", "hPre", "hcBeforeNorm", "invRms", "sumOut", "normOut"});
EMU_OP(mhc_post, .name = "aclnnMhcPost", .cite = kPostDoc, .rule = post_rule, .run = post_run, .writes = {"out"});

}  // namespace

}  // namespace emu
