// Matrix products, plain and quantised, against double loops. `products_test time` measures one product of real size.
#include "aclnnop/aclnn_addmm.h"
#include "aclnnop/aclnn_batch_mat_mul.h"
#include "aclnnop/aclnn_fused_matmul.h"
#include "aclnnop/aclnn_matmul.h"
#include "aclnnop/aclnn_matmul_weight_nz.h"
#include "aclnnop/aclnn_mm.h"
#include "aclnnop/aclnn_npu_format_cast.h"
#include "aclnnop/aclnn_quant_matmul_v5.h"
#include "aclnnop/aclnn_trans_quant_param_v2.h"
#include "aclnnop/aclnn_transpose_batch_mat_mul.h"
#include "aclnnop/aclnn_transpose_quant_batch_mat_mul.h"
#include "applying.h"

#include <chrono>

using namespace operators;

namespace {

constexpr int64_t kBlockGroups = 4303356032;  // [1, 128, 128]
constexpr int64_t kMxGroups = 4295032864;     // [1, 1, 32]

/** a [m, k] x b [k, n]. */
std::vector<float> product(const std::vector<float>& a, const std::vector<float>& b, int64_t m, int64_t k, int64_t n) {
    std::vector<float> out(static_cast<size_t>(m * n));
    for (int64_t i = 0; i < m; i++) {
        for (int64_t j = 0; j < n; j++) {
            double sum = 0;
            for (int64_t x = 0; x < k; x++) {
                sum += static_cast<double>(a[static_cast<size_t>(i * k + x)]) * b[static_cast<size_t>(x * n + j)];
            }
            out[static_cast<size_t>(i * n + j)] = static_cast<float>(sum);
        }
    }
    return out;
}

std::vector<float> turned(const std::vector<float>& v, int64_t rows, int64_t columns) {
    std::vector<float> out(v.size());
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t c = 0; c < columns; c++) {
            out[static_cast<size_t>(c * rows + r)] = v[static_cast<size_t>(r * columns + c)];
        }
    }
    return out;
}

void plain() {
    Session s;
    Host h;
    constexpr int64_t m = 7, k = 150, n = 37;
    const std::vector<float> a = random_values(m * k, 1), b = random_values(k * n, 2), expected = product(a, b, m, k,
                                                                                                          n);
    Ten out = empty(ACL_FLOAT, {m, n}, 4), low = empty(ACL_BF16, {m, n}, 2);
    EQUAL(APPLY(s, aclnnMatmul, f32({m, k}, a), f32({k, n}, b), out, 0), 0);
    NEAR(out.floats(), expected, 1e-6);
    const Ten weight = b16({n, k}, turned(b, k, n));  // stored [n, k], seen as [k, n]
    aclTensor* seen = weight.view({k, n}, {1, k}, {n, k});
    EQUAL(APPLY(s, aclnnMm, b16({m, k}, a), seen, low, 0), 0);
    NEAR(low.floats(), expected, 4e-3);
    EQUAL(APPLY(s, aclnnMatmul, b16({m, k}, a), seen, out, 0), 161002);  // F32 results only through FusedMatmul
    EQUAL(APPLY(s, aclnnFusedMatmul, b16({m, k}, a), seen, nullptr, nullptr, "16cast32", 0, out), 0);
    NEAR(out.floats(), expected, 1e-6);
    aclDestroyTensor(seen);
    EQUAL(APPLY(s, aclnnMatmul, f32({m, k}, a), f32({k, n}, b), out, 1), 0);  // HF32: about 12 bits
    NEAR(out.floats(), expected, 1e-3);
    EQUAL(APPLY(s, aclnnMatmul, f32({m, k}, a), f32({n, k}, b), out, 0), 161002);
    EQUAL(APPLY(s, aclnnMatmul, f32({m, k}, a), b16({k, n}, b), out, 0), 161002);
    EQUAL(APPLY(s, aclnnMatmul, f32({m, k}, a), f32({k, n}, b), out, 5), 161002);
    EQUAL(APPLY(s, aclnnMatmul, b16({m, k}, a), b16({k, n}, b), low, 2), 161002);
    const std::vector<float> row = random_values(n, 3);
    EQUAL(APPLY(s, aclnnAddmm, f32({n}, row), f32({m, k}, a), f32({k, n}, b), h.scalar(2), h.scalar(-1), out, 0), 0);
    std::vector<float> added = expected;
    for (size_t i = 0; i < added.size(); i++) {
        added[i] = 2 * row[i % n] - added[i];
    }
    NEAR(out.floats(), added, 1e-6);
}

