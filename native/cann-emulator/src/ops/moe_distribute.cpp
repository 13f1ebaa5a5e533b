// aclnnMoeDistributeDispatchV4 and CombineV4: tokens to the ranks that own their experts and back, as two meetings of
// all ranks. The tensors between the two are opaque on real devices; here they say where each row came from, and the
// combine refuses rows that no dispatch of this kind wrote.
#include <algorithm>
#include <cstring>
#include <limits>
#include <numeric>

#include "checks.h"
#include "quantise.h"
#include "rows.h"

namespace emu {

namespace {

constexpr const char* kDispatchDoc = "ops-transformer docs aclnnMoeDistributeDispatchV4";
constexpr const char* kCombineDoc = "ops-transformer docs aclnnMoeDistributeCombineV4";
constexpr int64_t kInfoWords = 128;  // of assistInfoForCombine, per row
constexpr int64_t kMagic = 0x57444953;

enum QuantMode : int64_t { kNone = 0, kPerToken = 2, kPerGroup = 3, kMx = 4 };

struct Shape {
    int64_t tokens, choices, width, ranks, experts;
    int64_t local() const { return experts / ranks; }
    /** Rows a rank must have room for. */
    int64_t capacity(int64_t global_tokens) const {
        const int64_t most = global_tokens == 0 ? tokens : global_tokens / ranks;
        return most * ranks * std::min(local(), choices);
    }
};

Shape shape_of(const Arguments& a, const Tensor& rows) {
    const Tensor& ids = *a.tensor("expertIds");
    return {ids.dim(0), ids.dim(1), rows.dim(1), a.integer("epWorldSize"), a.integer("moeExpertNum")};
}

/** Attributes that both operators have. */
void check_common(Call& call, const char* cite) {
    call.require(call.soc() != Soc::PR950, kPlatform, "not supported on Ascend 950PR", cite);
    call.need("expertIds");
    call.dtypes("expertIds", {ACL_INT32}, cite);
    call.require(call.tensor("expertIds")->rank() == 2, kInvalid, "expertIds: expected [BS, K]", cite);
    const std::string group = call.text("groupEp"), algorithm = call.text("commAlg");
    const int64_t ranks = call.integer("epWorldSize"), rank = call.integer("epRankId");
    const int64_t experts = call.integer("moeExpertNum"), k = call.tensor("expertIds")->dim(1);
    call.require(!group.empty() && group.size() < 128, kInvalid, "groupEp: 1..127 characters", cite);
    call.require(call.text("groupTp").empty(), kInvalid, "groupTp: reserved, must be empty", cite);
    expect_one_of(call, "tpWorldSize", call.integer("tpWorldSize"), {0, 1}, kInvalid, cite);
    expect_one_of(call, "tpRankId", call.integer("tpRankId"), {0}, kInvalid, cite);
    expect_one_of(call, "expertShardType", call.integer("expertShardType"), {0}, kInvalid, cite);
    const bool a2 = call.soc() == Soc::A2;
    const bool known = a2 ? algorithm.empty() || algorithm == "fullmesh" || algorithm == "hierarchy"
                          : algorithm.empty() || algorithm == "fullmesh_v1" || algorithm == "fullmesh_v2" ||
                                (call.soc() == Soc::A3 && algorithm == "hierarchy");
    call.require(known, kInvalid, "commAlg: found \"" + algorithm + "\"", cite);
    if (is950(call)) {
        expect_range(call, "epWorldSize", ranks, 2, 1024, kInvalid, cite);
        expect_range(call, "BS", call.tensor("expertIds")->dim(0), 1, 512, kInvalid, cite);
        expect_range(call, "K", k, 1, algorithm == "fullmesh_v2" ? 12 : 16, kInvalid, cite);
        expect_range(call, "moeExpertNum", experts, 1, 2048, kInvalid, cite);
    } else {
        expect_range(call, "epWorldSize", ranks, 2, a2 ? 384 : 768, kInvalid, cite);
        expect_range(call, "moeExpertNum", experts, 1, algorithm == "hierarchy" ? 512 : 1024, kInvalid, cite);
    }
    expect_range(call, "epRankId", rank, 0, ranks - 1, kInvalid, cite);
    for (const char* name : {"sharedExpertRankNum", "zeroExpertNum", "copyExpertNum", "constExpertNum"}) {
        if (call.integer(name) != 0) {
            call.refuse(kNoKernel, std::string("EMULATOR: ") + name + " other than 0 is not emulated", cite);
        }
    }
    call.require(experts % ranks == 0, kInvalid, "moeExpertNum: must be a multiple of epWorldSize", cite);
    if (present(call, "elasticInfoOptional") != nullptr || present(call, "performanceInfoOptional") != nullptr) {
        call.refuse(kNoKernel, "EMULATOR: elasticInfo and performanceInfo are not emulated", cite);
    }
    int found_rank = 0, found_ranks = 0;
    call.require(group_shape(group, found_rank, found_ranks), kInvalid,
                 "groupEp: this device has no communicator named \"" + group + "\"", cite);
    call.require(found_rank == rank && found_ranks == ranks, kInvalid,
                 "epRankId, epWorldSize: the communicator has rank " + std::to_string(found_rank) + " of " +
                     std::to_string(found_ranks),
                 cite);
    const int64_t global = call.integer("globalBS");
    call.require(global == 0 || (global % ranks == 0 && global / ranks >= call.tensor("expertIds")->dim(0)), kInvalid,
                 "globalBS: 0 or the largest BS times epWorldSize", cite);
}

int64_t count_words(const Arguments& a, const Shape& s) {
    const int64_t global = a.integer("globalBS") == 0 ? s.tokens * s.ranks : a.integer("globalBS");
    const int64_t servers = ceil_div(s.ranks, 8);
    return a.soc() == Soc::A2 ? s.experts + 2 * global * s.choices * servers : s.ranks * s.local();
}

void check_quantised(Call& call, const Shape& s, int64_t rows) {
    const Tensor& x = *call.tensor("x");
    const int64_t mode = call.integer("quantMode");
    if (!is950(call)) {
        expect_one_of(call, "quantMode on A2 and A3", mode, {kNone, kPerToken}, kInvalid, kDispatchDoc);
    }
    expect_one_of(call, "quantMode", mode, {0, 1, 2, 3, 4}, kInvalid, kDispatchDoc);
    if (mode == 1 || present(call, "scalesOptional") != nullptr) {
        call.refuse(kNoKernel, "EMULATOR: static and smooth scales are not emulated", kDispatchDoc);
    }
    if (mode == kNone) {
        call.dtypes("expandXOut", {x.dtype}, kDispatchDoc);
        return;
    }
    call.need("dynamicScalesOut");
    if (mode == kPerToken) {
        call.dtypes("expandXOut", {ACL_INT8, is950(call) ? ACL_FLOAT8_E4M3FN : ACL_INT8}, kDispatchDoc);
        call.dtypes("dynamicScalesOut", {ACL_FLOAT}, kDispatchDoc);
        call.shape("dynamicScalesOut", {rows}, kDispatchDoc);
    } else if (mode == kPerGroup) {
        call.dtypes("expandXOut", {ACL_FLOAT8_E4M3FN, ACL_FLOAT8_E5M2}, kDispatchDoc);
        call.dtypes("dynamicScalesOut", {ACL_FLOAT}, kDispatchDoc);
        call.shape("dynamicScalesOut", {rows, ceil_div(s.width, 128)}, kDispatchDoc);
    } else {
        call.dtypes("expandXOut", {ACL_FLOAT8_E4M3FN, ACL_FLOAT8_E5M2}, kDispatchDoc);
        call.dtypes("dynamicScalesOut", {ACL_FLOAT8_E8M0}, kDispatchDoc);
        call.require(call.tensor("dynamicScalesOut")->numel() == rows * ceil_div(s.width, 64) * 2, kInvalid,
                     "dynamicScales: expected " + std::to_string(ceil_div(s.width, 64)) + " pairs a row", kDispatchDoc);
    }
}

/** What rows in flight take of HCCL_BUFFSIZE; A2 divides its buffer in another way, which its page leaves open. */
void check_buffer(Call& call, const Shape& s, const char* cite) {
    if (call.soc() == Soc::A2) {
        return;
    }
    auto up = [](int64_t value, int64_t to) { return ceil_div(value, to) * to; };
    const int64_t global = call.integer("globalBS"), most = global == 0 ? s.tokens : global / s.ranks;
    const int64_t message = up(2 * s.width, 32) + 64;
    const int64_t slot = call.text("commAlg") == "fullmesh_v2" ? ceil_div(message, 480) * 512 : up(message, 512);
    const int64_t shared = call.integer("sharedExpertNum");
    const int64_t needed =
        2 * (s.local() * most * s.ranks * slot + (s.choices + shared) * most * up(2 * s.width, 512));
    const int64_t found = group_buffer(call.text("groupEp"));
    call.require(found >= needed, kTiling,
                 "HCCL_BUFFSIZE: the communicator has " + std::to_string(found >> 20) + " MB, needed are " +
                     std::to_string(ceil_div(needed, 1 << 20)),
                 cite);
}

void dispatch_rule(Call& call) {
    const Tensor& x = call.need("x");
    for (const char* name : {"expandXOut", "assistInfoForCombineOut", "expertTokenNumsOut", "epRecvCountsOut"}) {
        call.need(name);
    }
    check_common(call, kDispatchDoc);
    call.dtypes("x", {ACL_BF16, ACL_FLOAT16}, kDispatchDoc);
    const Shape s = shape_of(call, x);
    call.require(x.rank() == 2 && x.dim(0) == s.tokens, kInvalid, "x: found " + dims_text(x.dims), kDispatchDoc);
    call.require(!is950(call) || (s.width >= 1024 && s.width <= 8192), kInvalid,
                 "x: H in 1024..8192: found " + std::to_string(s.width), kDispatchDoc);
    const int64_t rows = s.capacity(call.integer("globalBS"));
    call.shape("expandXOut", {rows, s.width}, kDispatchDoc);
    call.dtypes("assistInfoForCombineOut", {ACL_INT32}, kDispatchDoc);
    call.shape("assistInfoForCombineOut", {rows * kInfoWords}, kDispatchDoc);
    call.dtypes("expertTokenNumsOut", {ACL_INT64}, kDispatchDoc);
    call.shape("expertTokenNumsOut", {s.local()}, kDispatchDoc);
    call.dtypes("epRecvCountsOut", {ACL_INT32}, kDispatchDoc);
    call.shape("epRecvCountsOut", {count_words(call, s)}, kDispatchDoc);
    expect_one_of(call, "expertTokenNumsType", call.integer("expertTokenNumsType"), {0, 1}, kInvalid, kDispatchDoc);
    const Tensor* mask = present(call, "xActiveMaskOptional");
    call.require(mask == nullptr || mask->dims == std::vector<int64_t>{s.tokens} ||
                     (call.soc() != Soc::A2 && mask->dims == std::vector<int64_t>{s.tokens, s.choices}),
                 kInvalid, "xActiveMask: expected [BS] or, not on A2, [BS, K]", kDispatchDoc);
    check_quantised(call, s, rows);
    check_buffer(call, s, kDispatchDoc);
}

// ---- what travels

void put(std::vector<uint8_t>& to, const void* from, size_t bytes) {
    const auto* at = static_cast<const uint8_t*>(from);
    to.insert(to.end(), at, at + bytes);
}

template <typename T>
T take(const std::vector<uint8_t>& from, size_t& at) {
    T value;
    std::memcpy(&value, from.data() + at, sizeof value);
    at += sizeof value;
    return value;
}

/** What all ranks of a call must agree on: numbers of tokens too, unless globalBS tells the largest. */
std::string agreement(const Run& run, int64_t width) {
    const int64_t global = run.integer("globalBS");
    const std::string tokens = global != 0 ? "globalBS " + std::to_string(global)
                                           : "BS " + std::to_string(run.tensor("expertIds")->dim(0)) + " without globalBS";
    return std::to_string(run.integer("moeExpertNum")) + " experts of width " + std::to_string(width) + ", " + tokens +
           ", commAlg \"" + run.text("commAlg") + "\"";
}

struct Row {
    int64_t expert;
    int32_t rank, token, choice;
    std::vector<float> values;
};

/** Tokens of this rank for all experts: expert, token, choice, values. */
std::vector<uint8_t> outgoing(Run& run, const Shape& s) {
    const std::vector<float> x = dense_floats(run, *run.tensor("x"));
    const std::vector<int64_t> ids = run.ints(*run.tensor("expertIds"));
    const Tensor* mask_tensor = present(run, "xActiveMaskOptional");
    const std::vector<int64_t> mask = mask_tensor == nullptr ? std::vector<int64_t>{} : run.ints(*mask_tensor);
    const bool per_choice = mask_tensor != nullptr && mask_tensor->rank() == 2;
    std::vector<uint8_t> bytes;
    for (int64_t pair = 0; pair < s.tokens * s.choices; pair++) {
        const int64_t token = pair / s.choices, expert = ids[static_cast<size_t>(pair)];
        if (expert < 0 || expert >= s.experts) {
            run.device_exception("expert " + std::to_string(expert) + " of " + std::to_string(s.experts), kDispatchDoc);
        }
        if (!mask.empty() && mask[static_cast<size_t>(per_choice ? pair : token)] == 0) {
            continue;
        }
        const int32_t where[] = {static_cast<int32_t>(expert), static_cast<int32_t>(token),
                                 static_cast<int32_t>(pair % s.choices)};
        put(bytes, where, sizeof where);
        put(bytes, &x[static_cast<size_t>(token * s.width)], static_cast<size_t>(s.width) * sizeof(float));
    }
    return bytes;
}

/** Rows for this rank's experts, by expert, then rank, then token. */
std::vector<Row> incoming(const std::vector<std::vector<uint8_t>>& all, const Shape& s, int64_t rank) {
    std::vector<Row> rows;
    for (size_t source = 0; source < all.size(); source++) {
        for (size_t at = 0; at < all[source].size();) {
            Row row;
            row.expert = take<int32_t>(all[source], at);
            row.rank = static_cast<int32_t>(source);
            row.token = take<int32_t>(all[source], at);
            row.choice = take<int32_t>(all[source], at);
            row.values.resize(static_cast<size_t>(s.width));
            std::memcpy(row.values.data(), all[source].data() + at, row.values.size() * sizeof(float));
            at += row.values.size() * sizeof(float);
            if (row.expert / s.local() == rank) {
                rows.push_back(std::move(row));
            }
        }
    }
    std::stable_sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.expert < b.expert; });
    return rows;
}

