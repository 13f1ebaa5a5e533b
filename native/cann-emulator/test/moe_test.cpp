// Gating, routing, grouped matmuls and SwiGLU, against values computed here.
#include "aclnnop/aclnn_grouped_matmul_swiglu_quant_v2.h"
#include "aclnnop/aclnn_grouped_matmul_v5.h"
#include "aclnnop/aclnn_grouped_matmul_weight_nz.h"
#include "aclnnop/aclnn_moe_finalize_routing_v2.h"
#include "aclnnop/aclnn_moe_gating_top_k_v2.h"
#include "aclnnop/aclnn_moe_init_routing_v3.h"
#include "aclnnop/aclnn_moe_token_permute.h"
#include "aclnnop/aclnn_moe_token_unpermute.h"
#include "aclnnop/aclnn_swiglu_group_quant.h"
#include "operators.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <set>

using namespace operators;

namespace {

void gating() {
    constexpr int64_t kTokens = 5, kExperts = 64, kChosen = 6;
    const std::vector<float> x = random_values(kTokens * kExperts, 1, 3), bias = random_values(kExperts, 2);
    Session s;
    Ten tx = f32({kTokens, kExperts}, x), tb = f32({kExperts}, bias);
    Ten y = empty(ACL_FLOAT, {kTokens, kChosen}, 4), index = empty(ACL_INT32, {kTokens, kChosen}, 4);
    Ten norm = empty(ACL_FLOAT, {kTokens, kExperts}, 4);
    EQUAL(CALL(s, aclnnMoeGatingTopKV2, tx, tb, nullptr, nullptr, kChosen, 1, 1, 0, 0, 2, true, 1.5, 1e-20, y, index,
               norm),
          0);
    const auto score = [&](int64_t t, int64_t e) {
        return std::sqrt(std::log1p(std::exp(static_cast<double>(x[static_cast<size_t>(t * kExperts + e)]))));
    };
    const std::vector<int32_t> found = index.raw<int32_t>();
    const std::vector<float> weights = y.floats();
    for (int64_t t = 0; t < kTokens; t++) {
        std::vector<int32_t> order(kExperts);
        for (int32_t e = 0; e < kExperts; e++) {
            order[static_cast<size_t>(e)] = e;
        }
        std::sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
            return score(t, a) + bias[static_cast<size_t>(a)] > score(t, b) + bias[static_cast<size_t>(b)];
        });
        double sum = 0;
        for (int64_t k = 0; k < kChosen; k++) {
            sum += score(t, order[static_cast<size_t>(k)]);
        }
        for (int64_t k = 0; k < kChosen; k++) {
            const auto at = static_cast<size_t>(t * kChosen + k);
            EQUAL(found[at], order[static_cast<size_t>(k)]);
            CHECK(std::fabs(weights[at] - 1.5 * score(t, order[static_cast<size_t>(k)]) / sum) < 1e-5);
        }
    }
    Ten ids = i64({kTokens}, {0, 2, 1, 1, 0}), table = i32({3, 2}, {5, 9, 63, 0, 7, 8});
    Ten y2 = empty(ACL_FLOAT, {kTokens, 2}, 4), index2 = empty(ACL_INT32, {kTokens, 2}, 4);
    EQUAL(CALL(s, aclnnMoeGatingTopKV2, tx, nullptr, ids, table, 2, 1, 1, 0, 0, 2, false, 1.0, 0.0, y2, index2,
               nullptr),
          0);
    CHECK((index2.raw<int32_t>() == std::vector<int32_t>{5, 9, 7, 8, 63, 0, 63, 0, 5, 9}));
    CHECK(std::fabs(y2.floats()[0] - score(0, 5) / (score(0, 5) + score(0, 9))) < 1e-6);
}

