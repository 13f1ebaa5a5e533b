// Dynamic quantisation with F32 scales: per row (DynamicQuant) and per block (DynamicBlockQuant).
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "checks.h"
#include "quantise.h"
#include "rows.h"
#include "support.h"

namespace emu {
namespace {

constexpr const char* kDoc = "ops-nn docs aclnnDynamicQuant";
constexpr const char* kV2Doc = "ops-nn docs aclnnDynamicQuantV2";
constexpr const char* kV3Doc = "ops-nn docs aclnnDynamicQuantV3";
constexpr const char* kV4Doc = "ops-nn docs aclnnDynamicQuantV4";
constexpr const char* kBlockDoc = "ops-nn docs aclnnDynamicBlockQuant";
constexpr const char* kBlockV2Doc = "ops-nn docs aclnnDynamicBlockQuantV2";

void target_rule(Call& call, const char* y, const char* cite) {
    call.need(y);
    call.dtypes(y, {ACL_INT8, ACL_INT4, ACL_HIFLOAT8, ACL_FLOAT8_E5M2, ACL_FLOAT8_E4M3FN}, cite);
    const Tensor& t = call.need(y);
    call.require(is950(call) || !is_narrow_float(t.dtype), kInvalid,
                 std::string(y) + " is " + describe(t) + ", a dtype of the 950 only",
                 cite);
    call.require(t.dtype != ACL_HIFLOAT8, kNoKernel, "EMULATOR: HiFloat8 results are not played", cite);
}

/** Versions differ in what may be asked for. */
template <int version>
bool asymmetric(const Arguments& a) {
    if constexpr (version == 2) {
        return a.tensor("offsetOut") != nullptr;
    } else if constexpr (version > 2) {
        return !a.flag("isSymmetrical");
    }
    return false;
}

template <int version>
bool per_tensor(const Arguments& a) {
    if constexpr (version > 2) {
        return a.text("quantMode") == "pertensor";
    }
    return false;
}

template <int version>
constexpr const char* document() {
    return version == 1 ? kDoc : version == 2 ? kV2Doc : version == 3 ? kV3Doc : kV4Doc;
}

template <int version>
void quant_rule(Call& call) {
    constexpr const char* cite = document<version>();
    const Tensor& x = call.need("x");
    call.dtypes("x", {ACL_FLOAT16, ACL_BF16}, cite);
    call.require(x.rank() >= 2 && x.rank() <= 8, kInvalid, "x is " + describe(x), cite);
    target_rule(call, "yOut", cite);
    call.shape("yOut", x.dims, cite);
    call.dtypes("smoothScalesOptional", {x.dtype}, cite);
    if (present(call, "smoothScalesOptional") != nullptr) {
        call.shape("smoothScalesOptional", {x.dim(-1)}, cite);
    }
    if constexpr (version >= 2) {
        call.require(present(call, "groupIndexOptional") == nullptr, kNoKernel, "EMULATOR: groups are not played",
                     cite);
        call.require(call.integer("dstType") == call.need("yOut").dtype, kInvalid, "dstType differs from that of yOut",
                     cite);
    }
    if constexpr (version >= 3) {
        const std::string mode = call.text("quantMode");
        call.require(mode == "pertoken" || mode == "pertensor" || mode == "perchannel", kInvalid,
                     "quantMode \"" + mode + "\"",
                     cite);
        call.require(mode != "perchannel", kNoKernel, "EMULATOR: quantMode \"perchannel\" is not played", cite);
    }
    Dims scales(x.dims.begin(), x.dims.end() - 1);
    if (per_tensor<version>(call)) {
        scales = {1};
    }
    call.need("scaleOut");
    call.dtypes("scaleOut", {ACL_FLOAT}, cite);
    call.shape("scaleOut", scales, cite);
    if (asymmetric<version>(call)) {
        call.need("offsetOut");
        call.require(is_float(call.need("yOut").dtype) == false, kInvalid, "an offset with a floating-point result",
                     cite);
        call.dtypes("offsetOut", {ACL_FLOAT}, cite);
        call.shape("offsetOut", scales, cite);
    }
}

struct Level {
    float scale, offset;
};

/** Quantises values[0..n) in place. */
Level quantise_line(float* values, int64_t n, float largest_code, bool with_offset) {
    if (!with_offset) {
        const float scale = plain_scale(largest_magnitude(values, n), largest_code);
        divide_by(values, n, scale, values);
        return {scale, 0};
    }
    const auto [low, high] = std::minmax_element(values, values + n);
    const float scale = plain_scale(*high - *low, 2 * largest_code + 1);
    const float offset = largest_code - *high / scale;
    for (int64_t i = 0; i < n; i++) {
        values[i] = values[i] / scale + offset;
    }
    return {scale, offset};
}

template <int version>
void quant_run(Run& run) {
    const Tensor &x = *run.tensor("x"), &y = *run.tensor("yOut");
    std::vector<float> values = run.floats(x), scales, offsets;
    const int64_t width = x.dim(-1), total = x.numel(), line = per_tensor<version>(run) ? total : width;
    if (const Tensor* smooth = present(run, "smoothScalesOptional")) {
        const std::vector<float> factors = run.floats(*smooth);
        for (int64_t i = 0; i < total; i++) {
            values[static_cast<size_t>(i)] *= factors[static_cast<size_t>(i % width)];
        }
    }
    float top = largest(y.dtype);
    if constexpr (version == 4) {
        top = run.real("dstTypeMax") > 0 ? static_cast<float>(run.real("dstTypeMax")) : top;
    }
    for (int64_t first = 0; first < total; first += line) {
        const Level level = quantise_line(values.data() + first, line, top, asymmetric<version>(run));
        scales.push_back(level.scale);
        offsets.push_back(level.offset);
    }
    run.store(y, values);
    run.store(*run.tensor("scaleOut"), scales);
    if constexpr (version > 1) {
        if (asymmetric<version>(run)) {
            run.store(*run.tensor("offsetOut"), offsets);
        }
    }
}

// ---- per block

void block_rule(Call& call, double largest_value, const char* cite) {
    const Tensor& x = call.need("x");
    call.dtypes("x", {ACL_FLOAT16, ACL_BF16}, cite);
    call.require(x.rank() == 2 || (x.rank() == 3 && !is950(call)), kInvalid, "x is " + describe(x), cite);
    call.require(x.numel() > 0, kInvalid, "x is empty", cite);
    target_rule(call, "yOut", cite);
    const Tensor& y = call.need("yOut");
    call.require(is950(call) ? is_narrow_float(y.dtype) : y.dtype == ACL_INT8, kInvalid, "yOut is " + describe(y),
                 cite);
    call.require(call.integer("dstType") == y.dtype, kInvalid, "dstType differs from that of yOut", cite);
    call.require(largest_value >= 0, kInvalid, "dstTypeMax is negative", cite);
    const std::string mode = call.text("roundModeOptional");
    call.require(mode.empty() || mode == "rint", kInvalid, "round mode \"" + mode + "\"", cite);
    call.require(is950(call) ? call.real("minScale") >= 0 : call.real("minScale") == 0, kInvalid,
                 "minScale is " + std::to_string(call.real("minScale")), cite);
    const int64_t rows = call.integer("rowBlockSize"), columns = call.integer("colBlockSize");
    call.require((rows == 1 || (rows == 128 && is950(call))) && columns == 128, kInvalid,
                 "blocks of " + std::to_string(rows) + " x " + std::to_string(columns), cite);
    call.shape("yOut", x.dims, cite);
    Dims scales = x.dims;
    scales[scales.size() - 2] = ceil_div(x.dim(-2), rows);
    scales.back() = ceil_div(x.dim(-1), columns);
    call.need("scaleOut");
    call.dtypes("scaleOut", {ACL_FLOAT}, cite);
    call.shape("scaleOut", scales, cite);
}

/** minScale bounds the factor, the reciprocal of the scale, from below; a block of zeros has the scale 0. */
float block_scale(float scale, double min_factor) {
    return min_factor > 0 ? std::min(scale, static_cast<float>(1 / min_factor)) : scale;
}

void block_run(Run& run, double largest_value) {
    const Tensor &x = *run.tensor("x"), &y = *run.tensor("yOut");
    const int64_t rows = x.dim(-2), columns = x.dim(-1), matrices = x.numel() / (rows * columns);
    const int64_t row_block = run.integer("rowBlockSize"), column_block = run.integer("colBlockSize");
    const float top = largest_value > 0 ? static_cast<float>(largest_value) : largest(y.dtype);
    std::vector<float> values = run.floats(x), scales;
    for (int64_t m = 0; m < matrices; m++) {
        for (int64_t r = 0; r < rows; r += row_block) {
            for (int64_t c = 0; c < columns; c += column_block) {
                const int64_t height = std::min(row_block, rows - r), width = std::min(column_block, columns - c);
                float* first = values.data() + (m * rows + r) * columns + c;
                float amax = 0;
                for (int64_t i = 0; i < height; i++) {
                    amax = std::max(amax, largest_magnitude(first + i * columns, width));
                }
                const float scale = block_scale(amax / top, run.real("minScale"));
                for (int64_t i = 0; i < height && scale > 0; i++) {
                    divide_by(first + i * columns, width, scale, first + i * columns);
                }
                scales.push_back(scale);
            }
        }
    }
    run.store(y, values);
    run.store(*run.tensor("scaleOut"), scales);
}

EMU_OP(v1, "aclnnDynamicQuant", kDoc, quant_rule<1>, quant_run<1>, {"yOut", "scaleOut"}, true, true);
EMU_OP(v2, "aclnnDynamicQuantV2", kV2Doc, quant_rule<2>, quant_run<2>, {"yOut", "scaleOut", "offsetOut"}, true, true);
EMU_OP(v3, "aclnnDynamicQuantV3", kV3Doc, quant_rule<3>, quant_run<3>, {"yOut", "scaleOut", "offsetOut"}, true, true);
EMU_OP(v4, "aclnnDynamicQuantV4", kV4Doc, quant_rule<4>, quant_run<4>, {"yOut", "scaleOut", "offsetOut"}, true, true);
EMU_OP(block, "aclnnDynamicBlockQuant", kBlockDoc, [](Call& call) { block_rule(call, 0, kBlockDoc); },
       [](Run& run) { block_run(run, 0); }, {"yOut", "scaleOut"});
EMU_OP(block_v2, "aclnnDynamicBlockQuantV2", kBlockV2Doc,
       [](Call& call) { block_rule(call, call.real("dstTypeMax"), kBlockV2Doc); },
       [](Run& run) { block_run(run, run.real("dstTypeMax")); }, {"yOut", "scaleOut"});

}  // namespace
}  // namespace emu
