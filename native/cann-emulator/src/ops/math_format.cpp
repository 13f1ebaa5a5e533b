// Weights between the plain (ND) and the fractal (NZ) storage: values and view stay, the order in memory changes.
#include <string>
#include <vector>

#include "checks.h"
#include "support.h"

namespace emu {
namespace {

constexpr const char* kCastDoc = "ops-math docs aclnnNpuFormatCast";
constexpr const char* kPreprocessDoc = "ops-math docs aclnnWeightQuantPreprocess";

/** Columns of one fractal block: 32 bytes of a 2-byte or 1-byte dtype. */
int64_t block_columns(aclDataType dtype) {
    return 32 * 8 / dtype_bits(dtype);
}

/** [.., column blocks, row blocks, 16, block] of the matrix whose columns are contiguous in the plain storage. */
Dims fractal_storage(const Tensor& t, int64_t block) {
    const bool turned = t.strides.back() != 1 && t.strides[t.strides.size() - 2] == 1;
    const int64_t rows = t.dim(turned ? -1 : -2), columns = t.dim(turned ? -2 : -1);
    Dims storage(t.dims.begin(), t.dims.end() - 2);
    for (int64_t extent : {ceil_div(columns, block), ceil_div(rows, 16), int64_t{16}, block}) {
        storage.push_back(extent);
    }
    return storage;
}

/** Padding included, everything in the storage becomes 0. */
void clear_storage(Run& run, const Tensor& t) {
    Tensor all = bits_of(t);
    all.format = ACL_FORMAT_ND;
    all.dims = t.storage;
    all.strides = dense_strides(t.storage);
    run.store(all, std::vector<int64_t>(static_cast<size_t>(all.numel()), 0));
}

void to_other_format(Run& run, const Tensor& from, const Tensor& to) {
    if (is_nz(to.format)) {
        clear_storage(run, to);
    }
    move(run, from, to);
}

void fractal_rule(Call& call, const Tensor& t, int64_t block, const char* cite) {
    call.require(t.rank() >= 2 && t.rank() <= 6, kInvalid, describe(t) + " has no fractal form", cite);
    call.require(t.dim(-1) != 1 && t.dim(-2) != 1, kInvalid, describe(t) + " has an extent of 1 on its last two axes",
                 cite);
    const Dims expected = fractal_storage(t, block);
    call.require(t.storage == expected, kInvalid,
                 "the fractal storage of " + describe(t) + " is " + dims_text(t.storage) + ", expected " +
                     dims_text(expected),
                 cite);
}

void cast_rule(Call& call) {
    const Tensor &from = call.need("srcTensor"), &to = call.need("dstTensor");
    call.dtypes("srcTensor", {ACL_FLOAT16, ACL_BF16, ACL_INT8, ACL_FLOAT8_E4M3FN, ACL_FLOAT8_E5M2, ACL_HIFLOAT8},
                kCastDoc);
    call.require(is950(call) || !is_narrow_float(from.dtype), kInvalid,
                 "srcTensor is " + describe(from) + ", a dtype of the 950 only",
                 kCastDoc);
    call.dtypes("dstTensor", {from.dtype}, kCastDoc);
    call.shape("dstTensor", from.dims, kCastDoc);
    call.require(is_nz(from.format) != is_nz(to.format), kInvalid,
                 "srcTensor and dstTensor have the same kind of format", kCastDoc);
    for (const Tensor* t : {&from, &to}) {
        if (is_nz(t->format)) {
            fractal_rule(call, *t, block_columns(t->dtype), kCastDoc);
        }
    }
}

void cast_run(Run& run) {
    to_other_format(run, *run.tensor("srcTensor"), *run.tensor("dstTensor"));
}

// ---- FP4 weights of the A8W4 products

/** [.., k, n] seen over storage [.., n, k]. */
bool turned_matrix(const Tensor& t) {
    return t.rank() >= 2 && t.strides[t.strides.size() - 2] == 1 && t.strides.back() == t.dim(-2);
}

void preprocess_rule(Call& call) {
    call.require(is950(call), kPlatform, "the operator exists on the 950 only", kPreprocessDoc);
    const Tensor &weight = call.need("weight"), &scale = call.need("weightScale"), &out = call.need("outWeight");
    call.dtypes("weight", {ACL_FLOAT4_E2M1}, kPreprocessDoc);
    call.dtypes("weightScale", {ACL_FLOAT8_E8M0}, kPreprocessDoc);
    call.require(weight.rank() == 2 || weight.rank() == 3, kInvalid, "weight is " + describe(weight), kPreprocessDoc);
    call.require(call.integer("xDtype") == ACL_FLOAT8_E4M3FN && call.integer("xScaleDtype") == ACL_FLOAT8_E8M0,
                 kInvalid,
                 "xDtype and xScaleDtype are not FLOAT8_E4M3FN and FLOAT8_E8M0", kPreprocessDoc);
    call.require(call.integer("kGroupSize") == 32, kInvalid, "kGroupSize is not 32", kPreprocessDoc);
    for (const char* name : {"weightOffsetOptional", "biasOptional", "outWeightOffsetOptional", "outBiasOptional"}) {
        call.require(present(call, name) == nullptr, kInvalid, std::string(name) + " is given", kPreprocessDoc);
    }
    call.require(turned_matrix(weight) && !is_nz(weight.format), kInvalid,
                 "weight is not the transposed view of a plain [n, k] weight", kPreprocessDoc);
    call.require(weight.dim(-2) % 64 == 0 && weight.dim(-1) % 64 == 0, kInvalid,
                 describe(weight) + ": k and n are not multiples of 32 bytes (64 elements)", kPreprocessDoc);
    Dims scales = weight.dims;
    scales[scales.size() - 2] = weight.dim(-2) / 64;
    scales.push_back(2);
    call.shape("weightScale", scales, kPreprocessDoc);
    call.need("outWeightScale");
    call.dtypes("outWeight", {ACL_FLOAT4_E2M1}, kPreprocessDoc);
    call.dtypes("outWeightScale", {scale.dtype}, kPreprocessDoc);
    call.shape("outWeight", weight.dims, kPreprocessDoc);
    call.shape("outWeightScale", scales, kPreprocessDoc);
    call.require(out.format == ACL_FORMAT_FRACTAL_NZ_C0_32 && out.strides == weight.strides, kInvalid,
                 "outWeight is not in format 51 with the strides of weight", kPreprocessDoc);
    fractal_rule(call, out, 32, kPreprocessDoc);
}

void preprocess_run(Run& run) {
    to_other_format(run, *run.tensor("weight"), *run.tensor("outWeight"));
    move(run, *run.tensor("weightScale"), *run.tensor("outWeightScale"));
}

EMU_OP(format_cast, "aclnnNpuFormatCast", kCastDoc, cast_rule, cast_run, {}, true, true);
EMU_OP(preprocess, "aclnnWeightQuantPreprocess", kPreprocessDoc, preprocess_rule, preprocess_run, {}, false, true);

}  // namespace
}  // namespace emu
