// aclnnKvCompressEpilog and aclnnIndexerQuantCache: quantise rows and scatter them into a paged cache.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <unordered_set>

#include "checks.h"
#include "quantise.h"
#include "rows.h"

namespace emu {

namespace {

constexpr const char* kKvDoc = "ops-transformer docs aclnnKvCompressEpilog";
constexpr const char* kIndexDoc = "ops-transformer docs aclnnIndexerQuantCache";
constexpr int64_t kRope = 64;

/** Slots of a call: -1 skips the row; a slot outside the cache or written twice is an error of the caller. */
std::vector<int64_t> checked_slots(Run& run, int64_t limit, const char* cite) {
    std::vector<int64_t> slots = run.ints(*run.tensor("slotMapping"));
    std::unordered_set<int64_t> seen;
    for (int64_t slot : slots) {
        if (slot < -1 || slot >= limit) {
            run.device_exception("slot " + std::to_string(slot) + " outside -1.." + std::to_string(limit - 1), cite);
        }
        if (slot != -1 && !seen.insert(slot).second) {
            run.device_exception("slot " + std::to_string(slot) + " twice: the result would be undefined", cite);
        }
    }
    return slots;
}

/** Element offset of a slot in [blocks, block size, 1, width]; only the block axis may have gaps. */
int64_t slot_element(const Tensor& cache, int64_t slot) {
    return slot / cache.dim(1) * cache.strides[0] + slot % cache.dim(1) * cache.strides[1];
}

void check_cache(Call& call, const char* name, int64_t least, const char* cite) {
    const Tensor& cache = call.need(name);
    expect_dims(call, name, cache, {-1, -1, 1, -1}, cite);
    call.require(cache.dim(-1) >= least, kInvalid,
                 std::string(name) + ": rows of " + std::to_string(cache.dim(-1)) + ", needs " + std::to_string(least),
                 cite);
    call.require(contiguous_after_first(cache), kInvalid, std::string(name) + ": only the block axis may have gaps",
                 cite);
}

void check_rows(Call& call, std::initializer_list<aclDataType> dtypes, std::initializer_list<aclDataType> slots,
                const char* cite) {
    const Tensor& x = call.need("x");
    const Tensor& mapping = call.need("slotMapping");
    call.dtypes("x", dtypes, cite);
    call.dtypes("slotMapping", slots, cite);
    call.require(x.rank() == 2 && x.numel() > 0 && mapping.dims == std::vector<int64_t>{x.dim(0)}, kInvalid,
                 "x [rows, d] and slotMapping [rows]: found " + dims_text(x.dims) + " and " + dims_text(mapping.dims),
                 cite);
    expect_contiguous(call, "x", cite);
    expect_contiguous(call, "slotMapping", cite);
}

enum KvMode : int64_t { kBf16Scale = 0, kE8m0Scale = 1, kHiFloat = 2 };

/** Bytes of a row: mode 0 is rope, nope, BF16 scales, padding to 32; mode 1 is nope, rope, E8M0 scales. */
int64_t kv_row_bytes(int64_t mode, int64_t width) {
    const int64_t nope = width - kRope;
    const int64_t groups = ceil_div(nope, 64);
    return mode == kBf16Scale ? ceil_div(nope + 2 * kRope + 2 * groups, 32) * 32 : nope + 2 * kRope + groups;
}

void kv_rule(Call& call) {
    call.require(is950(call), kNoKernel, "only on Ascend 950", kKvDoc);
    check_rows(call, {ACL_BF16}, {ACL_INT32, ACL_INT64}, kKvDoc);
    const int64_t mode = call.integer("quantMode"), width = call.tensor("x")->dim(1);
    expect_one_of(call, "quantMode", mode, {0, 1, 2}, kInvalid, kKvDoc);
    call.require(width % 64 == 0 && width > 64 && width <= 8192, kInvalid,
                 "x: last axis a multiple of 64 in 128..8192: found " + std::to_string(width), kKvDoc);
    if (mode == kHiFloat) {
        call.refuse(kNoKernel, "EMULATOR: HiFloat8 rows are not emulated", kKvDoc);
    }
    expect_one_of(call, "quantGroupSize", call.integer("quantGroupSize"), {64}, kInvalid, kKvDoc);
    call.need("cacheRef");
    call.dtypes("cacheRef", {ACL_UINT8}, kKvDoc);
    check_cache(call, "cacheRef", kv_row_bytes(mode, width), kKvDoc);
}

void put_bf16(uint8_t* at, float value) {
    const float exact = rounded(ACL_BF16, value);
    uint32_t bits;
    std::memcpy(&bits, &exact, sizeof bits);
    at[0] = static_cast<uint8_t>(bits >> 16);
    at[1] = static_cast<uint8_t>(bits >> 24);
}

void kv_row(int64_t mode, bool round_scale, const float* x, int64_t width, uint8_t* out) {
    const int64_t nope = width - kRope;
    uint8_t* rope_at = mode == kBf16Scale ? out : out + nope;
    uint8_t* nope_at = mode == kBf16Scale ? out + 2 * kRope : out;
    uint8_t* scale_at = out + nope + 2 * kRope;
    for (int64_t i = 0; i < kRope; i++) {
        put_bf16(rope_at + 2 * i, x[nope + i]);
    }
    const float max = largest(ACL_FLOAT8_E4M3FN);
    for (int64_t at = 0; at < nope; at += 64) {
        const float amax = largest_magnitude(x + at, 64);
        // E8M0 holds powers of two only; a BF16 scale is rounded before the division, so that reading gives x back
        const float scale = round_scale || mode == kE8m0Scale ? power_scale(amax, max)
                                                              : rounded(ACL_BF16, plain_scale(amax, max));
        for (int64_t i = at; i < at + 64; i++) {
            nope_at[i] = code_of(ACL_FLOAT8_E4M3FN, x[i] / scale);
        }
        if (mode == kBf16Scale) {
            put_bf16(scale_at + at / 64 * 2, scale);
        } else {
            scale_at[at / 64] = code_of(ACL_FLOAT8_E8M0, scale);
        }
    }
}

void kv_run(Run& run) {
    const Tensor& cache = *run.tensor("cacheRef");
    const int64_t mode = run.integer("quantMode"), width = run.tensor("x")->dim(1);
    const std::vector<float> x = run.floats(*run.tensor("x"));
    const std::vector<int64_t> slots = checked_slots(run, cache.dim(0) * cache.dim(1), kKvDoc);
    auto* base = static_cast<uint8_t*>(run.raw(cache));
    for (size_t r = 0; r < slots.size(); r++) {
        if (slots[r] != -1) {
            kv_row(mode, run.flag("roundScale"), &x[r * static_cast<size_t>(width)], width,
                   base + slot_element(cache, slots[r]));
        }
    }
}

enum IndexMode : int64_t { kMxFp8 = 0, kPlain = 1, kHiFloat8 = 2, kMxFp4 = 3 };

bool mx(int64_t mode) {
    return mode == kMxFp8 || mode == kMxFp4;
}

void index_rule(Call& call) {
    call.require(is950(call), kNoKernel, "only on Ascend 950", kIndexDoc);
    check_rows(call, {ACL_BF16, ACL_FLOAT16}, {ACL_INT32}, kIndexDoc);
    const int64_t mode = call.integer("quantMode"), width = call.tensor("x")->dim(1);
    expect_one_of(call, "quantMode", mode, {0, 1, 2, 3}, kInvalid, kIndexDoc);
    call.require(width % 32 == 0 && width <= 8192, kInvalid,
                 "x: last axis a multiple of 32 up to 8192: found " + std::to_string(width), kIndexDoc);
    if (mode == kHiFloat8) {
        call.refuse(kNoKernel, "EMULATOR: HiFloat8 rows are not emulated", kIndexDoc);
    }
    check_cache(call, "cacheRef", width, kIndexDoc);
    check_cache(call, "cacheScaleRef", mx(mode) ? ceil_div(width, 32) : 1, kIndexDoc);
    if (mode == kMxFp4) {
        call.dtypes("cacheRef", {ACL_FLOAT4_E2M1}, kIndexDoc);
        call.require(call.tensor("cacheRef")->dim(-1) % 2 == 0, kInvalid, "cache: odd FP4 rows", kIndexDoc);
    } else {
        call.dtypes("cacheRef", {ACL_FLOAT8_E4M3FN, ACL_FLOAT8_E5M2}, kIndexDoc);
    }
    call.dtypes("cacheScaleRef", {mx(mode) ? ACL_FLOAT8_E8M0 : ACL_FLOAT}, kIndexDoc);
    const Tensor& cache = *call.tensor("cacheRef");
    const Tensor& scale = *call.tensor("cacheScaleRef");
    call.require(cache.dim(0) == scale.dim(0) && cache.dim(1) == scale.dim(1), kInvalid,
                 "cache and cacheScale: different slots", kIndexDoc);
}

void put_codes(const Tensor& cache, uint8_t* base, int64_t element, const float* x, int64_t n, float scale) {
    for (int64_t i = 0; i < n; i++) {
        const uint8_t code = code_of(cache.dtype, x[i] / scale);
        if (cache.dtype != ACL_FLOAT4_E2M1) {
            base[element + i] = code;
            continue;
        }
        uint8_t& pair = base[(element + i) / 2];
        const bool low = (element + i) % 2 == 0;
        pair = static_cast<uint8_t>(low ? (pair & 0xF0) | (code & 0xF) : (pair & 0x0F) | ((code & 0xF) << 4));
    }
}

void index_run(Run& run) {
    const Tensor& cache = *run.tensor("cacheRef");
    const Tensor& scale_cache = *run.tensor("cacheScaleRef");
    const int64_t mode = run.integer("quantMode"), width = run.tensor("x")->dim(1);
    const int64_t group = mx(mode) ? 32 : width;
    const std::vector<float> x = run.floats(*run.tensor("x"));
    const std::vector<int64_t> slots = checked_slots(run, cache.dim(0) * cache.dim(1), kIndexDoc);
    auto* base = static_cast<uint8_t*>(run.raw(cache));
    auto* scale_base = static_cast<uint8_t*>(run.raw(scale_cache));
    for (size_t r = 0; r < slots.size(); r++) {
        for (int64_t at = 0; at < width && slots[r] != -1; at += group) {
            const float* row = &x[r * static_cast<size_t>(width) + static_cast<size_t>(at)];
            const float amax = largest_magnitude(row, group);
            const float max = largest(cache.dtype);
            const bool up = mode == kMxFp8 && run.flag("roundScale");
            const float scale = !mx(mode) ? plain_scale(amax, max)
                                : up      ? power_scale(amax, max)
                                          : mx_scale(amax, cache.dtype);
            put_codes(cache, base, slot_element(cache, slots[r]) + at, row, group, scale);
            const int64_t scale_at = slot_element(scale_cache, slots[r]) + at / group;
            if (mx(mode)) {
                scale_base[scale_at] = code_of(ACL_FLOAT8_E8M0, scale);
            } else {
                std::memcpy(scale_base + 4 * scale_at, &scale, sizeof scale);
            }
        }
    }
}

EMU_OP(kv_compress_epilog, .name = "aclnnKvCompressEpilog", .cite = kKvDoc, .rule = kv_rule, .run = kv_run,
       .writes = {"cacheRef"});
EMU_OP(indexer_quant_cache, .name = "aclnnIndexerQuantCache", .cite = kIndexDoc, .rule = index_rule, .run = index_run,
       .writes = {"cacheRef", "cacheScaleRef"});

}  // namespace

}  // namespace emu