void gating_ties_and_products() {
    std::set<std::vector<int32_t>> picks;
    for (const char* seed : {"1", "2", "3", "4"}) {
        Session s("Ascend910_9382", seed);
        Ten tx = f32({1, 32}, std::vector<float>(32, 0.25F)), y = empty(ACL_FLOAT, {1, 4}, 4);
        Ten index = empty(ACL_INT32, {1, 4}, 4);
        EQUAL(CALL(s, aclnnMoeGatingTopKV2, tx, nullptr, nullptr, nullptr, 4, 1, 1, 0, 0, 1, false, 1.0, 0.0, y, index,
                   nullptr),
              0);
        picks.insert(index.raw<int32_t>());
        EQUAL(CALL(s, aclnnMoeGatingTopKV2, tx, nullptr, nullptr, nullptr, 4, 1, 1, 0, 0, 2, false, 1.0, 0.0, y, index,
                   nullptr),
              561002);  // sqrt(softplus) is 950 only
    }
    CHECK(picks.size() > 1);
}

void routing() {
    constexpr int64_t kRows = 4, kChosen = 2, kWidth = 256, kPairs = kRows * kChosen;
    const std::vector<float> x = random_values(kRows * kWidth, 3);
    const std::vector<int32_t> experts{2, 0, 1, 2, -1, 1, 0, 3};
    const std::vector<int64_t> order{1, 6, 2, 5, 0, 3, 7};  // pairs by expert, 4 is nobody's
    Session s;
    Ten tx = b16({kRows, kWidth}, x), te = i32({kRows, kChosen}, experts);
    for (const auto& [mode, dtype, size] : {std::tuple<int64_t, aclDataType, size_t>{-1, ACL_BF16, 2},
                                           {1, ACL_INT8, 1},
                                           {3, ACL_FLOAT8_E4M3FN, 1},
                                           {5, ACL_FLOAT8_E4M3FN, 1}}) {
        const int64_t blocks = mode == 3 ? kWidth / 32 : mode == 5 ? kWidth / 128 : 1;
        Ten out = empty(dtype, {kPairs, kWidth}, size), index = empty(ACL_INT32, {kPairs}, 4);
        Ten counts = empty(ACL_INT64, {4}, 8);
        Ten scale = mode == 3   ? empty(ACL_FLOAT8_E8M0, {kPairs, blocks}, 1)
                    : mode == 5 ? empty(ACL_FLOAT, {kPairs, blocks}, 4)
                                : empty(ACL_FLOAT, {kPairs}, 4);
        EQUAL(CALL(s, aclnnMoeInitRoutingV3, tx, te, nullptr, nullptr, -1, 0, 4, 0, 1, true, mode, nullptr, 0, out,
                   index, counts, scale),
              0);
        CHECK((counts.raw<int64_t>() == std::vector<int64_t>{2, 2, 2, 1}));
        const std::vector<int32_t> rows = index.raw<int32_t>();
        for (size_t i = 0; i < order.size(); i++) {
            EQUAL(rows[static_cast<size_t>(order[i])], static_cast<int32_t>(i));
        }
        EQUAL(rows[4], -1);
        const std::vector<float> values = out.floats();
        const std::vector<float> scales = mode == -1 ? std::vector<float>(kPairs, 1) : scale.floats();
        for (size_t i = 0; i < order.size(); i++) {
            for (int64_t h = 0; h < kWidth; h++) {
                const float want = x[static_cast<size_t>(order[i] / kChosen * kWidth + h)];
                const float found = values[i * kWidth + static_cast<size_t>(h)] *
                                    scales[i * static_cast<size_t>(blocks) + static_cast<size_t>(h * blocks / kWidth)];
                // the OCP rule rounds the scale down: the largest of a block may saturate
                if (!(std::fabs(found - want) <= (mode == -1 ? 0 : mode == 1 ? 0.005F : mode == 3 ? 0.13F : 0.07F))) {
                    check(false, "routing mode " + std::to_string(mode), __FILE__, __LINE__);
                    return;
                }
            }
        }
        CHECK(dtype != ACL_BF16 || std::isnan(values[7 * kWidth]));  // the last row belongs to nobody
    }
    Ten out = empty(ACL_BF16, {kPairs, kWidth}, 2), index = empty(ACL_INT32, {kPairs}, 4);
    Ten pairs = empty(ACL_INT64, {4, 2}, 8), scale = empty(ACL_FLOAT, {kPairs}, 4);
    const int64_t range[] = {1, 3};
    aclIntArray* active = aclCreateIntArray(range, 2);
    EQUAL(CALL(s, aclnnMoeInitRoutingV3, tx, te, nullptr, nullptr, -1, 0, 4, 0, 2, true, -1, active, 1, out, index,
               pairs, scale),
          0);
    CHECK((pairs.raw<int64_t>() == std::vector<int64_t>{1, 2, 2, 2, 0, 0, 0, 0}));
    const std::vector<int32_t> scattered = index.raw<int32_t>();
    CHECK((std::vector<int32_t>(scattered.begin(), scattered.begin() + 4) == std::vector<int32_t>{2, 5, 0, 3}));
    aclDestroyIntArray(active);
}