void batches() {
    Session s;
    constexpr int64_t m = 3, k = 20, n = 5;
    const std::vector<float> a = random_values(2 * m * k, 1), b = random_values(k * n, 2);
    Ten out = empty(ACL_FLOAT, {2, m, n}, 4), line = empty(ACL_FLOAT, {n}, 4);
    EQUAL(APPLY(s, aclnnBatchMatMul, f32({2, m, k}, a), f32({1, k, n}, b), out, 0), 0);
    NEAR(out.floats(), product(a, b, 2 * m, k, n), 1e-6);
    EQUAL(APPLY(s, aclnnMatmul, f32({2, m, k}, a), f32({k, n}, b), out, 0), 0);
    NEAR(out.floats(), product(a, b, 2 * m, k, n), 1e-6);
    const std::vector<float> first(a.begin(), a.begin() + k);
    EQUAL(APPLY(s, aclnnMatmul, f32({k}, first), f32({k, n}, b), line, 0), 0);
    NEAR(line.floats(), product(first, b, 1, k, n), 1e-6);
    EQUAL(APPLY(s, aclnnBatchMatMul, f32({2, m, k}, a), f32({k, n}, b), out, 0), 161002);
}

void fractal_weight() {
    Session s;
    constexpr int64_t m = 3, k = 48, n = 40;
    const std::vector<float> a = random_values(m * k, 1), b = random_values(k * n, 2);
    Ten fractal = bytes(ACL_BF16, {k, n}, std::vector<uint8_t>(3 * 3 * 16 * 16 * 2, 0xFF), {n, 1}, {3, 3, 16, 16},
                        ACL_FORMAT_FRACTAL_NZ);
    EQUAL(APPLY(s, aclnnNpuFormatCast, b16({k, n}, b), fractal), 0);
    Ten out = empty(ACL_BF16, {m, n}, 2);
    EQUAL(APPLY(s, aclnnMatmulWeightNz, b16({m, k}, a), fractal, out, 0), 0);
    NEAR(out.floats(), product(a, b, m, k, n), 4e-3);
    EQUAL(APPLY(s, aclnnMatmul, b16({m, k}, a), fractal, out, 0), 161002);
}

/** The grouped output projection: x1 [rows, groups, k], x2 [groups, k, n]. */
void grouped_projection() {
    Session s;
    Host h;
    constexpr int64_t t = 3, g = 2, k = 32, n = 6;
    const std::vector<float> a = random_values(t * g * k, 1), b = random_values(g * k * n, 2);
    std::vector<float> expected(t * g * n);
    for (int64_t group = 0; group < g; group++) {
        std::vector<float> left;
        for (int64_t row = 0; row < t; row++) {
            left.insert(left.end(), a.begin() + (row * g + group) * k, a.begin() + (row * g + group + 1) * k);
        }
        const std::vector<float> one =
            product(left, {b.begin() + group * k * n, b.begin() + (group + 1) * k * n}, t, k, n);
        for (int64_t i = 0; i < t * n; i++) {
            expected[static_cast<size_t>((i / n * g + group) * n + i % n)] = one[static_cast<size_t>(i)];
        }
    }
    Ten out = empty(ACL_BF16, {t, g, n}, 2);
    EQUAL(APPLY(s, aclnnTransposeBatchMatMul, b16({t, g, k}, a), b16({g, k, n}, b), nullptr, nullptr, h.ints({1, 0, 2}),
                h.ints({0, 1, 2}), h.ints({1, 0, 2}), 0, 1, out),
          0);
    NEAR(out.floats(), expected, 4e-3);
}

std::vector<uint8_t> random_bytes(size_t n, uint32_t seed, int low, int high) {
    std::mt19937 engine(seed);
    std::vector<uint8_t> values(n);
    for (uint8_t& v : values) {
        v = static_cast<uint8_t>(low + static_cast<int>(engine() % static_cast<uint32_t>(high - low)));
    }
    return values;
}

/** E4M3 codes without NaN. */
std::vector<uint8_t> random_e4m3(size_t n, uint32_t seed) {
    std::vector<uint8_t> codes = random_bytes(n, seed, 0, 256);
    for (uint8_t& c : codes) {
        c = (c & 0x7F) == 0x7F ? 0x30 : c;
    }
    return codes;
}