void quantise(int64_t mode, aclDataType target, const std::vector<float>& row, float* out, std::vector<float>& scales) {
    const auto width = static_cast<int64_t>(row.size());
    const int64_t block = mode == kPerToken ? width : mode == kPerGroup ? 128 : 32;
    for (int64_t at = 0; at < width; at += block) {
        const int64_t n = std::min(block, width - at);
        const float amax = largest_magnitude(&row[static_cast<size_t>(at)], n);
        scales.push_back(mode == kMx ? mx_scale(amax, target) : plain_scale(amax, largest(target)));
        divide_by(&row[static_cast<size_t>(at)], n, scales.back(), out + at);
    }
    if (mode == kMx && ceil_div(width, block) % 2 != 0) {
        scales.push_back(mx_scale(0, target));
    }
}

void dispatch_run(Run& run) {
    const Shape s = shape_of(run, *run.tensor("x"));
    const int64_t rank = run.integer("epRankId"), mode = run.integer("quantMode");
    const std::vector<Row> rows = incoming(
        run.exchange(run.text("groupEp"), agreement(run, s.width) + ", quantMode " + std::to_string(mode),
                     outgoing(run, s)),
        s, rank);
    const Tensor& out = *run.tensor("expandXOut");
    const float poison = out.dtype == ACL_INT8 ? 85.0F : std::numeric_limits<float>::quiet_NaN();
    std::vector<float> values(static_cast<size_t>(out.numel()), poison), scales;
    std::vector<int64_t> info(static_cast<size_t>(out.dim(0) * kInfoWords)), counts(static_cast<size_t>(s.local()));
    std::vector<int64_t> received(static_cast<size_t>(count_words(run, s)));
    for (size_t i = 0; i < rows.size(); i++) {
        float* at = &values[i * static_cast<size_t>(s.width)];
        if (mode == kNone) {
            std::copy(rows[i].values.begin(), rows[i].values.end(), at);
        } else {
            quantise(mode, out.dtype, rows[i].values, at, scales);
        }
        const int64_t expert = rows[i].expert - rank * s.local();
        counts[static_cast<size_t>(expert)]++;
        received[static_cast<size_t>(expert * s.ranks + rows[i].rank)]++;
        int64_t* word = &info[i * static_cast<size_t>(kInfoWords)];
        word[0] = kMagic;
        word[1] = rows[i].rank;
        word[2] = rows[i].token;
        word[3] = rows[i].choice;
    }
    run.store(out, values);
    run.store(*run.tensor("assistInfoForCombineOut"), info);
    run.store(*run.tensor("epRecvCountsOut"), received);
    if (run.integer("expertTokenNumsType") == 0) {
        std::partial_sum(counts.begin(), counts.end(), counts.begin());
    }
    run.store(*run.tensor("expertTokenNumsOut"), counts);
    if (mode != kNone) {
        const Tensor& scale_out = *run.tensor("dynamicScalesOut");
        scales.resize(static_cast<size_t>(scale_out.numel()), std::numeric_limits<float>::quiet_NaN());
        run.store(scale_out, scales);
    }
}

