// Operators of libopapi_math against values worked out by hand or by plain loops here.
#include "aclnnop/aclnn_abs.h"
#include "aclnnop/aclnn_add.h"
#include "aclnnop/aclnn_adds.h"
#include "aclnnop/aclnn_amax.h"
#include "aclnnop/aclnn_arange.h"
#include "aclnnop/aclnn_arg_max.h"
#include "aclnnop/aclnn_cast.h"
#include "aclnnop/aclnn_cat.h"
#include "aclnnop/aclnn_clamp.h"
#include "aclnnop/aclnn_cumsum.h"
#include "aclnnop/aclnn_div.h"
#include "aclnnop/aclnn_exp.h"
#include "aclnnop/aclnn_ge_scalar.h"
#include "aclnnop/aclnn_inplace_copy.h"
#include "aclnnop/aclnn_inplace_fill_scalar.h"
#include "aclnnop/aclnn_inplace_mul.h"
#include "aclnnop/aclnn_inplace_uniform.h"
#include "aclnnop/aclnn_inplace_zero.h"
#include "aclnnop/aclnn_logical_and.h"
#include "aclnnop/aclnn_logical_not.h"
#include "aclnnop/aclnn_lt_tensor.h"
#include "aclnnop/aclnn_max.h"
#include "aclnnop/aclnn_maximum.h"
#include "aclnnop/aclnn_mean.h"
#include "aclnnop/aclnn_mul.h"
#include "aclnnop/aclnn_muls.h"
#include "aclnnop/aclnn_multinomial.h"
#include "aclnnop/aclnn_npu_format_cast.h"
#include "aclnnop/aclnn_one_hot.h"
#include "aclnnop/aclnn_permute.h"
#include "aclnnop/aclnn_range.h"
#include "aclnnop/aclnn_reduce_sum.h"
#include "aclnnop/aclnn_repeat.h"
#include "aclnnop/aclnn_rsqrt.h"
#include "aclnnop/aclnn_slice.h"
#include "aclnnop/aclnn_sort.h"
#include "aclnnop/aclnn_split_tensor.h"
#include "aclnnop/aclnn_split_with_size.h"
#include "aclnnop/aclnn_sub.h"
#include "aclnnop/aclnn_s_where.h"
#include "aclnnop/aclnn_topk.h"
#include "aclnnop/aclnn_tril.h"
#include "aclnnop/aclnn_weight_quant_preprocess.h"
#include "applying.h"

#include <algorithm>

using namespace operators;