void block_scales() {
    Session s;
    constexpr int64_t m = 5, k = 300, n = 200, kb = 3, nb = 2;
    const std::vector<uint8_t> a = random_e4m3(m * k, 1), b = random_e4m3(n * k, 2);
    const std::vector<float> sa = random_values(m * kb, 3), sb = random_values(nb * kb, 4);
    std::vector<float> left, right(static_cast<size_t>(k * n));
    for (int64_t i = 0; i < m * k; i++) {
        left.push_back(e4m3(a[static_cast<size_t>(i)]) * sa[static_cast<size_t>(i / k * kb + i % k / 128)]);
    }
    for (int64_t i = 0; i < n * k; i++) {
        right[static_cast<size_t>(i % k * n + i / k)] =
            e4m3(b[static_cast<size_t>(i)]) * sb[static_cast<size_t>(i / k / 128 * kb + i % k / 128)];
    }
    Ten out = empty(ACL_FLOAT, {m, n}, 4);
    const auto call = [&](const Ten& x1_scale, int64_t groups, aclTensor* bias) {
        return APPLY(s, aclnnQuantMatmulV5, bytes(ACL_FLOAT8_E4M3FN, {m, k}, a), bytes(ACL_FLOAT8_E4M3FN, {n, k}, b),
                     x1_scale,
                     f32({nb, kb}, sb), nullptr, nullptr, nullptr, nullptr, bias, false, true, groups, out);
    };
    EQUAL(call(f32({m, kb}, sa), kBlockGroups, nullptr), 0);
    NEAR(out.floats(), product(left, right, m, k, n), 1e-5);
    EQUAL(call(f32({m, kb}, sa), 0, nullptr), 0);  // inferred from the scales
    EQUAL(call(f32({m, kb}, sa), kMxGroups, nullptr), 161002);
    EQUAL(call(f32({m, kb - 1}, random_values(m * 2, 3)), kBlockGroups, nullptr), 161002);
    EQUAL(call(f32({m, kb}, sa), kBlockGroups, f32({n}, random_values(n, 1))), 161002);
}

/** Values of [rows, k] codes with one E8M0 scale per 32. */
std::vector<float> mx_values(const std::vector<float>& values, const std::vector<uint8_t>& scales, int64_t k) {
    std::vector<float> out = values;
    for (int64_t i = 0; i < static_cast<int64_t>(out.size()); i++) {
        out[static_cast<size_t>(i)] *= std::ldexp(1.0F,
                                                  scales[static_cast<size_t>(i / k * (k / 32) + i % k / 32)] - 127);
    }
    return out;
}

