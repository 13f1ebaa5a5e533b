// Operators of libopapi_nn except the matrix products, against values worked out by hand or by plain loops here.
#include "aclnnop/aclnn_add_rms_norm.h"
#include "aclnnop/aclnn_anti_mx_quant.h"
#include "aclnnop/aclnn_apply_top_k_top_p.h"
#include "aclnnop/aclnn_clipped_swiglu.h"
#include "aclnnop/aclnn_dynamic_block_quant_v2.h"
#include "aclnnop/aclnn_dynamic_mx_quant_v2.h"
#include "aclnnop/aclnn_dynamic_quant.h"
#include "aclnnop/aclnn_dynamic_quant_v2.h"
#include "aclnnop/aclnn_embedding.h"
#include "aclnnop/aclnn_gather.h"
#include "aclnnop/aclnn_gather_nd.h"
#include "aclnnop/aclnn_gather_v2.h"
#include "aclnnop/aclnn_gather_v3.h"
#include "aclnnop/aclnn_index.h"
#include "aclnnop/aclnn_index_put_impl.h"
#include "aclnnop/aclnn_index_select.h"
#include "aclnnop/aclnn_inplace_index_copy.h"
#include "aclnnop/aclnn_inplace_masked_fill_tensor.h"
#include "aclnnop/aclnn_inplace_scatter.h"
#include "aclnnop/aclnn_inplace_scatter_update.h"
#include "aclnnop/aclnn_log_softmax.h"
#include "aclnnop/aclnn_rms_norm.h"
#include "aclnnop/aclnn_rms_norm_dynamic_mx_quant.h"
#include "aclnnop/aclnn_scatter_nd.h"
#include "aclnnop/aclnn_scatter_nd_update.h"
#include "aclnnop/aclnn_silu.h"
#include "aclnnop/aclnn_softmax.h"
#include "aclnnop/aclnn_softplus.h"
#include "aclnnop/aclnn_swi_glu.h"
#include "applying.h"

#include <algorithm>

using namespace operators;