void finalize() {
    constexpr int64_t kRows = 3, kChosen = 2, kWidth = 64;
    const std::vector<float> x = random_values(kRows * kChosen * kWidth, 5), shared = random_values(kRows * kWidth, 6);
    const std::vector<float> scales = random_values(kRows * kChosen, 7);
    const std::vector<int32_t> index{4, 0, 2, 5, 1, 3};
    Session s;
    Ten tx = b16({kRows * kChosen, kWidth}, x), ti = i32({kRows * kChosen}, index);
    Ten t1 = b16({kRows, kWidth}, shared), ts = f32({kRows, kChosen}, scales), out = empty(ACL_BF16, {kRows, kWidth}, 2);
    EQUAL(CALL(s, aclnnMoeFinalizeRoutingV2, tx, ti, t1, nullptr, nullptr, ts, nullptr, 2, out), 0);
    std::vector<float> want = shared;
    for (size_t pair = 0; pair < index.size(); pair++) {
        for (size_t h = 0; h < kWidth; h++) {
            want[pair / kChosen * kWidth + h] += scales[pair] * x[static_cast<size_t>(index[pair]) * kWidth + h];
        }
    }
    NEAR(out.floats(), want, 0.004);
    EQUAL(CALL(s, aclnnMoeTokenUnpermute, tx, ti, ts, false, nullptr, out), 561003);  // no 950 kernel
    {
        Ten bad = i32({kRows * kChosen}, {4, 0, 2, 6, 1, 3});
        CHECK(CALL(s, aclnnMoeFinalizeRoutingV2, tx, bad, nullptr, nullptr, nullptr, ts, nullptr, 2, out) != 0);
    }
    s.broken();
}

void permute() {
    constexpr int64_t kRows = 3, kWidth = 32;
    const std::vector<float> x = random_values(kRows * kWidth, 8), probs{0.5F, 0.25F, 1, 0, 0.75F, 0.25F};
    Session s("Ascend910B1");
    Ten tx = b16({kRows, kWidth}, x), ti = i32({kRows, 2}, {3, 1, 0, 3, 1, 0}), tp = f32({kRows, 2}, probs);
    Ten rows = empty(ACL_BF16, {6, kWidth}, 2), sorted = empty(ACL_INT32, {6}, 4), back = empty(ACL_BF16, {kRows, kWidth}, 2);
    EQUAL(CALL(s, aclnnMoeTokenPermute, tx, ti, 6, false, rows, sorted), 0);
    CHECK((sorted.raw<int32_t>() == std::vector<int32_t>{4, 2, 0, 5, 3, 1}));
    EQUAL(CALL(s, aclnnMoeTokenUnpermute, rows, sorted, tp, false, nullptr, back), 0);
    std::vector<float> want;
    for (size_t i = 0; i < x.size(); i++) {
        const size_t token = i / kWidth;
        want.push_back(x[i] * (probs[2 * token] + probs[2 * token + 1]));
    }
    NEAR(back.floats(), want, 0.004);
}