void mx_scales() {
    Session s;
    constexpr int64_t m = 4, k = 128, n = 48;
    const std::vector<uint8_t> a = random_e4m3(m * k, 1), b8 = random_e4m3(n * k, 2), b4 = random_bytes(n * k / 2, 3, 0,
                                                                                                        256);
    const std::vector<uint8_t> sa = random_bytes(m * k / 32, 4, 120, 130), sb = random_bytes(n * k / 32, 5, 120, 130);
    std::vector<float> va, v8, v4;
    for (uint8_t c : a) {
        va.push_back(e4m3(c));
    }
    for (int64_t i = 0; i < n * k; i++) {
        v8.push_back(e4m3(b8[static_cast<size_t>(i)]));
        v4.push_back(e2m1(nibble(b4, i)));
    }
    const std::vector<float> left = mx_values(va, sa, k), bias = random_values(n, 6);
    std::vector<float> full = product(left, turned(mx_values(v8, sb, k), n, k), m, k, n);
    const std::vector<float> mixed = product(left, turned(mx_values(v4, sb, k), n, k), m, k, n);
    for (size_t i = 0; i < full.size(); i++) {
        full[i] += bias[i % n];
    }
    Ten out = empty(ACL_FLOAT, {m, n}, 4), low = empty(ACL_BF16, {m, n}, 2);
    const Ten x1 = bytes(ACL_FLOAT8_E4M3FN, {m, k}, a), s1 = bytes(ACL_FLOAT8_E8M0, {m, k / 64, 2}, sa),
              s2 = bytes(ACL_FLOAT8_E8M0, {n, k / 64, 2}, sb), x2 = bytes(ACL_FLOAT8_E4M3FN, {n, k}, b8),
              x4 = bytes(ACL_FLOAT4_E2M1, {n, k}, b4);
    EQUAL(APPLY(s, aclnnQuantMatmulV5, x1, x2, s1, s2, nullptr, nullptr, nullptr, nullptr, f32({n}, bias), false, true,
                kMxGroups, out), 0);
    NEAR(out.floats(), full, 1e-5);
    EQUAL(APPLY(s, aclnnQuantMatmulV5, x1, x4, s1, s2, nullptr, nullptr, nullptr, nullptr, nullptr, false, true, 32,
                low), 0);
    NEAR(low.floats(), mixed, 4e-3);
    EQUAL(APPLY(s, aclnnQuantMatmulV5, x1, x4, s1, s2, nullptr, nullptr, nullptr, nullptr, nullptr, false, true, 64,
                low), 161002);
    // not transposed: the pairs of scales lie column by column
    std::vector<uint8_t> codes(b8.size()), paired(sb.size());
    for (int64_t i = 0; i < n * k; i++) {
        codes[static_cast<size_t>(i % k * n + i / k)] = b8[static_cast<size_t>(i)];
    }
    for (int64_t i = 0; i < n * k / 32; i++) {
        const int64_t column = i / (k / 32), block = i % (k / 32);
        paired[static_cast<size_t>((block / 2 * n + column) * 2 + block % 2)] = sb[static_cast<size_t>(i)];
    }
    EQUAL(APPLY(s, aclnnQuantMatmulV5, x1, bytes(ACL_FLOAT8_E4M3FN, {k, n}, codes), s1,
                bytes(ACL_FLOAT8_E8M0, {k / 64, n, 2}, paired),
                nullptr, nullptr, nullptr, nullptr, f32({n}, bias), false, false, kMxGroups, out),
          0);
    NEAR(out.floats(), full, 1e-5);
    Host h;  // one group of the batched twin, once with weights [k, n] and once [n, k]
    std::vector<float> bare = full;
    for (size_t i = 0; i < bare.size(); i++) {
        bare[i] -= bias[i % n];
    }
    Ten grouped = empty(ACL_BF16, {m, 1, n}, 2);
    EQUAL(APPLY(s, aclnnTransposeQuantBatchMatMul, bytes(ACL_FLOAT8_E4M3FN, {m, 1, k}, a),
                bytes(ACL_FLOAT8_E4M3FN, {1, n, k}, b8),
                nullptr, bytes(ACL_FLOAT8_E8M0, {m, 1, k / 64, 2}, sa), bytes(ACL_FLOAT8_E8M0, {1, n, k / 64, 2},
                                                                              sb), ACL_BF16, 32,
                h.ints({1, 0, 2}), h.ints({0, 2, 1}), h.ints({1, 0, 2}), 1, grouped),
          0);
    NEAR(grouped.floats(), bare, 4e-3);
    EQUAL(APPLY(s, aclnnTransposeQuantBatchMatMul, bytes(ACL_FLOAT8_E4M3FN, {m, 1, k}, a),
                bytes(ACL_FLOAT8_E4M3FN, {1, k, n}, codes),
                nullptr, bytes(ACL_FLOAT8_E8M0, {m, 1, k / 64, 2}, sa), bytes(ACL_FLOAT8_E8M0, {1, k / 64, n, 2},
                                                                              paired), ACL_BF16, 32,
                h.ints({1, 0, 2}), h.ints({0, 1, 2}), h.ints({1, 0, 2}), 1, grouped),
          0);
    NEAR(grouped.floats(), bare, 4e-3);
}

