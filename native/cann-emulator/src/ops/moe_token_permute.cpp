// aclnnMoeTokenPermute and aclnnMoeTokenUnpermute.
#include <algorithm>
#include <limits>
#include <numeric>

#include "checks.h"

namespace emu {

namespace {

constexpr const char* kPermuteDoc = "ops-transformer docs aclnnMoeTokenPermute";
constexpr const char* kUnpermuteDoc = "ops-transformer docs aclnnMoeTokenUnpermute";

int64_t choices(const Tensor& indices) {
    return indices.rank() == 1 ? 1 : indices.dim(1);
}

/** Rows the permuted tensor keeps. */
int64_t kept_rows(const Arguments& a) {
    const int64_t pairs = a.tensor("indices")->numel();
    const int64_t wanted = a.integer("numOutTokens");
    return wanted > 0 ? std::min(wanted, pairs) : std::max<int64_t>(pairs + wanted, 0);
}

void permute_rule(Call& call) {
    const Tensor& tokens = call.need("tokens");
    const Tensor& indices = call.need("indices");
    call.need("permuteTokensOut");
    call.need("sortedIndicesOut");
    call.dtypes("tokens", {ACL_BF16, ACL_FLOAT16, ACL_FLOAT}, kPermuteDoc);
    call.dtypes("indices", {ACL_INT32, ACL_INT64}, kPermuteDoc);
    call.dtypes("permuteTokensOut", {tokens.dtype}, kPermuteDoc);
    call.dtypes("sortedIndicesOut", {ACL_INT32}, kPermuteDoc);
    call.require(tokens.rank() == 2 && (indices.rank() == 1 || indices.rank() == 2) && indices.dim(0) == tokens.dim(0),
                 kInvalid, "tokens, indices: found " + dims_text(tokens.dims) + " and " + dims_text(indices.dims),
                 kPermuteDoc);
    expect_range(call, "indices: experts a token", choices(indices), 1, 512, kInvalid, kPermuteDoc);
    call.require(!call.flag("paddedMode"), kInvalid, "paddedMode: only false", kPermuteDoc);
    call.shape("permuteTokensOut", {kept_rows(call), tokens.dim(1)}, kPermuteDoc);
    call.shape("sortedIndicesOut", {indices.numel()}, kPermuteDoc);
}

void permute_run(Run& run) {
    const Tensor& tokens = *run.tensor("tokens");
    const int64_t width = tokens.dim(1), k = choices(*run.tensor("indices")), kept = kept_rows(run);
    const std::vector<float> values = run.floats(tokens);
    const std::vector<int64_t> experts = run.ints(*run.tensor("indices"));
    std::vector<int64_t> order(experts.size()), position(experts.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
        return experts[static_cast<size_t>(a)] < experts[static_cast<size_t>(b)];
    });
    std::vector<float> out(static_cast<size_t>(kept * width));
    for (size_t row = 0; row < order.size(); row++) {
        position[static_cast<size_t>(order[row])] = static_cast<int64_t>(row);
        if (static_cast<int64_t>(row) < kept) {
            std::copy_n(values.begin() + order[row] / k * width, width,
                        out.begin() + static_cast<int64_t>(row) * width);
        }
    }
    run.store(*run.tensor("permuteTokensOut"), out);
    run.store(*run.tensor("sortedIndicesOut"), position);
}

void unpermute_rule(Call& call) {
    call.require(!is950(call), kNoKernel, "no ascend950 kernel in CANN 9.2.0-beta.2", kUnpermuteDoc);
    const Tensor& rows = call.need("permutedTokens");
    const Tensor& indices = call.need("sortedIndices");
    const Tensor& out = call.need("out");
    call.dtypes("permutedTokens", {ACL_BF16, ACL_FLOAT16, ACL_FLOAT}, kUnpermuteDoc);
    call.dtypes("sortedIndices", {ACL_INT32}, kUnpermuteDoc);
    call.dtypes("out", {rows.dtype}, kUnpermuteDoc);
    call.require(!call.flag("paddedMode"), kInvalid, "paddedMode: only false", kUnpermuteDoc);
    const Tensor* probs = present(call, "probsOptional");
    const int64_t k = probs == nullptr ? 1 : probs->dim(1);
    if (probs != nullptr) {
        call.dtypes("probsOptional", {ACL_BF16, ACL_FLOAT16, ACL_FLOAT}, kUnpermuteDoc);
        expect_dims(call, "probsOptional", *probs, {out.dim(0), -1}, kUnpermuteDoc);
    }
    expect_dims(call, "sortedIndices", indices, {out.dim(0) * k}, kUnpermuteDoc);
    expect_dims(call, "permutedTokens", rows, {-1, out.dim(1)}, kUnpermuteDoc);
}

void unpermute_run(Run& run) {
    const Tensor& out = *run.tensor("out");
    const Tensor* probs_tensor = present(run, "probsOptional");
    const std::vector<float> rows = run.floats(*run.tensor("permutedTokens"));
    const std::vector<float> probs = probs_tensor == nullptr ? std::vector<float>{} : run.floats(*probs_tensor);
    const std::vector<int64_t> indices = run.ints(*run.tensor("sortedIndices"));
    const int64_t width = out.dim(1), tokens = out.dim(0);
    const int64_t k = probs.empty() ? 1 : probs_tensor->dim(1), entries = run.tensor("permutedTokens")->dim(0);
    std::vector<float> sums(static_cast<size_t>(tokens * width));
    for (int64_t pair = 0; pair < tokens * k; pair++) {
        const int64_t row = indices[static_cast<size_t>(pair)];
        if (row < 0) {
            run.device_exception("sorted index " + std::to_string(row), kUnpermuteDoc);
        }
        for (int64_t h = 0; h < width && row < entries; h++) {  // rows that were dropped add nothing
            const float scale = probs.empty() ? 1.0F : probs[static_cast<size_t>(pair)];
            sums[static_cast<size_t>(pair / k * width + h)] += scale * rows[static_cast<size_t>(row * width + h)];
        }
    }
    run.store(out, sums);
}

EMU_OP(token_permute, .name = "aclnnMoeTokenPermute", .cite = kPermuteDoc, .rule = permute_rule, .run = permute_run,
       .writes = {"permuteTokensOut", "sortedIndicesOut"});
EMU_OP(token_unpermute, .name = "aclnnMoeTokenUnpermute", .cite = kUnpermuteDoc, .rule = unpermute_rule,
       .run = unpermute_run, .writes = {"out"});

}  // namespace

}  // namespace emu