void swiglu() {
    constexpr int64_t kRows = 6, kWidth = 256;
    const std::vector<float> x = random_values(kRows * 2 * kWidth, 9, 20), weight = random_values(kRows, 10);
    Session s;
    Ten tx = b16({kRows, 2 * kWidth}, x), tw = f32({kRows}, weight), groups = i64({3}, {2, 0, 2});
    Ten y = empty(ACL_FLOAT8_E4M3FN, {kRows, kWidth}, 1), scale = empty(ACL_FLOAT, {kRows, 2}, 4);
    Ten origin = empty(ACL_BF16, {kRows, kWidth}, 2);
    EQUAL(CALL(s, aclnnSwigluGroupQuant, tx, tw, groups, nullptr, 36, 0, 128, true, 10.0, 0.0, true, y, scale, origin), 0);
    const std::vector<float> codes = y.floats(), scales = scale.floats(), plain = origin.floats();
    for (size_t r = 0; r < 4; r++) {
        for (size_t i = 0; i < kWidth; i++) {
            const double g = std::fmin(x[r * 2 * kWidth + i], 10.0);
            const double u = std::clamp(static_cast<double>(x[r * 2 * kWidth + kWidth + i]), -10.0, 10.0);
            const double want = g / (1 + std::exp(-g)) * u * weight[r];
            const float step = scales[2 * r + i / 128];
            int exponent;
            CHECK(std::frexp(step, &exponent) == 0.5F);  // a power of two
            CHECK(std::fabs(codes[r * kWidth + i] * step - want) <= std::fabs(want) / 15 + step / 256);
            CHECK(std::fabs(plain[r * kWidth + i] - want) <= std::fabs(want) / 200);
        }
    }
    CHECK(std::isnan(scales[8]) && std::isnan(codes[4 * kWidth]));  // rows beyond the groups are not written
    EQUAL(CALL(s, aclnnSwigluGroupQuant, tx, tw, groups, nullptr, 36, 1, 0, false, 10.0, 0.0, true, y, scale, origin),
          161002);  // MX needs rounded scales
}

// ---- grouped matmuls

struct Grouped {
    int64_t m, k, n, groups;
    std::vector<int64_t> counts;
    std::vector<float> x, w;  // [m, k] and [groups, n, k], values already decoded

    /** x . w of each group; `untouched` rows at the end are NaN. */
    std::vector<float> expected() const {
        std::vector<float> out(static_cast<size_t>(m * n), NAN);
        int64_t row = 0;
        for (int64_t g = 0; g < groups; g++) {
            for (int64_t r = 0; r < counts[static_cast<size_t>(g)]; r++, row++) {
                for (int64_t j = 0; j < n; j++) {
                    double sum = 0;
                    for (int64_t i = 0; i < k; i++) {
                        sum += static_cast<double>(x[static_cast<size_t>(row * k + i)]) *
                               w[static_cast<size_t>((g * n + j) * k + i)];
                    }
                    out[static_cast<size_t>(row * n + j)] = static_cast<float>(sum);
                }
            }
        }
        return out;
    }

    void compare(const std::vector<float>& found, double tolerance, const char* what) const {
        std::vector<float> want = expected(), used = found;
        int64_t rows = 0;
        for (int64_t c : counts) {
            rows += c;
        }
        for (size_t i = static_cast<size_t>(rows * n); i < used.size(); i++) {
            CHECK(std::isnan(used[i]));
        }
        want.resize(static_cast<size_t>(rows * n));
        used.resize(want.size());
        near(used, want, tolerance, what, __FILE__, __LINE__);
    }
};

std::vector<uint16_t> bf16_of(const std::vector<float>& v) {
    std::vector<uint16_t> bits;
    for (float x : v) {
        bits.push_back(bf16(x));
    }
    return bits;
}

/** [groups, n, k] turned to [groups, k, n]. */
std::vector<float> turned(const Grouped& c) {
    std::vector<float> out(c.w.size());
    for (int64_t g = 0; g < c.groups; g++) {
        for (int64_t j = 0; j < c.n; j++) {
            for (int64_t i = 0; i < c.k; i++) {
                out[static_cast<size_t>((g * c.k + i) * c.n + j)] = c.w[static_cast<size_t>((g * c.n + j) * c.k + i)];
            }
        }
    }
    return out;
}

void grouped_plain() {
    Grouped c{7, 64, 96, 3, {3, 0, 2}, random_values(7 * 64, 20), random_values(3 * 96 * 64, 21)};
    for (const char* soc : {"Ascend950DT_9591", "Ascend910B1"}) {
        Session s(soc);
        Ten x = b16({c.m, c.k}, c.x), out = empty(ACL_BF16, {c.m, c.n}, 2), cumsum = i64({3}, {3, 3, 5});
        Ten w = b16({c.groups, c.k, c.n}, turned(c)), stored = b16({c.groups, c.n, c.k}, c.w);
        List lx{x.take()}, lw{w.take()}, lo{out.view({c.m, c.n})};
        List transposed{stored.view({c.groups, c.k, c.n}, {c.n * c.k, 1, c.k}, {c.groups, c.n, c.k})};
        for (const List* weight : {&lw, &transposed}) {
            EQUAL(CALL(s, aclnnGroupedMatmulV5, lx, *weight, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr,
                       cumsum, nullptr, nullptr, nullptr, 3, 0, 0, 0, nullptr, lo, nullptr, nullptr),
                  0);
            c.compare(out.floats(), 0.004, "BF16 grouped matmul");
        }
    }
}