void combine_rule(Call& call) {
    for (const char* name : {"expandX", "assistInfoForCombine", "epSendCounts", "expertScales", "xOut"}) {
        call.need(name);
    }
    check_common(call, kCombineDoc);
    const Tensor& x = *call.tensor("expandX");
    const Shape s = shape_of(call, x);
    call.dtypes("expandX", {ACL_BF16, ACL_FLOAT16}, kCombineDoc);
    call.shape("expandX", {s.capacity(call.integer("globalBS")), s.width}, kCombineDoc);
    call.dtypes("expertScales", {ACL_FLOAT}, kCombineDoc);
    call.shape("expertScales", {s.tokens, s.choices}, kCombineDoc);
    call.dtypes("assistInfoForCombine", {ACL_INT32}, kCombineDoc);
    call.shape("assistInfoForCombine", {x.dim(0) * kInfoWords}, kCombineDoc);
    call.dtypes("epSendCounts", {ACL_INT32}, kCombineDoc);
    call.shape("epSendCounts", {count_words(call, s)}, kCombineDoc);
    call.dtypes("xOut", {x.dtype}, kCombineDoc);
    call.shape("xOut", {s.tokens, s.width}, kCombineDoc);
    expect_one_of(call, "outDtype", call.integer("outDtype"), {0}, kInvalid, kCombineDoc);
    if (call.integer("commQuantMode") != 0 || present(call, "sharedExpertXOptional") != nullptr) {
        call.refuse(kNoKernel, "EMULATOR: quantised combine and shared experts are not emulated", kCombineDoc);
    }
}