namespace {

char rint_mode[] = "rint";

std::vector<float> normalised(const std::vector<float>& x, const std::vector<float>& gamma, double epsilon) {
    std::vector<float> out;
    for (size_t first = 0; first < x.size(); first += gamma.size()) {
        double squares = 0;
        for (size_t i = 0; i < gamma.size(); i++) {
            squares += static_cast<double>(x[first + i]) * x[first + i];
        }
        const double root = std::sqrt(squares / static_cast<double>(gamma.size()) + epsilon);
        for (size_t i = 0; i < gamma.size(); i++) {
            out.push_back(static_cast<float>(x[first + i] / root * gamma[i]));
        }
    }
    return out;
}

void norms() {
    Session s;
    const std::vector<float> x = random_values(3 * 64, 1), other = random_values(3 * 64, 2), gamma = random_values(64,
                                                                                                                   3);
    Ten y = empty(ACL_FLOAT, {3, 64}, 4), rstd = empty(ACL_FLOAT, {3, 1}, 4), sum = empty(ACL_FLOAT, {3, 64}, 4);
    EQUAL(APPLY(s, aclnnRmsNorm, f32({3, 64}, x), f32({64}, gamma), 1e-6, y, rstd), 0);
    NEAR(y.floats(), normalised(x, gamma, 1e-6), 1e-6);
    EQUAL(APPLY(s, aclnnRmsNorm, f32({3, 64}, x), f32({64}, gamma), 1e-6, y, nullptr), 161001);  // rstd is mandatory
    EQUAL(APPLY(s, aclnnRmsNorm, f32({3, 64}, x), f32({32}, random_values(32, 1)), 1e-6, y, rstd), 161002);
    Ten low = empty(ACL_BF16, {3, 64}, 2);
    EQUAL(APPLY(s, aclnnRmsNorm, b16({3, 64}, x), f32({64}, gamma), 1e-6, low, rstd), 0);
    NEAR(low.floats(), normalised(x, gamma, 1e-6), 4e-3);
    EQUAL(APPLY(s, aclnnAddRmsNorm, f32({3, 64}, x), f32({3, 64}, other), f32({64}, gamma), 1e-6, y, rstd, sum), 0);
    std::vector<float> added = x;
    for (size_t i = 0; i < added.size(); i++) {
        added[i] += other[i];
    }
    NEAR(sum.floats(), added, 0);
    NEAR(y.floats(), normalised(added, gamma, 1e-6), 1e-6);
}

float silu(float x) {
    return x / (1 + std::exp(-x));
}

void activations() {
    Session s;
    Host h;
    const std::vector<float> x = random_values(2 * 8, 4, 12);
    Ten out = empty(ACL_FLOAT, {2, 4}, 4), all = empty(ACL_FLOAT, {2, 8}, 4);
    EQUAL(APPLY(s, aclnnSwiGlu, f32({2, 8}, x), -1, out), 0);
    std::vector<float> expected, clipped, pairs;
    for (size_t r = 0; r < 2; r++) {
        for (size_t i = 0; i < 4; i++) {
            const float gate = x[r * 8 + i], value = x[r * 8 + 4 + i];
            expected.push_back(silu(gate) * value);
            clipped.push_back(silu(std::min(gate, 7.0F)) * std::clamp(value, -7.0F, 7.0F));
            const float g = std::min(x[r * 8 + 2 * i], 7.0F), v = std::clamp(x[r * 8 + 2 * i + 1], -7.0F, 7.0F);
            pairs.push_back(g / (1 + std::exp(-1.702F * g)) * (v + 1));
        }
    }
    NEAR(out.floats(), expected, 1e-6);
    EQUAL(APPLY(s, aclnnClippedSwiglu, f32({2, 8}, x), nullptr, -1, 1.0, 7.0, 0.0, false, out), 0);
    NEAR(out.floats(), clipped, 1e-6);
    EQUAL(APPLY(s, aclnnClippedSwiglu, f32({2, 8}, x), nullptr, -1, 1.702, 7.0, 1.0, true, out), 0);
    NEAR(out.floats(), pairs, 1e-6);
    Ten poisoned = empty(ACL_FLOAT, {2, 4}, 4);
    EQUAL(APPLY(s, aclnnClippedSwiglu, f32({2, 8}, x), i64({2}, {1, 0}), -1, 1.0, 7.0, 0.0, false, poisoned), 0);
    CHECK(std::fabs(poisoned.floats()[3] - clipped[3]) < 1e-5F);
    CHECK(std::isnan(poisoned.floats()[4]));  // the row beyond the groups is not written
    EQUAL(APPLY(s, aclnnSilu, f32({2, 8}, x), all), 0);
    CHECK(std::fabs(all.floats()[5] - silu(x[5])) < 1e-6F);
    EQUAL(APPLY(s, aclnnSoftplus, f32({2, 8}, x), h.scalar(1), h.scalar(20), all), 0);
    CHECK(std::fabs(all.floats()[7] - std::log(1 + std::exp(static_cast<double>(x[7])))) < 1e-5);
}

void softmaxes() {
    Session s;
    Ten out = empty(ACL_FLOAT, {2, 2}, 4);
    const Ten x = f32({2, 2}, {0, std::log(3.0F), 1000, 1000});
    EQUAL(APPLY(s, aclnnSoftmax, x, 1, out), 0);
    NEAR(out.floats(), (std::vector<float>{0.25F, 0.75F, 0.5F, 0.5F}), 1e-6);
    EQUAL(APPLY(s, aclnnLogSoftmax, x, 1, out), 0);
    NEAR(out.floats(), (std::vector<float>{std::log(0.25F), std::log(0.75F), std::log(0.5F), std::log(0.5F)}), 1e-6);
    EQUAL(APPLY(s, aclnnSoftmax, x, 2, out), 161002);
}

void gathers() {
    Session s;
    const Ten x = f32({3, 2}, {1, 2, 3, 4, 5, 6});
    Ten rows = empty(ACL_FLOAT, {2, 1, 2}, 4), columns = empty(ACL_FLOAT, {3, 1}, 4), two = empty(ACL_FLOAT, {2, 2}, 4);
    EQUAL(APPLY(s, aclnnEmbedding, x, i32({2, 1}, {2, 0}), rows), 0);
    NEAR(rows.floats(), (std::vector<float>{5, 6, 1, 2}), 0);
    EQUAL(APPLY(s, aclnnGatherV2, x, 0, i64({2, 1}, {1, 1}), rows), 0);
    NEAR(rows.floats(), (std::vector<float>{3, 4, 3, 4}), 0);
    EQUAL(APPLY(s, aclnnIndexSelect, x, 1, i64({1}, {1}), columns), 0);
    NEAR(columns.floats(), (std::vector<float>{2, 4, 6}), 0);
    EQUAL(APPLY(s, aclnnGather, x, 0, i64({2, 2}, {2, 0, 1, 1}), two), 0);
    NEAR(two.floats(), (std::vector<float>{5, 2, 3, 4}), 0);
    EQUAL(APPLY(s, aclnnGatherV3, x, 1, i32({3, 1}, {1, 0, 1}), 1, 0, columns), 0);
    NEAR(columns.floats(), (std::vector<float>{2, 3, 6}), 0);
    Ten picked = empty(ACL_FLOAT, {3}, 4);
    EQUAL(APPLY(s, aclnnGatherNd, x, i64({3, 2}, {0, 1, 2, 0, -1, -1}), true, picked), 0);
    NEAR(picked.floats(), (std::vector<float>{2, 5, 6}), 0);
    EQUAL(APPLY(s, aclnnEmbedding, x, f32({2, 1}, {2, 0}), rows), 161002);
}

void index_out_of_range() {
    Session s;
    const Ten x = f32({3, 2}, {1, 2, 3, 4, 5, 6});
    Ten rows = empty(ACL_FLOAT, {1, 2}, 4);
    EQUAL(APPLY(s, aclnnEmbedding, x, i32({1}, {3}), rows), 507015);  // late, from the synchronisation
    s.broken();
}

void scatters() {
    Session s;
    Ten x = f32({4, 2}, {0, 0, 0, 0, 0, 0, 0, 0});
    EQUAL(APPLY(s, aclnnInplaceIndexCopy, x, 0, i64({2}, {3, 1}), f32({2, 2}, {1, 2, 3, 4})), 0);
    NEAR(x.floats(), (std::vector<float>{0, 0, 3, 4, 0, 0, 1, 2}), 0);
    EQUAL(APPLY(s, aclnnScatterNdUpdate, x, i32({1, 1}, {0}), f32({1, 2}, {8, 9})), 0);
    NEAR(x.floats(), (std::vector<float>{8, 9, 3, 4, 0, 0, 1, 2}), 0);
    EQUAL(APPLY(s, aclnnScatterNdUpdate, i32({4}, {0, 0, 0, 0}), i32({1, 1}, {0}), i32({1}, {8})), 161002);  // no INT32
    Ten out = empty(ACL_FLOAT, {4, 2}, 4);
    EQUAL(APPLY(s, aclnnScatterNd, x, i64({1, 2}, {2, 1}), f32({1}, {-1}), out), 0);
    NEAR(out.floats(), (std::vector<float>{8, 9, 3, 4, 0, -1, 1, 2}), 0);
    EQUAL(APPLY(s, aclnnInplaceScatter, out, 1, i64({4, 1}, {1, 0, 1, 0}), f32({4, 1}, {1, 1, 1, 1}), 1), 0);
    NEAR(out.floats(), (std::vector<float>{8, 10, 4, 4, 0, 0, 2, 2}), 0);
    Ten cache = f32({2, 3, 1}, std::vector<float>(6, 0));
    EQUAL(APPLY(s, aclnnInplaceScatterUpdate, cache, i64({2}, {2, 0}), f32({2, 1, 1}, {5, 6}), 1), 0);
    NEAR(cache.floats(), (std::vector<float>{0, 0, 5, 6, 0, 0}), 0);
    bool first = false, last = false;  // of two writes to one row either stays
    for (int i = 0; i < 40; i++) {
        EQUAL(APPLY(s, aclnnInplaceIndexCopy, x, 0, i64({2}, {0, 0}), f32({2, 2}, {1, 1, 2, 2})), 0);
        CHECK(x.floats()[0] == x.floats()[1]);
        first = first || x.floats()[0] == 1;
        last = last || x.floats()[0] == 2;
    }
    CHECK(first && last);
    EQUAL(APPLY(s, aclnnInplaceMaskedFillTensor, x, bytes(ACL_BOOL, {4, 1}, {0, 1, 0, 1}), f32({1}, {7})), 0);
    CHECK(x.floats()[2] == 7 && x.floats()[3] == 7 && x.floats()[4] == 0 && x.floats()[7] == 7);
}

void advanced_indices() {
    Session s;
    const Ten x = f32({2, 3, 2}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
    Ten out = empty(ACL_FLOAT, {2, 2, 2}, 4);
    {
        Ten absent = i64({0}, {}), index = i64({2}, {2, -3});
        const List indices({absent.take(), index.take()});
        EQUAL(APPLY(s, aclnnIndex, x, indices, out), 0);
        NEAR(out.floats(), (std::vector<float>{4, 5, 0, 1, 10, 11, 6, 7}), 0);
    }
    Ten target = f32({2, 3}, std::vector<float>(6, 1));
    Ten a = i64({2}, {0, 1}), b = i64({2}, {2, 0});
    const List indices({a.take(), b.take()});
    EQUAL(APPLY(s, aclnnIndexPutImpl, target, indices, f32({2}, {5, 6}), true, false), 0);
    NEAR(target.floats(), (std::vector<float>{1, 1, 6, 7, 1, 1}), 0);
}

void row_quantisers() {
    Session s;
    Ten y = empty(ACL_INT8, {2, 4}, 1), scale = empty(ACL_FLOAT, {2}, 4);
    EQUAL(APPLY(s, aclnnDynamicQuant, b16({2, 4}, {127, -63.5F, 1, 0, 2, 1, -2, 0.5F}), nullptr, y, scale), 0);
    NEAR(y.floats(), (std::vector<float>{127, -64, 1, 0, 127, 64, -127, 32}), 0);  // -63.5 and 63.5 to even
    NEAR(scale.floats(), (std::vector<float>{1, 2 / 127.0F}), 1e-7);
    Ten fp8 = empty(ACL_FLOAT8_E4M3FN, {2, 4}, 1);
    EQUAL(APPLY(s, aclnnDynamicQuantV2, b16({2, 4}, {448, -224, 17, 0, 2, 1, -2, 0.5F}), nullptr, nullptr,
                ACL_FLOAT8_E4M3FN, fp8,
                scale, nullptr),
          0);
    NEAR(fp8.floats(), (std::vector<float>{448, -224, 16, 0, 448, 224, -448, 112}), 0);
    NEAR(scale.floats(), (std::vector<float>{1, 2 / 448.0F}), 1e-7);
}

void block_quantiser() {
    Session s;
    const std::vector<float> x = random_values(2 * 200, 6);
    Ten y = empty(ACL_FLOAT8_E4M3FN, {2, 200}, 1), scale = empty(ACL_FLOAT, {2, 2}, 4);
    EQUAL(APPLY(s, aclnnDynamicBlockQuantV2, b16({2, 200}, x), 0.0, rint_mode, ACL_FLOAT8_E4M3FN, 1, 128, 0.0, y,
                scale), 0);
    const std::vector<float> codes = y.floats(), scales = scale.floats();
    for (size_t r = 0; r < 2; r++) {
        for (size_t c = 0; c < 200; c++) {
            float amax = 0;
            for (size_t i = c / 128 * 128; i < std::min<size_t>(200, c / 128 * 128 + 128); i++) {
                amax = std::max(amax, std::fabs(x[r * 200 + i]));
            }
            const float expected = amax / 448, found = codes[r * 200 + c] * scales[r * 2 + c / 128];
            CHECK(std::fabs(scales[r * 2 + c / 128] - expected) <= 1e-7F * expected);
            CHECK(std::fabs(found - x[r * 200 + c]) <= std::max(std::fabs(x[r * 200 + c]) / 15, expected / 512));
        }
    }
    Ten zeros = empty(ACL_FLOAT8_E4M3FN, {1, 128}, 1), none = empty(ACL_FLOAT, {1, 1}, 4);
    EQUAL(APPLY(s, aclnnDynamicBlockQuantV2, b16({1, 128}, std::vector<float>(128, 0)), 0.0, rint_mode,
                ACL_FLOAT8_E4M3FN, 1, 128, 0.0,
                zeros, none),
          0);
    CHECK(none.floats()[0] == 0 && zeros.floats()[127] == 0);
    EQUAL(APPLY(s, aclnnDynamicBlockQuantV2, b16({2, 200}, x), 0.0, rint_mode, ACL_INT8, 1, 128, 0.0,
                empty(ACL_INT8, {2, 200}, 1),
                scale),
          161002);
}

void mx_quantisers() {
    Session s;
    std::vector<float> x(96, 0);
    x[0] = 448;   // block 0: 2^(8-8) = 1
    x[1] = -3.25F;
    x[33] = 1;    // block 1: 2^(0-8)
    x[70] = 0.75F;  // block 2: 2^(-1-8)
    Ten y = empty(ACL_FLOAT8_E4M3FN, {1, 96}, 1), scale = empty(ACL_FLOAT8_E8M0, {1, 2, 2}, 1);
    EQUAL(APPLY(s, aclnnDynamicMxQuantV2, b16({1, 96}, x), -1, rint_mode, ACL_FLOAT8_E4M3FN, 32, 0, 0.0, y, scale), 0);
    CHECK(scale.raw<uint8_t>() == std::vector<uint8_t>({127, 119, 118, 0}));  // the last one is padding
    const std::vector<float> codes = y.floats();
    CHECK(codes[0] == 448 && codes[1] == -3.25F && codes[33] == 256 && codes[70] == 384);
    Ten back = empty(ACL_BF16, {1, 96}, 2);
    EQUAL(APPLY(s, aclnnAntiMxQuant, y, scale, -1, ACL_BF16, back), 0);
    NEAR(back.floats(), x, 0);
    Ten fp4 = empty(ACL_FLOAT4_E2M1, {1, 96}, 1);
    EQUAL(APPLY(s, aclnnDynamicMxQuantV2, b16({1, 96}, x), -1, rint_mode, ACL_FLOAT4_E2M1, 32, 0, 0.0, fp4, scale), 0);
    CHECK(scale.raw<uint8_t>() == std::vector<uint8_t>({133, 125, 124, 0}));
    CHECK(e2m1(nibble(fp4.raw<uint8_t>(), 0)) == 6 && e2m1(nibble(fp4.raw<uint8_t>(), 33)) == 4);  // 7 saturates
    EQUAL(APPLY(s, aclnnDynamicMxQuantV2, b16({1, 96}, x), -1, rint_mode, ACL_FLOAT8_E4M3FN, 48, 0, 0.0, y, scale),
          161002);
    const std::vector<float> gamma(96, 2);
    EQUAL(APPLY(s, aclnnRmsNormDynamicMxQuant, b16({1, 96}, x), b16({96}, gamma), nullptr, 1e-6, 0, rint_mode,
                ACL_FLOAT8_E4M3FN,
                false, y, scale, nullptr),
          0);
    const std::vector<float> expected = normalised(x, gamma, 1e-6);
    CHECK(std::fabs(y.floats()[0] * std::ldexp(1.0F, scale.raw<uint8_t>()[0] - 127) - expected[0]) < expected[0] / 8);
}

void quantisers_refused_on_old_products() {
    Session s("Ascend910_9382");
    Ten scale = empty(ACL_FLOAT, {2}, 4);
    const std::vector<float> x = random_values(2 * 64, 7);
    EQUAL(APPLY(s, aclnnDynamicQuantV2, b16({2, 64}, x), nullptr, nullptr, ACL_FLOAT8_E4M3FN,
                empty(ACL_FLOAT8_E4M3FN, {2, 64}, 1),
                scale, nullptr),
          161002);
    EQUAL(APPLY(s, aclnnDynamicMxQuantV2, b16({2, 64}, x), -1, rint_mode, ACL_FLOAT8_E4M3FN, 32, 0, 0.0,
                empty(ACL_FLOAT8_E4M3FN, {2, 64}, 1), empty(ACL_FLOAT8_E8M0, {2, 1, 2}, 1)),
          361001);
    EQUAL(APPLY(s, aclnnDynamicQuant, b16({2, 64}, x), nullptr, empty(ACL_INT8, {2, 64}, 1), scale), 0);
}

void sampling() {
    Session s;
    Ten out = empty(ACL_FLOAT, {2, 4}, 4);
    const float a = std::log(0.5F), b = std::log(0.3F), c = std::log(0.15F), d = std::log(0.05F);
    EQUAL(APPLY(s, aclnnApplyTopKTopP, f32({2, 4}, {d, a, c, b, d, a, c, b}), f32({2}, {1, 0.6F}), i32({2}, {3, 4}),
                out), 0);
    const float gone = -INFINITY;
    const std::vector<float> expected = {gone, a, c, b, gone, a, gone, b};
    CHECK(out.floats() == expected);
    EQUAL(APPLY(s, aclnnApplyTopKTopP, f32({2, 4}, {d, a, c, b, d, a, c, b}), nullptr, i32({2}, {1, 1}), out), 0);
    CHECK(out.floats()[1] == a && out.floats()[3] == gone);
}

}  // namespace

int main() {
    for (void (*test)() : {norms, activations, softmaxes, gathers, index_out_of_range, scatters, advanced_indices,
                           row_quantisers,
                           block_quantiser, mx_quantisers, quantisers_refused_on_old_products, sampling}) {
        test();
    }
    std::printf("%d failures\n", operators::failures);
    return operators::failures != 0;
}