/** Fractal storage of [n rows or k rows] matrices as the format is defined: (cols/c0, rows/16, 16, c0). */
std::vector<size_t> fractal_order(int64_t rows, int64_t cols, int64_t c0) {
    std::vector<size_t> order;
    for (int64_t cb = 0; cb < cols / c0; cb++) {
        for (int64_t rb = 0; rb < rows / 16; rb++) {
            for (int64_t r = 0; r < 16; r++) {
                for (int64_t lane = 0; lane < c0; lane++) {
                    order.push_back(static_cast<size_t>((rb * 16 + r) * cols + cb * c0 + lane));
                }
            }
        }
    }
    return order;
}

void grouped_fractal() {
    Grouped c{5, 64, 96, 2, {4, 1}, random_values(5 * 64, 22), random_values(2 * 96 * 64, 23)};
    const std::vector<float> dense = turned(c);
    std::vector<float> nz;
    const std::vector<size_t> order = fractal_order(c.k, c.n, 16);
    for (int64_t g = 0; g < c.groups; g++) {
        for (size_t at : order) {
            nz.push_back(dense[static_cast<size_t>(g * c.k * c.n) + at]);
        }
    }
    Session s;
    const std::vector<uint16_t> bits = bf16_of(nz);
    Ten x = b16({c.m, c.k}, c.x), out = empty(ACL_BF16, {c.m, c.n}, 2), counts = i64({2}, c.counts);
    Ten w(ACL_BF16, {c.groups, c.k, c.n}, bits.data(), 2 * bits.size(), {}, {c.groups, c.n / 16, c.k / 16, 16, 16},
          ACL_FORMAT_FRACTAL_NZ);
    List lx{x.take()}, lw{w.take()}, lo{out.view({c.m, c.n})};
    EQUAL(CALL(s, aclnnGroupedMatmulWeightNz, lx, lw, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, counts,
               nullptr, nullptr, nullptr, 3, 0, 1, 0, nullptr, 0, lo, nullptr, nullptr),
          0);
    c.compare(out.floats(), 0.004, "BF16 fractal grouped matmul");
}

std::vector<uint8_t> random_fp8(size_t n, uint32_t seed) {
    std::mt19937 engine(seed);
    std::vector<uint8_t> codes(n);
    for (uint8_t& code : codes) {
        code = static_cast<uint8_t>((0x28 + engine() % 0x18) | (engine() & 0x80));
    }
    return codes;
}

void grouped_blocks() {
    Grouped c{3, 256, 256, 2, {1, 2}, {}, {}};
    const std::vector<uint8_t> x = random_fp8(3 * 256, 30), w = random_fp8(2 * 256 * 256, 31);
    const std::vector<float> xs = random_values(3 * 2, 32), ws = random_values(2 * 2 * 2, 33);  // [g, n/128, k/128]
    for (size_t i = 0; i < x.size(); i++) {
        c.x.push_back(e4m3(x[i]) * xs[i / 128]);
    }
    for (size_t i = 0; i < w.size(); i++) {
        const size_t row = i / 256, group = row / 256;
        c.w.push_back(e4m3(w[i]) * ws[group * 4 + row % 256 / 128 * 2 + i % 256 / 128]);
    }
    for (const char* soc : {"Ascend950DT_9591", "Ascend910_9382"}) {
        Session s(soc);
        Ten tx = bytes(ACL_FLOAT8_E4M3FN, {3, 256}, x), out = empty(ACL_BF16, {3, 256}, 2), list = i64({2}, c.counts);
        Ten tw = bytes(ACL_FLOAT8_E4M3FN, {2, 256, 256}, w, {65536, 1, 256}, {2, 256, 256});
        Ten txs = f32({3, 2}, xs), tws = f32({2, 2, 2}, ws);
        List lx{tx.take()}, lw{tw.take()}, lo{out.view({3, 256})}, ls{tws.take()}, lt{txs.take()};
        const int status = CALL(s, aclnnGroupedMatmulV5, lx, lw, nullptr, ls, nullptr, nullptr, nullptr, lt, list, nullptr,
                                nullptr, nullptr, 3, 0, 1, 0, nullptr, lo, nullptr, nullptr);
        if (std::string(soc) == "Ascend910_9382") {
            EQUAL(status, 161002);  // no FP8 on A3
        } else {
            EQUAL(status, 0);
            c.compare(out.floats(), 0.004, "FP8 block grouped matmul");
        }
    }
}