namespace {

const std::vector<float> kSome = {-2.5F, -1.5F, -0.5F, 0.5F, 1.5F, 2.75F};

void casts() {
    Session s;
    const Ten x = f32({2, 3}, kSome);
    Ten whole = empty(ACL_INT32, {2, 3}, 4);
    EQUAL(APPLY(s, aclnnCast, x, ACL_INT32, whole), 0);
    CHECK(whole.raw<int32_t>() == std::vector<int32_t>({-2, -1, 0, 0, 1, 2}));  // towards zero
    Ten low = empty(ACL_BF16, {2, 3}, 2);
    EQUAL(APPLY(s, aclnnCast, f32({2, 3}, {1.00390625F, 1.01171875F, 3, -3, 1e-3F, 0}), ACL_BF16, low), 0);
    NEAR(low.floats(), (std::vector<float>{1.0F, 1.015625F, 3, -3, round_bf16(1e-3F), 0}), 0);  // ties to even
    Ten fp8 = empty(ACL_FLOAT8_E4M3FN, {6}, 1);
    EQUAL(APPLY(s, aclnnCast, f32({6}, {500, -1000, NAN, 0.0009765625F, 17, 19}), ACL_FLOAT8_E4M3FN, fp8), 0);
    CHECK(fp8.raw<uint8_t>() == std::vector<uint8_t>({0x7E, 0xFE, 0x7F, 0x00, 0x58, 0x5A}));
    Ten fp4 = bytes(ACL_FLOAT4_E2M1, {4}, {0xFF, 0xFF});
    EQUAL(APPLY(s, aclnnCast, f32({4}, {0.5F, -6, 2.5F, 100}), ACL_FLOAT4_E2M1, fp4), 0);
    CHECK(fp4.raw<uint8_t>() == std::vector<uint8_t>({0xF1, 0x74}));  // the even element is the low half
    Ten flags = empty(ACL_BOOL, {3}, 1);
    EQUAL(APPLY(s, aclnnCast, f32({3}, {0, 0.25F, -7}), ACL_BOOL, flags), 0);
    CHECK(flags.raw<uint8_t>() == std::vector<uint8_t>({0, 1, 1}));
    Ten narrow = empty(ACL_INT16, {2}, 2);
    EQUAL(APPLY(s, aclnnCast, i32({2}, {70000, -3}), ACL_INT16, narrow), 0);
    CHECK(narrow.raw<int16_t>() == std::vector<int16_t>({4464, -3}));  // two's complement
    EQUAL(APPLY(s, aclnnCast, x, ACL_BF16, whole), 161002);             // dtype is not that of out
}

void casts_refused_on_old_products() {
    Session s("Ascend910B1");
    EQUAL(APPLY(s, aclnnCast, f32({2}, {1, 2}), ACL_FLOAT8_E4M3FN, empty(ACL_FLOAT8_E4M3FN, {2}, 1)), 161002);
    EQUAL(APPLY(s, aclnnCast, f32({2}, {1, 2}), ACL_FLOAT4_E2M1, empty(ACL_FLOAT4_E2M1, {2}, 1)), 161002);
    EQUAL(APPLY(s, aclnnCast, f32({2}, {1, 2}), ACL_BF16, empty(ACL_BF16, {2}, 2)), 0);
}

void copies() {
    Session s;
    Ten target = f32({2, 4}, std::vector<float>(8, 9));
    aclTensor* odd = target.view({2, 2}, {4, 2}, {2, 4});  // columns 0 and 2
    EQUAL(APPLY(s, aclnnInplaceCopy, odd, b16({2}, {1, 2})), 0);  // broadcast over rows, BF16 to F32
    NEAR(target.floats(), (std::vector<float>{1, 9, 2, 9, 1, 9, 2, 9}), 0);
    aclDestroyTensor(odd);
    Ten turned = empty(ACL_FLOAT, {3, 2}, 4);
    const Ten x = f32({2, 3}, {1, 2, 3, 4, 5, 6});
    aclTensor* view = x.view({3, 2}, {1, 3}, {2, 3});
    EQUAL(APPLY(s, aclnnInplaceCopy, turned, view), 0);
    NEAR(turned.floats(), (std::vector<float>{1, 4, 2, 5, 3, 6}), 0);
    aclDestroyTensor(view);
    EQUAL(APPLY(s, aclnnInplaceCopy, turned, f32({4}, {1, 2, 3, 4})), 161002);
}

void arithmetic() {
    Session s;
    Host h;
    const Ten a = f32({2, 2}, {1, 2, 3, 4}), row = f32({2}, {10, 20}), column = f32({2, 1}, {5, 7});
    Ten out = empty(ACL_FLOAT, {2, 2}, 4);
    EQUAL(APPLY(s, aclnnAdd, a, row, h.scalar(2), out), 0);
    NEAR(out.floats(), (std::vector<float>{21, 42, 23, 44}), 0);
    EQUAL(APPLY(s, aclnnSub, a, column, h.scalar(1), out), 0);
    NEAR(out.floats(), (std::vector<float>{-4, -3, -4, -3}), 0);
    EQUAL(APPLY(s, aclnnMul, a, column, out), 0);
    NEAR(out.floats(), (std::vector<float>{5, 10, 21, 28}), 0);
    EQUAL(APPLY(s, aclnnDiv, a, row, out), 0);
    NEAR(out.floats(), (std::vector<float>{0.1F, 0.1F, 0.3F, 0.2F}), 0);
    EQUAL(APPLY(s, aclnnMaximum, a, f32({2, 2}, {0, 3, 9, -1}), out), 0);
    NEAR(out.floats(), (std::vector<float>{1, 3, 9, 4}), 0);
    EQUAL(APPLY(s, aclnnInplaceMul, out, row), 0);
    NEAR(out.floats(), (std::vector<float>{10, 60, 90, 80}), 0);
    Ten whole = empty(ACL_INT32, {2}, 4), wide = empty(ACL_INT64, {1}, 8);
    EQUAL(APPLY(s, aclnnMuls, i32({2}, {127, 1}), h.scalar(8388608), whole), 0);
    CHECK(whole.raw<int32_t>() == std::vector<int32_t>({1065353216, 8388608}));  // the bits of 2^0 and 2^-126
    EQUAL(APPLY(s, aclnnAdd, i64({1}, {int64_t{1} << 53}), i64({1}, {1}), h.scalar(1), wide), 0);
    CHECK(wide.raw<int64_t>()[0] == (int64_t{1} << 53) + 1);  // not through floating point
    Ten low = empty(ACL_BF16, {2}, 2);
    EQUAL(APPLY(s, aclnnAdds, b16({2}, {256, -1}), h.scalar(1), h.scalar(1), low), 0);
    NEAR(low.floats(), (std::vector<float>{256, 0}), 0);  // 257 rounds to even
    EQUAL(APPLY(s, aclnnDiv, i32({2}, {1, 2}), i32({2}, {2, 2}), whole), 161002);  // quotients are floats
    EQUAL(APPLY(s, aclnnAdd, a, f32({3}, {1, 2, 3}), h.scalar(1), out), 161002);
    EQUAL(APPLY(s, aclnnAdd, a, nullptr, h.scalar(1), out), 161001);
    EQUAL(APPLY(s, aclnnAdd, a, row, nullptr, out), 161001);
}

void functions() {
    Session s;
    Host h;
    Ten out = empty(ACL_FLOAT, {6}, 4);
    const Ten x = f32({6}, kSome);
    EQUAL(APPLY(s, aclnnExp, x, out), 0);
    std::vector<float> expected;
    for (float v : kSome) {
        expected.push_back(std::exp(v));
    }
    NEAR(out.floats(), expected, 1e-6);
    EQUAL(APPLY(s, aclnnAbs, x, out), 0);
    NEAR(out.floats(), (std::vector<float>{2.5F, 1.5F, 0.5F, 0.5F, 1.5F, 2.75F}), 0);
    EQUAL(APPLY(s, aclnnClamp, x, h.scalar(-1), nullptr, out), 0);
    NEAR(out.floats(), (std::vector<float>{-1, -1, -0.5F, 0.5F, 1.5F, 2.75F}), 0);
    EQUAL(APPLY(s, aclnnClamp, x, nullptr, nullptr, out), 161001);
    EQUAL(APPLY(s, aclnnRsqrt, f32({6}, {4, 1, 0.25F, 16, 64, 100}), out), 0);
    NEAR(out.floats(), (std::vector<float>{0.5F, 1, 2, 0.25F, 0.125F, 0.1F}), 1e-7);
}

void logic() {
    Session s;
    Host h;
    const Ten a = i32({4}, {1, 2, 3, 4}), b = i32({4}, {2, 2, 2, 2});
    Ten less = empty(ACL_BOOL, {4}, 1), big = empty(ACL_BOOL, {4}, 1), out = empty(ACL_BOOL, {4}, 1);
    EQUAL(APPLY(s, aclnnLtTensor, a, b, less), 0);
    CHECK(less.raw<uint8_t>() == std::vector<uint8_t>({1, 0, 0, 0}));
    EQUAL(APPLY(s, aclnnGeScalar, a, h.scalar(3), big), 0);
    CHECK(big.raw<uint8_t>() == std::vector<uint8_t>({0, 0, 1, 1}));
    EQUAL(APPLY(s, aclnnLogicalAnd, less, big, out), 0);
    CHECK(out.raw<uint8_t>() == std::vector<uint8_t>({0, 0, 0, 0}));
    EQUAL(APPLY(s, aclnnLogicalNot, out, out), 0);
    CHECK(out.raw<uint8_t>() == std::vector<uint8_t>({1, 1, 1, 1}));
    Ten chosen = empty(ACL_INT32, {4}, 4);
    EQUAL(APPLY(s, aclnnSWhere, big, a, i32({1}, {-7}), chosen), 0);
    CHECK(chosen.raw<int32_t>() == std::vector<int32_t>({-7, -7, 3, 4}));
}

void reductions() {
    Session s;
    Host h;
    const Ten x = f32({2, 3, 2}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
    Ten middle = empty(ACL_FLOAT, {2, 1, 2}, 4), outer = empty(ACL_FLOAT, {3}, 4), one = empty(ACL_FLOAT, {}, 4);
    EQUAL(APPLY(s, aclnnReduceSum, x, h.ints({1}), true, ACL_FLOAT, middle), 0);
    NEAR(middle.floats(), (std::vector<float>{9, 12, 27, 30}), 0);
    EQUAL(APPLY(s, aclnnMean, x, h.ints({0, -1}), false, ACL_FLOAT, outer), 0);
    NEAR(outer.floats(), (std::vector<float>{4.5F, 6.5F, 8.5F}), 0);
    EQUAL(APPLY(s, aclnnAmax, x, h.ints({0, 2}), false, outer), 0);
    NEAR(outer.floats(), (std::vector<float>{8, 10, 12}), 0);
    EQUAL(APPLY(s, aclnnMax, x, one), 0);
    NEAR(one.floats(), (std::vector<float>{12}), 0);
    EQUAL(APPLY(s, aclnnReduceSum, x, h.ints({3}), true, ACL_FLOAT, middle), 161002);
    Ten whole = empty(ACL_INT64, {1}, 8);
    EQUAL(APPLY(s, aclnnReduceSum, i32({3}, {2000000000, 2000000000, 5}), h.ints({0}), true, ACL_INT64, whole), 0);
    CHECK(whole.raw<int64_t>()[0] == 4000000005);
}

void ordering() {
    Session s;
    Ten values = empty(ACL_FLOAT, {2, 2}, 4), indices = empty(ACL_INT64, {2, 2}, 8);
    const Ten x = f32({2, 4}, {3, 9, -1, 4, 0, -5, 8, 7});
    EQUAL(APPLY(s, aclnnTopk, x, 2, -1, true, true, values, indices), 0);
    NEAR(values.floats(), (std::vector<float>{9, 4, 8, 7}), 0);
    CHECK(indices.raw<int64_t>() == std::vector<int64_t>({1, 3, 2, 3}));
    EQUAL(APPLY(s, aclnnTopk, x, 2, -1, true, false, values, indices), 0);  // any order, the same set
    std::vector<int64_t> found = indices.raw<int64_t>();
    std::sort(found.begin(), found.begin() + 2);
    CHECK(found[0] == 1 && found[1] == 3);
    EQUAL(APPLY(s, aclnnTopk, x, 5, -1, true, true, values, indices), 161002);
    Ten all = empty(ACL_FLOAT, {2, 4}, 4), order = empty(ACL_INT64, {2, 4}, 8);
    EQUAL(APPLY(s, aclnnSort, f32({2, 4}, {1, 0, 1, 0, 4, 3, 2, 1}), true, 1, false, all, order), 0);
    NEAR(all.floats(), (std::vector<float>{0, 0, 1, 1, 1, 2, 3, 4}), 0);
    CHECK(order.raw<int64_t>() == std::vector<int64_t>({1, 3, 0, 2, 3, 2, 1, 0}));
    Ten best = empty(ACL_INT64, {4}, 8), sums = empty(ACL_FLOAT, {2, 4}, 4);
    EQUAL(APPLY(s, aclnnArgMax, x, 0, false, best), 0);
    CHECK(best.raw<int64_t>() == std::vector<int64_t>({0, 0, 1, 1}));
    EQUAL(APPLY(s, aclnnCumsum, x, 1, ACL_FLOAT, sums), 0);
    NEAR(sums.floats(), (std::vector<float>{3, 12, 11, 15, 0, -5, 3, 10}), 0);
}

void shapes() {
    Session s;
    Host h;
    const Ten x = f32({2, 3}, {1, 2, 3, 4, 5, 6});
    {
        Ten a = f32({2, 1}, {7, 8}), b = f32({2, 2}, {1, 2, 3, 4});
        Ten out = empty(ACL_FLOAT, {2, 3}, 4);
        const List parts({a.take(), b.take()});
        EQUAL(APPLY(s, aclnnCat, parts, 1, out), 0);
        NEAR(out.floats(), (std::vector<float>{7, 1, 2, 8, 3, 4}), 0);
        EQUAL(APPLY(s, aclnnCat, parts, 0, out), 161002);
    }
    Ten a = empty(ACL_FLOAT, {2, 2}, 4), b = empty(ACL_FLOAT, {2, 1}, 4);
    for (bool sizes : {true, false}) {
        const List parts({a.view({2, 2}), b.view({2, 1})});
        EQUAL(sizes ? APPLY(s, aclnnSplitWithSize, x, h.ints({2, 1}), 1, parts) : APPLY(s, aclnnSplitTensor, x, 2, 1,
                                                                                        parts), 0);
        NEAR(a.floats(), (std::vector<float>{1, 2, 4, 5}), 0);
        NEAR(b.floats(), (std::vector<float>{3, 6}), 0);
    }
    Ten sliced = empty(ACL_FLOAT, {2, 2}, 4), turned = empty(ACL_FLOAT, {3, 2}, 4), twice = empty(ACL_FLOAT, {2, 2, 3},
                                                                                                  4);
    EQUAL(APPLY(s, aclnnSlice, x, 1, 0, 3, 2, sliced), 0);
    NEAR(sliced.floats(), (std::vector<float>{1, 3, 4, 6}), 0);
    EQUAL(APPLY(s, aclnnPermute, x, h.ints({1, 0}), turned), 0);
    NEAR(turned.floats(), (std::vector<float>{1, 4, 2, 5, 3, 6}), 0);
    EQUAL(APPLY(s, aclnnRepeat, x, h.ints({2, 1, 1}), twice), 0);
    NEAR(twice.floats(), (std::vector<float>{1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6}), 0);
    Ten wide = empty(ACL_FLOAT, {2, 6}, 4);
    EQUAL(APPLY(s, aclnnRepeat, x, h.ints({1, 2}), wide), 0);
    NEAR(wide.floats(), (std::vector<float>{1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6}), 0);
}

void fills() {
    Session s;
    Host h;
    Ten x = empty(ACL_FLOAT, {3}, 4), steps = empty(ACL_INT64, {4}, 8), hot = empty(ACL_FLOAT, {3, 3}, 4);
    EQUAL(APPLY(s, aclnnInplaceZero, x), 0);
    NEAR(x.floats(), (std::vector<float>{0, 0, 0}), 0);
    EQUAL(APPLY(s, aclnnInplaceFillScalar, x, h.scalar(2.5F)), 0);
    NEAR(x.floats(), (std::vector<float>{2.5F, 2.5F, 2.5F}), 0);
    EQUAL(APPLY(s, aclnnArange, h.scalar(1), h.scalar(9), h.scalar(2), steps), 0);
    CHECK(steps.raw<int64_t>() == std::vector<int64_t>({1, 3, 5, 7}));
    EQUAL(APPLY(s, aclnnRange, h.scalar(1), h.scalar(7), h.scalar(2), steps), 0);
    CHECK(steps.raw<int64_t>() == std::vector<int64_t>({1, 3, 5, 7}));
    EQUAL(APPLY(s, aclnnOneHot, i64({3}, {2, 0, 5}), 3, f32({1}, {1}), f32({1}, {0}), -1, hot), 0);
    NEAR(hot.floats(), (std::vector<float>{0, 0, 1, 1, 0, 0, 0, 0, 0}), 0);
    EQUAL(APPLY(s, aclnnTril, f32({3, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9}), -1, hot), 0);
    NEAR(hot.floats(), (std::vector<float>{0, 0, 0, 4, 0, 0, 7, 8, 0}), 0);
}

void random_numbers() {
    Session s;
    Ten x = empty(ACL_FLOAT, {1000}, 4), drawn = empty(ACL_INT64, {400}, 8);
    EQUAL(APPLY(s, aclnnInplaceUniform, x, 2.0, 4.0, 11, 0), 0);
    const std::vector<float> first = x.floats();
    double total = 0;
    for (float v : first) {
        CHECK(v >= 2 && v <= 4);
        total += v;
    }
    CHECK(std::fabs(total / 1000 - 3) < 0.1);
    EQUAL(APPLY(s, aclnnInplaceUniform, x, 2.0, 4.0, 11, 0), 0);
    CHECK(x.floats() == first);
    EQUAL(APPLY(s, aclnnMultinomial, f32({3}, {0, 3, 1}), 400, true, 5, 0, drawn), 0);
    const std::vector<int64_t> found = drawn.raw<int64_t>();
    EQUAL(std::count(found.begin(), found.end(), 0), 0);
    CHECK(std::abs(std::count(found.begin(), found.end(), 1) - 300) < 40);
    EQUAL(APPLY(s, aclnnMultinomial, f32({3}, {0, 3, 1}), 400, false, 5, 0, drawn), 161002);
}

/** Plain to fractal and back; the padding is zero. */
void formats() {
    Session s;
    constexpr int64_t k = 20, n = 24;  // 2 row blocks, 2 column blocks of 16
    const std::vector<float> values = random_values(k * n, 3);
    const Ten plain = b16({k, n}, values);
    const std::vector<uint8_t> fresh(2 * 2 * 2 * 16 * 16, 0xFF);
    Ten fractal = bytes(ACL_BF16, {k, n}, fresh, {n, 1}, {2, 2, 16, 16}, ACL_FORMAT_FRACTAL_NZ);
    EQUAL(APPLY(s, aclnnNpuFormatCast, plain, fractal), 0);
    const std::vector<uint16_t> stored = fractal.raw<uint16_t>();
    bool right = true;
    for (int64_t column = 0; column < 32; column++) {
        for (int64_t row = 0; row < 32; row++) {
            const auto at = static_cast<size_t>(((column / 16 * 2 + row / 16) * 16 + row % 16) * 16 + column % 16);
            const float expected = row < k && column < n ? values[static_cast<size_t>(row * n + column)] : 0;
            right = right && from_bf16(stored[at]) == expected;
        }
    }
    CHECK(right);
    Ten back = empty(ACL_BF16, {k, n}, 2);
    EQUAL(APPLY(s, aclnnNpuFormatCast, fractal, back), 0);
    NEAR(back.floats(), values, 0);
    Ten wrong = bytes(ACL_BF16, {k, n}, fresh, {n, 1}, {2, 2, 16, 8}, ACL_FORMAT_FRACTAL_NZ);
    EQUAL(APPLY(s, aclnnNpuFormatCast, plain, wrong), 161002);
}

void fp4_weights() {
    Session s;
    constexpr int64_t g = 2, k = 64, n = 64;
    std::vector<uint8_t> weight(g * n * k / 2), scale(g * n * k / 32);
    for (size_t i = 0; i < weight.size(); i++) {
        weight[i] = static_cast<uint8_t>(i * 37 + i / 251);
    }
    for (size_t i = 0; i < scale.size(); i++) {
        scale[i] = static_cast<uint8_t>(100 + i % 50);
    }
    const Dims view{g, k, n}, strides{k * n, 1, k}, scale_view{g, k / 64, n, 2}, scale_strides{k / 32 * n, 2, k / 32,
                                                                                               1};
    const Ten w = bytes(ACL_FLOAT4_E2M1, view, weight, strides, {g, n, k});
    const Ten sc = bytes(ACL_FLOAT8_E8M0, scale_view, scale, scale_strides, {g, n, k / 64, 2});
    Ten out = bytes(ACL_FLOAT4_E2M1, view, std::vector<uint8_t>(weight.size(), 0xEE), strides,
                    {g, k / 32, n / 16, 16, 32},
                    ACL_FORMAT_FRACTAL_NZ_C0_32);
    Ten out_scale = bytes(ACL_FLOAT8_E8M0, scale_view, std::vector<uint8_t>(scale.size(), 0), scale_strides,
                          {g, n, k / 64, 2});
    EQUAL(APPLY(s, aclnnWeightQuantPreprocess, w, sc, nullptr, nullptr, ACL_FLOAT8_E4M3FN, ACL_FLOAT8_E8M0, 32, out,
                out_scale,
               nullptr, nullptr),
          0);
    CHECK(out_scale.raw<uint8_t>() == scale);
    const std::vector<uint8_t> stored = out.raw<uint8_t>();
    bool right = true;
    for (int64_t e = 0; e < g * n * k; e++) {
        const int64_t group = e / (n * k), row = e / k % n, column = e % k;
        const int64_t at = group * n * k + ((column / 32 * (n / 16) + row / 16) * 16 + row % 16) * 32 + column % 32;
        right = right && nibble(stored, at) == nibble(weight, e);
    }
    CHECK(right);
    EQUAL(APPLY(s, aclnnWeightQuantPreprocess, w, sc, nullptr, nullptr, ACL_FLOAT8_E4M3FN, ACL_FLOAT8_E8M0, 64, out,
                out_scale,
               nullptr, nullptr),
          161002);
}

}  // namespace

int main() {
    for (void (*test)() : {casts, casts_refused_on_old_products, copies, arithmetic, functions, logic, reductions,
                           ordering, shapes,
                           fills, random_numbers, formats, fp4_weights}) {
        test();
    }
    std::printf("%d failures\n", operators::failures);
    return operators::failures != 0;
}