/** This rank's expert results: rank and pair they belong to, values. */
std::vector<uint8_t> results(Run& run, const Shape& s) {
    const std::vector<float> x = dense_floats(run, *run.tensor("expandX"));
    const std::vector<int64_t> info = run.ints(*run.tensor("assistInfoForCombine"));
    const std::vector<int64_t> counts = run.ints(*run.tensor("epSendCounts"));
    const int64_t rows = std::accumulate(counts.begin(), counts.begin() + s.ranks * s.local(), int64_t{0});
    std::vector<uint8_t> bytes;
    for (int64_t r = 0; r < rows; r++) {
        const int64_t* word = r * kInfoWords < static_cast<int64_t>(info.size()) && r >= 0
                                  ? &info[static_cast<size_t>(r * kInfoWords)]
                                  : nullptr;
        if (word == nullptr || word[0] != kMagic) {
            run.device_exception("assistInfoForCombine, epSendCounts: not what a dispatch of this kind wrote",
                                 kCombineDoc);
        }
        const int32_t where[] = {static_cast<int32_t>(word[1]), static_cast<int32_t>(word[2]),
                                 static_cast<int32_t>(word[3])};
        put(bytes, where, sizeof where);
        put(bytes, &x[static_cast<size_t>(r * s.width)], static_cast<size_t>(s.width) * sizeof(float));
    }
    return bytes;
}