void grouped_mx() {
    Grouped c{4, 128, 64, 2, {3, 1}, {}, {}};
    const std::vector<uint8_t> x = random_fp8(4 * 128, 34), w = random_fp8(2 * 64 * 128, 35);
    std::vector<uint8_t> xs, ws;  // [m, k/64, 2] and [g, n, k/64, 2]
    for (size_t i = 0; i < x.size(); i++) {
        if (i % 32 == 0) {
            xs.push_back(static_cast<uint8_t>(120 + i / 32 % 9));
        }
        c.x.push_back(e4m3(x[i]) * std::ldexp(1.0F, xs.back() - 127));
    }
    for (size_t i = 0; i < w.size(); i++) {
        if (i % 32 == 0) {
            ws.push_back(static_cast<uint8_t>(122 + i / 32 % 7));
        }
        c.w.push_back(e4m3(w[i]) * std::ldexp(1.0F, ws.back() - 127));
    }
    Session s;
    Ten tx = bytes(ACL_FLOAT8_E4M3FN, {4, 128}, x), out = empty(ACL_FLOAT, {4, 64}, 4), list = i64({2}, c.counts);
    Ten tw = bytes(ACL_FLOAT8_E4M3FN, {2, 128, 64}, w, {8192, 1, 128}, {2, 64, 128});
    Ten txs = bytes(ACL_FLOAT8_E8M0, {4, 2, 2}, xs), tws = bytes(ACL_FLOAT8_E8M0, {2, 64, 2, 2}, ws);
    List lx{tx.take()}, lw{tw.take()}, lo{out.view({4, 64})}, ls{tws.take()}, lt{txs.take()};
    EQUAL(CALL(s, aclnnGroupedMatmulV5, lx, lw, nullptr, ls, nullptr, nullptr, nullptr, lt, list, nullptr, nullptr, nullptr,
               3, 0, 1, 0, nullptr, lo, nullptr, nullptr),
          0);
    c.compare(out.floats(), 1e-5, "MX grouped matmul");
}