/** INT8 sums are exact beyond what F32 holds. */
void channel_scales() {
    Session s;
    constexpr int64_t m = 2, k = 4096, n = 3;
    std::vector<uint8_t> a(m * k, 127), b(k * n, 127);
    a[0] = 1;
    Ten out = empty(ACL_BF16, {m, n}, 2);
    const Ten x1 = bytes(ACL_INT8, {m, k}, a), x2 = bytes(ACL_INT8, {k, n}, b);
    // 4095 * 16129 + 127 = 66048382: F32 would lose the remainder that the bias leaves
    const std::vector<int32_t> bias(n, -66048255);
    EQUAL(APPLY(s, aclnnQuantMatmulV5, x1, x2, f32({m}, {1, 0.5F}), f32({n}, {1, 2, 4}), nullptr, nullptr, nullptr,
                nullptr,
                i32({n}, bias), false, false, 0, out),
          0);
    NEAR(out.floats(), (std::vector<float>{127, 254, 508, 8064.5F, 16129, 32258}), 4e-3);
    Ten packed = empty(ACL_UINT64, {n}, 8);
    EQUAL(APPLY(s, aclnnTransQuantParamV2, f32({n}, {1, 2, 4}), nullptr, packed), 0);
    CHECK(packed.raw<uint64_t>()[1] == ((uint64_t{1} << 46) | 0x40000000));
    EQUAL(APPLY(s, aclnnQuantMatmulV5, x1, x2, nullptr, packed, nullptr, nullptr, nullptr, nullptr, i32({n}, bias),
                false, false, 0, out), 0);
    NEAR(out.floats(), (std::vector<float>{127, 254, 508, 16129, 32258, 64516}), 4e-3);
    EQUAL(APPLY(s, aclnnQuantMatmulV5, x1, x2, nullptr, f32({n}, {1, 2, 4}), nullptr, nullptr, nullptr, nullptr,
                nullptr, false, false,
                kBlockGroups, out),
          161002);
}

void refused_on_old_products() {
    Session s("Ascend910B1");
    const Ten a = bytes(ACL_FLOAT8_E4M3FN, {2, 128}, random_e4m3(256, 1)), b = bytes(ACL_FLOAT8_E4M3FN, {128, 128},
                                                                                     random_e4m3(16384, 2));
    Ten out = empty(ACL_BF16, {2, 128}, 2), wide = empty(ACL_FLOAT, {2, 2}, 4);
    EQUAL(APPLY(s, aclnnQuantMatmulV5, a, b, f32({2, 1}, {1, 1}), f32({1, 1}, {1}), nullptr, nullptr, nullptr, nullptr,
                nullptr, false,
                true, kBlockGroups, out),
          161002);
    const std::vector<float> ones(4, 1);
    EQUAL(APPLY(s, aclnnFusedMatmul, b16({2, 2}, ones), b16({2, 2}, ones), nullptr, nullptr, "16cast32", 0, wide),
          361001);
}

/** The order of sums is not promised: under jitter results differ in the last bits only. */
void jitter() {
    weftEmulatorConfigure("jitter", "1");
    {
        Session s;
        constexpr int64_t m = 4, k = 1000, n = 16;
        const std::vector<float> a = random_values(m * k, 1), b = random_values(k * n, 2);
        Ten out = empty(ACL_FLOAT, {m, n}, 4);
        EQUAL(APPLY(s, aclnnMatmul, f32({m, k}, a), f32({k, n}, b), out, 0), 0);
        const std::vector<float> first = out.floats();
        NEAR(first, product(a, b, m, k, n), 1e-5);
        EQUAL(APPLY(s, aclnnMatmul, f32({m, k}, a), f32({k, n}, b), out, 0), 0);
        CHECK(out.floats() != first);
    }
    weftEmulatorConfigure("jitter", "0");
}

void time_one(int64_t m, int64_t k, int64_t n, bool turn) {
    weftEmulatorConfigure("memory", "1073741824");
    Session s;
    const Ten a = b16({m, k}, random_values(static_cast<size_t>(m * k), 1));
    const Ten b = b16({n, k}, random_values(static_cast<size_t>(n * k), 2));
    aclTensor* weight = turn ? b.view({k, n}, {1, k}, {n, k}) : b.view({k, n});
    Ten out = empty(ACL_BF16, {m, n}, 2);
    for (int i = 0; i < 3; i++) {
        const auto start = std::chrono::steady_clock::now();
        EQUAL(APPLY(s, aclnnMatmul, a, weight, out, 0), 0);
        std::printf("%ld x %ld x %ld %s: %.3f s\n", m, k, n, turn ? "transposed weight" : "plain weight",
                    std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
    aclDestroyTensor(weight);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc > 1 && std::string(argv[1]) == "time") {
        time_one(32, 4096, 4096, true);
        time_one(32, 4096, 4096, false);
        time_one(1, 4096, 4096, true);
        return operators::failures != 0;
    }
    for (void (*test)() : {plain, batches, fractal_weight, grouped_projection, block_scales, mx_scales, channel_scales,
                           refused_on_old_products, jitter}) {
        test();
    }
    std::printf("%d failures\n", operators::failures);
    return operators::failures != 0;
}