void combine_run(Run& run) {
    const Shape s = shape_of(run, *run.tensor("expandX"));
    const std::vector<std::vector<uint8_t>> all =
        run.exchange(run.text("groupEp"), agreement(run, s.width), results(run, s));
    const std::vector<float> scales = run.floats(*run.tensor("expertScales"));
    std::vector<float> sums(static_cast<size_t>(s.tokens * s.width)), row(static_cast<size_t>(s.width));
    for (const std::vector<uint8_t>& from : all) {
        for (size_t at = 0; at < from.size();) {
            const auto rank = take<int32_t>(from, at), token = take<int32_t>(from, at);
            const auto choice = take<int32_t>(from, at);
            std::memcpy(row.data(), from.data() + at, row.size() * sizeof(float));
            at += row.size() * sizeof(float);
            if (rank != run.integer("epRankId")) {
                continue;
            }
            if (token >= s.tokens || choice >= s.choices) {
                run.device_exception("a row of another dispatch came back: token " + std::to_string(token),
                                     kCombineDoc);
            }
            const float scale = scales[static_cast<size_t>(token * s.choices + choice)];
            for (int64_t h = 0; h < s.width; h++) {
                sums[static_cast<size_t>(token * s.width + h)] += scale * row[static_cast<size_t>(h)];
            }
        }
    }
    run.store(*run.tensor("xOut"), sums);
}

EMU_OP(distribute_dispatch, .name = "aclnnMoeDistributeDispatchV4", .cite = kDispatchDoc, .rule = dispatch_rule,
       .run = dispatch_run,
       .writes = {"expandXOut", "dynamicScalesOut", "assistInfoForCombineOut", "expertTokenNumsOut", "epRecvCountsOut",
                  "tpRecvCountsOut", "expandScalesOut"},
       .repeatable = false);
EMU_OP(distribute_combine, .name = "aclnnMoeDistributeCombineV4", .cite = kCombineDoc, .rule = combine_rule,
       .run = combine_run, .writes = {"xOut"}, .repeatable = false);

}  // namespace

}  // namespace emu