/** FP4 experts as the checkpoint stores them, tiled for format 51. */
void grouped_fp4() {
    Grouped c{6, 128, 128, 2, {2, 3}, {}, {}};
    std::mt19937 engine(36);
    const std::vector<uint8_t> x = random_fp8(static_cast<size_t>(c.m * c.k), 37);
    std::vector<uint8_t> nibbles, xs, ws;
    for (size_t i = 0; i < x.size(); i++) {
        if (i % 32 == 0) {
            xs.push_back(static_cast<uint8_t>(121 + i / 32 % 8));
        }
        c.x.push_back(e4m3(x[i]) * std::ldexp(1.0F, xs.back() - 127));
    }
    for (int64_t i = 0; i < c.groups * c.n * c.k; i++) {
        nibbles.push_back(static_cast<uint8_t>(engine() % 16));
        if (i % 32 == 0) {
            ws.push_back(static_cast<uint8_t>(123 + i / 32 % 6));
        }
        c.w.push_back(e2m1(nibbles.back()) * std::ldexp(1.0F, ws.back() - 127));
    }
    std::vector<uint8_t> packed;
    const std::vector<size_t> order = fractal_order(c.n, c.k, 32);
    for (int64_t g = 0; g < c.groups; g++) {
        for (size_t i = 0; i < order.size(); i += 2) {
            const auto* matrix = &nibbles[static_cast<size_t>(g * c.n * c.k)];
            packed.push_back(static_cast<uint8_t>(matrix[order[i]] | matrix[order[i + 1]] << 4));
        }
    }
    const Dims strides{c.k * c.n, 1, c.k}, storage{c.groups, c.k / 32, c.n / 16, 16, 32};
    const int64_t pairs = c.k / 64;
    for (aclFormat format : {ACL_FORMAT_FRACTAL_NZ_C0_32, ACL_FORMAT_ND}) {
        Session s;
        const bool nz = format != ACL_FORMAT_ND;
        Ten tx = bytes(ACL_FLOAT8_E4M3FN, {c.m, c.k}, x), out = empty(ACL_BF16, {c.m, c.n}, 2), list = i64({2}, {2, 5});
        Ten tw = bytes(ACL_FLOAT4_E2M1, {c.groups, c.k, c.n}, packed, strides,
                       nz ? storage : Dims{c.groups, c.n, c.k}, format);
        Ten txs = bytes(ACL_FLOAT8_E8M0, {c.m, pairs, 2}, xs);
        Ten tws = bytes(ACL_FLOAT8_E8M0, {c.groups, pairs, c.n, 2}, ws, {2 * pairs * c.n, 2, 2 * pairs, 1},
                        {c.groups, c.n, pairs, 2});
        List lx{tx.take()}, lw{tw.take()}, lo{out.view({c.m, c.n})}, ls{tws.take()}, lt{txs.take()};
        EQUAL(CALL(s, aclnnGroupedMatmulWeightNz, lx, lw, nullptr, nullptr, nullptr, ls, nullptr, lt, list, nullptr,
                   nullptr, nullptr, 3, 0, 0, 0, nullptr, 32, lo, nullptr, nullptr),
              nz ? 0 : 161002);
        if (nz) {
            c.compare(out.floats(), 0.004, "FP4 experts");
        }
    }
}

void grouped_int8() {
    Grouped c{4, 96, 64, 2, {1, 3}, {}, {}};
    std::mt19937 engine(38);
    std::vector<int8_t> x(4 * 96), w(2 * 96 * 64);  // w is [g, k, n]
    for (std::vector<int8_t>* v : {&x, &w}) {
        for (int8_t& value : *v) {
            value = static_cast<int8_t>(engine() % 255 - 127);
        }
    }
    const std::vector<float> channel = random_values(2 * 64, 39), token = random_values(4, 40);
    c.w.resize(2 * 64 * 96);
    for (size_t i = 0; i < x.size(); i++) {
        c.x.push_back(static_cast<float>(x[i]) * token[i / 96]);
    }
    for (size_t g = 0; g < 2; g++) {
        for (size_t i = 0; i < 96; i++) {
            for (size_t j = 0; j < 64; j++) {
                c.w[(g * 64 + j) * 96 + i] = static_cast<float>(w[(g * 96 + i) * 64 + j]) * channel[g * 64 + j];
            }
        }
    }
    Session s("Ascend910B1");
    Ten tx(ACL_INT8, {4, 96}, x.data(), x.size()), tw(ACL_INT8, {2, 96, 64}, w.data(), w.size());
    Ten tc = b16({2, 64}, channel), tt = f32({4}, token), out = empty(ACL_BF16, {4, 64}, 2), list = i64({2}, c.counts);
    List lx{tx.take()}, lw{tw.take()}, lo{out.view({4, 64})}, ls{tc.take()}, lt{tt.take()};
    EQUAL(CALL(s, aclnnGroupedMatmulV5, lx, lw, nullptr, ls, nullptr, nullptr, nullptr, lt, list, nullptr, nullptr, nullptr,
               3, 0, 1, 0, nullptr, lo, nullptr, nullptr),
          0);
    c.compare(out.floats(), 0.004, "INT8 grouped matmul");
}

