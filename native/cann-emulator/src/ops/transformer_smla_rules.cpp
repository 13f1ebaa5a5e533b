#include <bit>

#include "checks.h"
#include "transformer_smla.h"

namespace emu::smla {

namespace {

constexpr int64_t kAny = -1;

struct Shape {
    std::string layout_q, layout_kv;
    int64_t batches, heads;
    std::vector<int64_t> leading;  // [T] or [B, S1]
};

Shape check_query(Call& call, std::initializer_list<aclDataType> dtypes, const char* cite) {
    const Tensor& q = call.need("q");
    call.dtypes("q", dtypes, cite);
    Shape s;
    s.layout_q = call.text("layoutQOptional");
    s.layout_kv = call.text("layoutKvOptional");
    const bool packed = s.layout_q == "TND";
    call.require(packed || s.layout_q == "BSND", kInvalid, "layoutQ: found \"" + s.layout_q + "\", expected BSND or TND",
                 cite);
    call.require(s.layout_kv == "PA_BBND" || s.layout_kv == s.layout_q, kInvalid,
                 "layoutKv: found \"" + s.layout_kv + "\", expected PA_BBND or that of q, " + s.layout_q, cite);
    call.require(q.rank() == (packed ? 3 : 4), kInvalid, "q: " + s.layout_q + " found shape " + dims_text(q.dims), cite);
    s.heads = q.dim(-2);
    s.leading.assign(q.dims.begin(), q.dims.end() - 2);
    call.require(q.dim(-1) == kHeadDim, kInvalid, "q: head dimension must be 512: found " + std::to_string(q.dim(-1)),
                 cite);
    expect_range(call, "q heads", s.heads, 1, 128, kInvalid, cite);
    call.require(is950(call) || std::has_single_bit(static_cast<uint64_t>(s.heads)), kInvalid,
                 "q heads: A2 and A3 need a power of two: found " + std::to_string(s.heads), cite);
    if (packed) {
        const Tensor* prefix = present(call, "cuSeqlensQOptional");
        call.require(prefix != nullptr, kInvalid, "cuSeqlensQ: required for TND", cite);
        expect_optional(call, "cuSeqlensQOptional", ACL_INT32, {kAny}, cite);
        s.batches = prefix->numel() - 1;
    } else {
        s.batches = q.dim(0);
    }
    call.dtypes("attnOutOut", {q.dtype}, cite);
    expect_dims(call, "attnOutOut", call.need("attnOutOut"), q.dims, cite);
    expect_contiguous(call, "attnOutOut", cite);
    return s;
}

struct Side {
    const char *cache, *table, *prefix, *used;
};
constexpr Side kOri{"oriKvOptional", "oriBlockTableOptional", "cuSeqlensOriKvOptional", "sequsedOriKvOptional"};
constexpr Side kCmp{"cmpKvOptional", "cmpBlockTableOptional", "cuSeqlensCmpKvOptional", "sequsedCmpKvOptional"};

void check_cache(Call& call, const Shape& s, const Side& side, int64_t width, const char* cite) {
    const Tensor& kv = call.need(side.cache);
    expect_optional(call, side.used, ACL_INT32, {s.batches}, cite);
    if (s.layout_kv == "TND") {
        expect_dims(call, side.cache, kv, {kAny, 1, width}, cite);
        call.require(present(call, side.prefix) != nullptr, kInvalid, std::string(side.prefix) + ": required for TND",
                     cite);
        expect_optional(call, side.prefix, ACL_INT32, {s.batches + 1}, cite);
        return;
    }
    expect_dims(call, side.cache, kv, {s.layout_kv == "BSND" ? s.batches : kAny, kAny, 1, width}, cite);
    if (s.layout_kv == "PA_BBND") {
        expect_range(call, "block size", kv.dim(1), 1, 1024, kInvalid, cite);
        call.require(is950(call) || kv.dim(1) % 16 == 0, kInvalid,
                     "block size: A2 and A3 need a multiple of 16: found " + std::to_string(kv.dim(1)), cite);
        call.require(present(call, side.table) != nullptr, kInvalid, std::string(side.table) + ": required for PA_BBND",
                     cite);
        expect_optional(call, side.table, ACL_INT32, {s.batches, kAny}, cite);
    }
}

/** Mask, window and ratio; the names are the same in the main and the metadata operator. */
void check_masks(Call& call, bool ori_sparse, bool has_cmp, bool csa, const char* cite) {
    const int64_t ori_mask = call.integer("oriMaskMode");
    const int64_t cmp_mask = call.integer("cmpMaskMode");
    const int64_t ratio = call.integer("cmpRatio");
    const int64_t left = call.integer("oriWinLeft");
    const int64_t right = call.integer("oriWinRight");
    expect_one_of(call, "oriMaskMode", ori_mask, {0, 3, 4}, kInvalid, cite);
    expect_one_of(call, "cmpMaskMode", cmp_mask, {0, 3}, kInvalid, cite);
    call.require(left >= -1 && right >= -1, kInvalid, "oriWinLeft, oriWinRight: must be -1 or more", cite);
    if (has_cmp) {
        expect_range(call, "cmpRatio", ratio, 1, 128, kInvalid, cite);
    }
    if (is950(call)) {
        return;
    }
    if (has_cmp) {
        expect_one_of(call, "cmpMaskMode on A2 and A3", cmp_mask, {3}, kInvalid, cite);
        expect_one_of(call, csa ? "cmpRatio of CSA on A2 and A3" : "cmpRatio of HCA on A2 and A3", ratio,
                      {csa ? 4 : 128}, kInvalid, cite);
    } else {
        expect_one_of(call, "cmpRatio without compressed entries on A2 and A3", ratio, {1}, kInvalid, cite);
    }
    if (ori_sparse) {
        expect_one_of(call, "oriMaskMode with oriSparseIndices on A2 and A3", ori_mask, {0}, kInvalid, cite);
    } else {
        expect_one_of(call, "oriMaskMode on A2 and A3", ori_mask, {4}, kInvalid, cite);
        expect_one_of(call, "oriWinLeft on A2 and A3", left, {127}, kInvalid, cite);
        expect_one_of(call, "oriWinRight on A2 and A3", right, {0}, kInvalid, cite);
    }
}

void check_indices(Call& call, const Shape& s, const char* name, const char* cite) {
    std::vector<int64_t> dims = s.leading;
    dims.push_back(1);
    dims.push_back(kAny);
    expect_optional(call, name, ACL_INT32, dims, cite);
}

void check_residual(Call& call, int64_t batches, bool has_cmp, const char* cite) {
    expect_optional(call, "cmpResidualKvOptional", ACL_INT32, {batches}, cite);
    call.require(!has_cmp || call.integer("cmpRatio") == 1 || call.integer("cmpMaskMode") != 3 ||
                     present(call, "cmpResidualKvOptional") != nullptr,
                 kInvalid, "cmpResidualKv: required when cmpRatio is not 1 and cmpMaskMode is 3", cite);
}

}  // namespace

void check_main(Call& call, int64_t kv_width, const char* cite) {
    const bool mixed = kv_width != kHeadDim;
    const Shape s = mixed ? check_query(call, {ACL_BF16}, cite) : check_query(call, {ACL_BF16, ACL_FLOAT16}, cite);
    const bool has_cmp = present(call, kCmp.cache) != nullptr;
    const Tensor* chosen = present(call, "cmpSparseIndicesOptional");
    const bool ori_sparse = present(call, "oriSparseIndicesOptional") != nullptr;

    call.require(present(call, kOri.cache) != nullptr, kInvalid, "oriKv: required by SWA, CSA and HCA", cite);
    check_cache(call, s, kOri, kv_width, cite);
    call.require(s.layout_kv != "PA_BBND" || present(call, kOri.used) != nullptr, kInvalid,
                 "sequsedOriKv: required for PA_BBND", cite);
    if (has_cmp) {
        check_cache(call, s, kCmp, kv_width, cite);
    }
    call.require(chosen == nullptr || has_cmp, kInvalid, "cmpSparseIndices without cmpKv", cite);
    check_indices(call, s, "cmpSparseIndicesOptional", cite);
    call.require(chosen == nullptr || is950(call) || chosen->dim(-1) == 512 || chosen->dim(-1) == 1024, kInvalid,
                 "cmpSparseIndices: A2 and A3 need 512 or 1024 entries per query", cite);
    if (ori_sparse) {
        call.require(!has_cmp, kInvalid, "oriSparseIndices: only without cmpKv", cite);
        call.require(present(call, "oriTopkLengthOptional") != nullptr, kInvalid,
                     "oriTopkLength: required with oriSparseIndices", cite);
        check_indices(call, s, "oriSparseIndicesOptional", cite);
        std::vector<int64_t> dims = s.leading;
        dims.push_back(1);
        expect_optional(call, "oriTopkLengthOptional", ACL_INT32, dims, cite);
    }
    call.require(present(call, "sequsedQOptional") == nullptr, kInvalid, "sequsedQ: not supported yet", cite);
    call.require(present(call, "cmpTopkLengthOptional") == nullptr, kInvalid, "cmpTopkLength: must be null or empty",
                 cite);
    check_masks(call, ori_sparse, has_cmp, chosen != nullptr, cite);
    check_residual(call, s.batches, has_cmp, cite);

    call.require(present(call, "sinksOptional") != nullptr, kInvalid, "sinks: required", cite);
    expect_optional(call, "sinksOptional", ACL_FLOAT, {s.heads}, cite);
    call.require(present(call, "metadataOptional") != nullptr, kInvalid, "metadata: required", cite);
    expect_optional(call, "metadataOptional", ACL_INT32, {kMetadataWords}, cite);
    expect_one_of(call, "topkValueMode", call.integer("topkValueMode"), {1}, kInvalid, cite);
    if (call.flag("returnSoftmaxLse")) {
        const Tensor& lse = call.need("softmaxLseOutOptional");
        call.dtypes("softmaxLseOutOptional", {ACL_FLOAT}, cite);
        expect_dims(call, "softmaxLseOutOptional", lse,
                    s.layout_q == "TND" ? std::vector<int64_t>{1, s.leading[0], s.heads}
                                        : std::vector<int64_t>{s.leading[0], 1, s.leading[1], s.heads},
                    cite);
    }
}

void check_metadata(Call& call, const char* cite) {
    expect_range(call, "numHeadsQ", call.integer("numHeadsQ"), 1, 128, kInvalid, cite);
    expect_one_of(call, "numHeadsKv", call.integer("numHeadsKv"), {1}, kInvalid, cite);
    expect_one_of(call, "headDim", call.integer("headDim"), {kHeadDim}, kInvalid, cite);
    for (const char* name : {"batchSize", "maxSeqlenQ", "maxSeqlenOriKv", "maxSeqlenCmpKv", "oriTopk"}) {
        call.require(call.integer(name) >= 0, kInvalid, std::string(name) + ": must not be negative", cite);
    }
    const std::string q = call.text("layoutQOptional");
    const std::string kv = call.text("layoutKvOptional");
    call.require(q == "BSND" || q == "TND", kInvalid, "layoutQ: found \"" + q + "\", expected BSND or TND", cite);
    call.require(kv == "PA_BBND" || kv == q, kInvalid, "layoutKv: found \"" + kv + "\", expected PA_BBND or " + q, cite);
    const Tensor* prefix = present(call, "cuSeqlensQOptional");
    call.require(q != "TND" || prefix != nullptr, kInvalid, "cuSeqlensQ: required for TND", cite);
    const int64_t batches = q == "TND" ? prefix->numel() - 1 : call.integer("batchSize");
    for (const char* name : {"cuSeqlensQOptional", "cuSeqlensOriKvOptional", "cuSeqlensCmpKvOptional"}) {
        expect_optional(call, name, ACL_INT32, {batches + 1}, cite);
    }
    for (const char* name : {"sequsedQOptional", "sequsedOriKvOptional", "sequsedCmpKvOptional"}) {
        expect_optional(call, name, ACL_INT32, {batches}, cite);
    }
    call.require(kv != "PA_BBND" || !call.flag("hasOriKv") || present(call, "sequsedOriKvOptional") != nullptr,
                 kInvalid, "sequsedOriKv: required for PA_BBND", cite);
    const int64_t topk = call.integer("cmpTopk");
    const bool has_cmp = call.flag("hasCmpKv");
    call.require(topk >= 0, kInvalid, "cmpTopk: must not be negative", cite);
    if (!is950(call)) {
        expect_one_of(call, "cmpTopk on A2 and A3", topk, {0, 512, 1024}, kInvalid, cite);
        call.require(std::has_single_bit(static_cast<uint64_t>(call.integer("numHeadsQ"))), kInvalid,
                     "numHeadsQ: A2 and A3 need a power of two", cite);
    }
    check_masks(call, call.integer("oriTopk") > 0, has_cmp, topk > 0, cite);
    check_residual(call, batches, has_cmp, cite);
    call.need("metaData");
    call.dtypes("metaData", {ACL_INT32}, cite);
    call.shape("metaData", {kMetadataWords}, cite);
}

}  // namespace emu::smla
