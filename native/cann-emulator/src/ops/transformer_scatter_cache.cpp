// aclnnScatterPaKvCache: rows of this step into the slots of a paged cache. Only the plain layout ("Norm", "None").
#include <cstring>
#include <unordered_set>

#include "checks.h"

namespace emu {

namespace {

constexpr const char* kDoc = "ops-transformer docs aclnnScatterPaKvCache";

bool value_absent(const Arguments& a) {
    return present(a, "value") == nullptr && present(a, "valueCacheRef") == nullptr;
}

void check_pair(Call& call, const char* rows_name, const char* cache_name, int64_t tokens) {
    const Tensor& rows = call.need(rows_name);
    const Tensor& cache = call.need(cache_name);
    if (is950(call)) {
        call.dtypes(rows_name,
                    {ACL_FLOAT16, ACL_FLOAT, ACL_BF16, ACL_INT8, ACL_UINT8, ACL_INT16, ACL_UINT16, ACL_INT32, ACL_UINT32,
                     ACL_HIFLOAT8, ACL_FLOAT8_E5M2, ACL_FLOAT8_E4M3FN},
                    kDoc);
    } else {
        call.dtypes(rows_name, {ACL_FLOAT16, ACL_BF16, ACL_INT8}, kDoc);
    }
    call.dtypes(cache_name, {rows.dtype}, kDoc);
    expect_dims(call, rows_name, rows, {tokens, -1, -1}, kDoc);
    expect_dims(call, cache_name, cache, {-1, -1, rows.dim(1), rows.dim(2)}, kDoc);
    expect_contiguous(call, cache_name, kDoc);
}

void rule(Call& call) {
    const Tensor& mapping = call.need("slotMapping");
    call.dtypes("slotMapping", {ACL_INT32, ACL_INT64}, kDoc);
    const std::string cache_mode = call.text("cacheModeOptional"), scatter = call.text("scatterModeOptional");
    call.require(cache_mode.empty() || cache_mode == "Norm" || cache_mode == "PA_NZ", kInvalid,
                 "cacheMode: found \"" + cache_mode + "\"", kDoc);
    if (cache_mode == "PA_NZ" || !(scatter.empty() || scatter == "None")) {
        call.refuse(kNoKernel, "EMULATOR: cacheMode \"" + cache_mode + "\" with scatterMode \"" + scatter +
                                   "\" is not emulated",
                    kDoc);
    }
    for (const char* name : {"compressLensOptional", "compressSeqOffsetOptional", "seqLensOptional"}) {
        call.require(present(call, name) == nullptr, kInvalid, std::string(name) + ": not in the plain layout", kDoc);
    }
    expect_dims(call, "slotMapping", mapping, {-1}, kDoc);
    check_pair(call, "key", "keyCacheRef", mapping.dim(0));
    if (value_absent(call)) {
        call.require(!is950(call), kInvalid, "value: may be empty only on A2 and A3", kDoc);
        return;
    }
    check_pair(call, "value", "valueCacheRef", mapping.dim(0));
    const Tensor& key_cache = *call.tensor("keyCacheRef");
    const Tensor& value_cache = *call.tensor("valueCacheRef");
    call.require(call.tensor("value")->dtype == call.tensor("key")->dtype &&
                     key_cache.dim(0) == value_cache.dim(0) && key_cache.dim(1) == value_cache.dim(1) &&
                     key_cache.dim(2) == value_cache.dim(2),
                 kInvalid, "key and value: different dtypes, heads or blocks", kDoc);
}

std::vector<int64_t> checked_slots(Run& run, int64_t limit) {
    std::vector<int64_t> slots = run.ints(*run.tensor("slotMapping"));
    std::unordered_set<int64_t> seen;
    for (int64_t slot : slots) {
        if (slot < 0 || slot >= limit) {
            run.device_exception("slot " + std::to_string(slot) + " outside 0.." + std::to_string(limit - 1), kDoc);
        }
        if (!seen.insert(slot).second) {
            run.device_exception("slot " + std::to_string(slot) + " twice: the result would be undefined", kDoc);
        }
    }
    return slots;
}

void scatter(Run& run, const Tensor& rows, const Tensor& cache, const std::vector<int64_t>& slots) {
    const auto* from = static_cast<const char*>(run.raw(rows));
    auto* to = static_cast<char*>(run.raw(cache));
    const int64_t bytes = dtype_bits(rows.dtype) / 8;
    const int64_t heads = rows.dim(1), lanes = rows.dim(2);
    for (size_t r = 0; r < slots.size(); r++) {
        for (int64_t h = 0; h < heads; h++) {
            for (int64_t d = 0; d < lanes; d++) {
                const int64_t source =
                    static_cast<int64_t>(r) * rows.strides[0] + h * rows.strides[1] + d * rows.strides[2];
                const int64_t target = (slots[r] * heads + h) * lanes + d;
                std::memcpy(to + target * bytes, from + source * bytes, static_cast<size_t>(bytes));
            }
        }
    }
}

void run(Run& run) {
    const Tensor& cache = *run.tensor("keyCacheRef");
    const std::vector<int64_t> slots = checked_slots(run, cache.dim(0) * cache.dim(1));
    scatter(run, *run.tensor("key"), cache, slots);
    if (!value_absent(run)) {
        scatter(run, *run.tensor("value"), *run.tensor("valueCacheRef"), slots);
    }
}

EMU_OP(scatter_pa_kv_cache, .name = "aclnnScatterPaKvCache", .cite = kDoc, .rule = rule, .run = run,
       .writes = {"keyCacheRef", "valueCacheRef"});

}  // namespace

}  // namespace emu