/** The fused form on the same numbers as a grouped matmul followed by SwiGLU. */
void grouped_swiglu() {
    Grouped c{4, 96, 64, 2, {1, 2}, {}, {}};
    std::mt19937 engine(60);
    std::vector<int8_t> x(4 * 96), w(2 * 96 * 64);
    for (std::vector<int8_t>* v : {&x, &w}) {
        for (int8_t& value : *v) {
            value = static_cast<int8_t>(engine() % 255 - 127);
        }
    }
    const std::vector<float> channel(2 * 64, 0.001F), token(4, 0.01F);
    c.w.resize(2 * 64 * 96);
    for (size_t i = 0; i < x.size(); i++) {
        c.x.push_back(static_cast<float>(x[i]) * token[i / 96]);
    }
    for (size_t i = 0; i < w.size(); i++) {
        const size_t g = i / (96 * 64), k = i / 64 % 96, n = i % 64;
        c.w[(g * 64 + n) * 96 + k] = static_cast<float>(w[i]) * 0.001F;
    }
    const std::vector<float> product = c.expected();
    Session s("Ascend910B1");
    Ten tx(ACL_INT8, {4, 96}, x.data(), x.size()), tw(ACL_INT8, {2, 96, 64}, w.data(), w.size());
    Ten tc = f32({2, 64}, channel), tt = f32({4}, token), list = i64({2}, c.counts);
    Ten out = empty(ACL_INT8, {4, 32}, 1), scale = empty(ACL_FLOAT, {4}, 4);
    List lw{tw.take()}, ls{tc.take()};
    EQUAL(CALL(s, aclnnGroupedMatmulSwigluQuantV2, tx, lw, ls, nullptr, nullptr, tt, nullptr, list, 0, 0, 0, 1, nullptr,
               out, scale),
          0);
    const std::vector<float> codes = out.floats(), scales = scale.floats();
    for (size_t r = 0; r < 3; r++) {
        for (size_t i = 0; i < 32; i++) {
            const double gate = product[r * 64 + i];
            const double want = gate / (1 + std::exp(-gate)) * product[r * 64 + 32 + i];
            CHECK(std::fabs(codes[r * 32 + i] * scales[r] - want) <= scales[r] * 0.51);
        }
    }
    CHECK(std::isnan(scales[3]));
}

/** 48 rows over 8 FP4 experts of 4096 x 2048. */
void grouped_speed() {
    constexpr int64_t kRows = 48, kInner = 4096, kOuter = 2048, kExperts = 8;
    std::vector<uint8_t> x = random_fp8(kRows * kInner, 50), xs(kRows * kInner / 32, 127);
    std::vector<uint8_t> w(kExperts * kInner * kOuter / 2, 0x5A), ws(kExperts * kInner * kOuter / 32, 126);
    Session s;
    Ten tx = bytes(ACL_FLOAT8_E4M3FN, {kRows, kInner}, x), out = empty(ACL_BF16, {kRows, kOuter}, 2);
    Ten list = i64({kExperts}, std::vector<int64_t>(kExperts, kRows / kExperts));
    Ten tw = bytes(ACL_FLOAT4_E2M1, {kExperts, kInner, kOuter}, w, {kInner * kOuter, 1, kInner},
                   {kExperts, kInner / 32, kOuter / 16, 16, 32}, ACL_FORMAT_FRACTAL_NZ_C0_32);
    Ten txs = bytes(ACL_FLOAT8_E8M0, {kRows, kInner / 64, 2}, xs);
    Ten tws = bytes(ACL_FLOAT8_E8M0, {kExperts, kInner / 64, kOuter, 2}, ws,
                    {kInner / 32 * kOuter, 2, kInner / 32, 1}, {kExperts, kOuter, kInner / 64, 2});
    List lx{tx.take()}, lw{tw.take()}, lo{out.view({kRows, kOuter})}, ls{tws.take()}, lt{txs.take()};
    const auto start = std::chrono::steady_clock::now();
    EQUAL(CALL(s, aclnnGroupedMatmulWeightNz, lx, lw, nullptr, nullptr, nullptr, ls, nullptr, lt, list, nullptr,
               nullptr, nullptr, 3, 0, 1, 0, nullptr, 32, lo, nullptr, nullptr),
          0);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    std::printf("48 rows x 4096 x 2048 over 8 FP4 experts: %.2f s\n", seconds.count());
}

}  // namespace

int main() {
    gating();
    gating_ties_and_products();
    routing();
    finalize();
    permute();
    swiglu();
    grouped_plain();
    grouped_fractal();
    grouped_blocks();
    grouped_mx();
    grouped_fp4();
    grouped_int8();
    grouped_swiglu();
    grouped_speed();
    std::printf("%d failures\n", failures);
    return failures == 0 ? 0 : 1;
}
