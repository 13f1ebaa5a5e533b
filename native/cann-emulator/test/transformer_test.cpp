// Hyper-connections, rotary embedding, compressor, indexer and caches, against values computed here in double.
#include "aclnnop/aclnn_compressor.h"
#include "aclnnop/aclnn_indexer_quant_cache.h"
#include "aclnnop/aclnn_inplace_partial_rotary_mul.h"
#include "aclnnop/aclnn_kv_compress_epilog.h"
#include "aclnnop/aclnn_lightning_indexer.h"
#include "aclnnop/aclnn_lightning_indexer_v2.h"
#include "aclnnop/aclnn_mhc_post.h"
#include "aclnnop/aclnn_mhc_pre_sinkhorn.h"
#include "aclnnop/aclnn_quant_lightning_indexer_v2.h"
#include "aclnnop/aclnn_quant_lightning_indexer_v2_metadata.h"
#include "aclnnop/aclnn_scatter_pa_kv_cache.h"
#include "operators.h"

#include <algorithm>
#include <set>

using namespace operators;

namespace {

char paged_old[] = "PA_BSND";

void hyper_connections() {
    Session s;
    const int64_t rows = 2, width = 4096, flat = 4 * width;
    const std::vector<float> x = random_values(static_cast<size_t>(rows * flat), 4);
    const std::vector<float> phi = random_values(static_cast<size_t>(24 * flat), 5, 1.0F / 128);
    const std::vector<float> alpha{0.7F, 1.1F, 0.9F}, bias = random_values(24, 6);
    Ten tx = b16({rows, 4, width}, x), tphi = f32({24, flat}, phi), talpha = f32({3}, alpha), tbias = f32({24}, bias);
    Ten hin = empty(ACL_BF16, {rows, width}, 2), post = empty(ACL_FLOAT, {rows, 4}, 4);
    Ten res = empty(ACL_FLOAT, {rows, 16}, 4);
    const Placeholders none(5);
    EQUAL(CALL(s, aclnnMhcPreSinkhorn, tx, tphi, talpha, tbias, 4, 20, 1e-6, 1e-6, false, hin, post, res, none[0],
               none[1], none[2], none[3], none[4]),
          0);
    std::vector<float> want_in, want_post, want_res;
    for (int64_t r = 0; r < rows; r++) {
        const float* u = &x[static_cast<size_t>(r * flat)];
        double square = 0, mix[24];
        for (int64_t i = 0; i < flat; i++) {
            square += static_cast<double>(u[i]) * u[i];
        }
        const double rms = 1 / std::sqrt(square / static_cast<double>(flat) + 1e-6);
        for (int64_t m = 0; m < 24; m++) {
            double dot = 0;
            for (int64_t i = 0; i < flat; i++) {
                dot += static_cast<double>(u[i]) * phi[static_cast<size_t>(m * flat + i)];
            }
            mix[m] = dot * rms * alpha[static_cast<size_t>(m < 4 ? 0 : m < 8 ? 1 : 2)] + bias[static_cast<size_t>(m)];
        }
        const auto sigmoid = [](double v) { return 1 / (1 + std::exp(-v)); };
        for (int64_t i = 0; i < width; i++) {
            double sum = 0;
            for (int64_t j = 0; j < 4; j++) {
                sum += (sigmoid(mix[j]) + 1e-6) * u[j * width + i];
            }
            want_in.push_back(static_cast<float>(sum));
        }
        double c[4][4];
        for (int j = 0; j < 4; j++) {
            want_post.push_back(static_cast<float>(2 * sigmoid(mix[4 + j])));
            double sum = 0;
            for (int k = 0; k < 4; k++) {
                sum += std::exp(mix[8 + 4 * j + k]);
            }
            for (int k = 0; k < 4; k++) {
                c[j][k] = std::exp(mix[8 + 4 * j + k]) / sum + 1e-6;
            }
        }
        for (int pass = 1; pass < 40; pass++) {
            for (int i = 0; i < 4; i++) {
                double sum = 1e-6;
                for (int j = 0; j < 4; j++) {
                    sum += pass % 2 == 1 ? c[j][i] : c[i][j];
                }
                for (int j = 0; j < 4; j++) {
                    (pass % 2 == 1 ? c[j][i] : c[i][j]) /= sum;
                }
            }
        }
        for (auto& row : c) {
            for (double v : row) {
                want_res.push_back(static_cast<float>(v));
            }
        }
    }
    NEAR(hin.floats(), want_in, 0.004);
    NEAR(post.floats(), want_post, 1e-5);
    NEAR(res.floats(), want_res, 1e-5);

    const std::vector<float> layer = random_values(static_cast<size_t>(rows * width), 8);
    Ten out = empty(ACL_BF16, {rows, 4, width}, 2), tlayer = b16({rows, width}, layer);
    EQUAL(CALL(s, aclnnMhcPost, tx, res, tlayer, post, out), 0);
    std::vector<float> want;
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t k = 0; k < 4; k++) {
            for (int64_t i = 0; i < width; i++) {
                double sum = static_cast<double>(want_post[static_cast<size_t>(4 * r + k)]) *
                             layer[static_cast<size_t>(r * width + i)];
                for (int64_t j = 0; j < 4; j++) {
                    sum += static_cast<double>(want_res[static_cast<size_t>(16 * r + 4 * j + k)]) *
                           x[static_cast<size_t>((4 * r + j) * width + i)];
                }
                want.push_back(static_cast<float>(sum));
            }
        }
    }
    NEAR(out.floats(), want, 0.004);
}

void hyper_connection_rules() {
    const std::vector<float> x = random_values(4 * 256, 4), phi = random_values(24 * 1024, 5), bias(24), alpha(3);
    for (const char* soc : {"Ascend950DT_9591", "Ascend910_9382"}) {
        Session s(soc);
        Ten tx = b16({1, 1, 4, 256}, x), tphi = f32({24, 1024}, phi), ta = f32({3}, alpha), tb = f32({24}, bias);
        Ten hin = empty(ACL_BF16, {1, 1, 256}, 2), post = empty(ACL_FLOAT, {1, 1, 4}, 4);
        Ten res = empty(ACL_FLOAT, {1, 1, 16}, 4);
        const Placeholders none(5);
        // a width of 256 is legal on A3 and not on 950
        EQUAL(CALL(s, aclnnMhcPreSinkhorn, tx, tphi, ta, tb, 4, 20, 1e-6, 1e-6, false, hin, post, res, none[0],
                   none[1], none[2], none[3], none[4]),
              std::string(soc) == "Ascend910_9382" ? 0 : 161002);
    }
}

void rotary() {
    Session s;
    const int64_t tokens = 3, heads = 2, width = 128;
    const std::vector<float> x = random_values(static_cast<size_t>(tokens * heads * width), 10);
    const std::vector<float> cos = random_values(static_cast<size_t>(tokens * 64), 11),
                             sin = random_values(static_cast<size_t>(tokens * 64), 12);
    Ten tx = b16({tokens, 1, heads, width}, x), tc = f32({tokens, 1, 1, 64}, cos), ts = f32({tokens, 1, 1, 64}, sin);
    const int64_t slice[] = {64, 128};
    aclIntArray* range = aclCreateIntArray(slice, 2);
    EQUAL(CALL(s, aclnnInplacePartialRotaryMul, tx, tc, ts, 1, range), 0);
    std::vector<float> want = x;
    for (int64_t t = 0; t < tokens; t++) {
        for (int64_t h = 0; h < heads; h++) {
            for (int64_t i = 0; i < 64; i += 2) {
                const auto at = static_cast<size_t>((t * heads + h) * width + 64 + i), p = static_cast<size_t>(t * 64 + i);
                want[at] = x[at] * cos[p] - x[at + 1] * sin[p];
                want[at + 1] = x[at + 1] * cos[p + 1] + x[at] * sin[p + 1];
            }
        }
    }
    NEAR(tx.floats(), want, 0.004);
    EQUAL(CALL(s, aclnnInplacePartialRotaryMul, tx, tc, ts, 0, range), 161002);  // half mode
    Ten every = f32({1, 1, heads, 64}, std::vector<float>(static_cast<size_t>(heads * 64)));
    EQUAL(CALL(s, aclnnInplacePartialRotaryMul, tx, every, every, 1, range), 161002);  // 11ND is no broadcast form
    aclDestroyIntArray(range);
}

/** Overlapping compression of 11 tokens in chunks of 5 and 6, against a direct evaluation. */
void compressor() {
    constexpr int64_t kWidth = 1024, kEntry = 128, kRatio = 4, kTokens = 11, kChannels = 2 * kEntry;
    const std::vector<float> x = random_values(kTokens * kWidth, 20), wkv = random_values(kChannels * kWidth, 21);
    const std::vector<float> wgate = random_values(kChannels * kWidth, 22, 0.05F);
    const std::vector<float> ape = random_values(kRatio * kChannels, 23);
    std::vector<double> keys(kTokens * kChannels), scores(keys.size());
    for (int64_t t = 0; t < kTokens; t++) {
        for (int64_t c = 0; c < kChannels; c++) {
            const auto at = static_cast<size_t>(t * kChannels + c);
            scores[at] = ape[static_cast<size_t>(t % kRatio * kChannels + c)];
            for (int64_t i = 0; i < kWidth; i++) {
                const double v = x[static_cast<size_t>(t * kWidth + i)];
                keys[at] += v * wkv[static_cast<size_t>(c * kWidth + i)];
                scores[at] += v * wgate[static_cast<size_t>(c * kWidth + i)];
            }
        }
    }
    std::vector<float> want;
    for (int64_t block = 0; block < kTokens / kRatio; block++) {
        for (int64_t i = 0; i < kEntry; i++) {
            double sum = 0, value = 0;
            for (int64_t part = block == 0 ? 1 : 0; part < 2; part++) {
                for (int64_t t = 0; t < kRatio; t++) {
                    const auto at = static_cast<size_t>(((block - 1 + part) * kRatio + t) * kChannels + part * kEntry + i);
                    sum += std::exp(scores[at]);
                    value += std::exp(scores[at]) * keys[at];
                }
            }
            want.push_back(static_cast<float>(value / sum));
        }
    }
    Session s;
    Ten tkv = b16({kChannels, kWidth}, wkv), tgate = b16({kChannels, kWidth}, wgate), tape = f32({kRatio, kChannels}, ape);
    Ten state = empty(ACL_FLOAT, {4, 8, 2 * kChannels}, 4), table = i32({1, 2}, {3, 1});
    std::vector<float> found;
    for (const auto& [from, count] : {std::pair<int64_t, int64_t>{0, 5}, {5, 6}}) {
        const std::vector<float> part(x.begin() + from * kWidth, x.begin() + (from + count) * kWidth);
        Ten tx = b16({count, kWidth}, part), starts = i32({2}, {0, static_cast<int32_t>(count)});
        Ten position = i32({1}, {static_cast<int32_t>(from)});
        const int64_t entries = std::min(count, count / kRatio + 1);
        Ten out = empty(ACL_BF16, {entries, kEntry}, 2);
        const Placeholders none(2);
        EQUAL(CALL(s, aclnnCompressor, tx, tkv, tgate, state, tape, table, starts, nullptr, position, kRatio, 2, 1,
                   8 * 2 * kChannels, false, out, none[0], none[1]),
              0);
        const std::vector<float> values = out.floats();
        const int64_t made = (from + count) / kRatio - from / kRatio;
        found.insert(found.end(), values.begin(), values.begin() + made * kEntry);
        for (int64_t i = made * kEntry; i < entries * kEntry; i++) {
            CHECK(std::isnan(values[static_cast<size_t>(i)]));  // no partial entries
        }
    }
    NEAR(found, want, 0.005);
}

void indexer() {
    constexpr int64_t kHeads = 8, kKeys = 40, kDim = 128, kTopk = 6;
    const std::vector<float> q = random_values(2 * kHeads * kDim, 30), k = random_values(3 * 16 * kDim, 31);
    const std::vector<float> w = random_values(2 * kHeads, 32);
    std::vector<double> scores(2 * kKeys);
    for (int64_t i = 0; i < 2; i++) {
        for (int64_t t = 0; t < kKeys; t++) {
            for (int64_t h = 0; h < kHeads; h++) {
                double dot = 0;
                for (int64_t d = 0; d < kDim; d++) {
                    dot += static_cast<double>(q[static_cast<size_t>((i * kHeads + h) * kDim + d)]) *
                           k[static_cast<size_t>((((t / 16 + 1) % 3) * 16 + t % 16) * kDim + d)];
                }
                scores[static_cast<size_t>(i * kKeys + t)] += std::fmax(dot, 0) * w[static_cast<size_t>(i * kHeads + h)];
            }
        }
    }
    std::set<std::vector<int32_t>> orders;
    for (const char* seed : {"1", "2", "3"}) {
        Session s("Ascend950DT_9591", seed);
        Ten tq = b16({2, kHeads, kDim}, q), tk = b16({3, 16, 1, kDim}, k), tw = b16({2, kHeads}, w);
        Ten ends = i32({1}, {2}), lengths = i32({1}, {kKeys}), table = i32({1, 3}, {1, 2, 0});
        Ten out = empty(ACL_INT32, {2, 1, kTopk}, 4), values = empty(ACL_BF16, {2, 1, kTopk}, 2);
        EQUAL(CALL(s, aclnnLightningIndexer, tq, tk, tw, ends, lengths, table, tnd, paged_old, kTopk, 3,
                   9223372036854775807LL, 9223372036854775807LL, false, out, values),
              0);
        const std::vector<int32_t> found = out.raw<int32_t>();
        for (int64_t i = 0; i < 2; i++) {
            const int64_t visible = kKeys - 1 + i;
            std::vector<int32_t> order(static_cast<size_t>(visible));
            for (size_t t = 0; t < order.size(); t++) {
                order[t] = static_cast<int32_t>(t);
            }
            std::sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
                return scores[static_cast<size_t>(i * kKeys + a)] > scores[static_cast<size_t>(i * kKeys + b)];
            });
            const std::set<int32_t> want(order.begin(), order.begin() + kTopk);
            CHECK(std::set<int32_t>(found.begin() + i * kTopk, found.begin() + (i + 1) * kTopk) == want);
        }
        orders.insert(found);
    }
    CHECK(orders.size() > 1);  // no order is promised
}

void indexer_of_entries() {
    constexpr int64_t kHeads = 4, kKeys = 20, kDim = 128, kTopk = 7, kRatio = 4;
    const std::vector<float> q = random_values(3 * kHeads * kDim, 50), k = random_values(2 * 16 * kDim, 51);
    const std::vector<float> w = random_values(3 * kHeads, 52);
    Session s("Ascend910_9382");
    Ten tq = b16({3, kHeads, kDim}, q), tk = b16({2, 16, 1, kDim}, k), tw = f32({3, kHeads}, w);
    Ten starts = i32({2}, {0, 3}), lengths = i32({1}, {kKeys}), residual = i32({1}, {1}), table = i32({1, 2}, {1, 0});
    Ten out = empty(ACL_INT32, {3, 1, kTopk}, 4), values = empty(ACL_FLOAT, {3, 1, kTopk}, 4);
    Ten metadata = empty(ACL_INT32, {1024}, 4);
    EQUAL(CALL(s, aclnnLightningIndexerV2, tq, tk, tw, starts, nullptr, nullptr, lengths, residual, table, nullptr,
               metadata, kTopk, -1, tnd, paged, 3, kRatio, 1, out, values),
          161002);  // these products divide the work themselves and refuse a plan
    EQUAL(CALL(s, aclnnLightningIndexerV2, tq, tk, tw, starts, nullptr, nullptr, lengths, residual, table, nullptr,
               nullptr, kTopk, -1, tnd, paged, 3, kRatio, 1, out, values),
          0);
    const std::vector<int32_t> found = out.raw<int32_t>();
    const std::vector<float> scores = values.floats();
    for (int64_t i = 0; i < 3; i++) {
        const int64_t visible = (kKeys * kRatio + 1 - 3 + i + 1) / kRatio;
        std::vector<std::pair<double, int32_t>> want;
        for (int64_t t = 0; t < visible; t++) {
            double sum = 0;
            for (int64_t h = 0; h < kHeads; h++) {
                double dot = 0;
                for (int64_t d = 0; d < kDim; d++) {
                    dot += static_cast<double>(q[static_cast<size_t>((i * kHeads + h) * kDim + d)]) *
                           k[static_cast<size_t>(((t < 16 ? 1 : 0) * 16 + t % 16) * kDim + d)];
                }
                sum += std::fmax(dot, 0) * w[static_cast<size_t>(i * kHeads + h)];
            }
            want.emplace_back(-sum, static_cast<int32_t>(t));
        }
        std::sort(want.begin(), want.end());
        std::set<int32_t> best, seen(found.begin() + i * kTopk, found.begin() + (i + 1) * kTopk);
        for (int64_t j = 0; j < kTopk; j++) {
            best.insert(want[static_cast<size_t>(j)].second);
        }
        CHECK(seen == best);
        for (int64_t j = 0; j < kTopk; j++) {
            for (const auto& [negative, t] : want) {
                if (t == found[static_cast<size_t>(i * kTopk + j)]) {
                    CHECK(std::fabs(scores[static_cast<size_t>(i * kTopk + j)] + negative) < 0.01);
                }
            }
        }
    }
}

void indexer_of_entries_on_950() {
    Session s;
    Ten q = b16({1, 1, 128}, random_values(128, 1)), k = b16({1, 16, 1, 128}, random_values(16 * 128, 2));
    Ten w = f32({1, 1}, {1}), starts = i32({2}, {0, 1}), lengths = i32({1}, {1}), table = i32({1, 1}, {0});
    Ten out = empty(ACL_INT32, {1, 1, 1}, 4), values = empty(ACL_FLOAT, {1, 1, 1}, 4);
    EQUAL(CALL(s, aclnnLightningIndexerV2, q, k, w, starts, nullptr, nullptr, lengths, nullptr, table, nullptr, nullptr,
               1, -1, tnd, paged, 3, 1, 0, out, values),
          561003);
}

void quant_indexer() {
    constexpr int64_t kHeads = 64, kKeys = 20, kDim = 128, kTopk = 32, kRatio = 4;
    std::mt19937 engine(40);
    std::vector<uint8_t> q(3 * kHeads * kDim), k(2 * 16 * kDim);
    for (std::vector<uint8_t>* codes : {&q, &k}) {
        for (uint8_t& code : *codes) {
            code = static_cast<uint8_t>(engine() % 0x78 | (engine() & 0x80));
        }
    }
    const std::vector<float> w = random_values(3 * kHeads, 41), q_scale(3 * kHeads, 0.125F), k_scale(2 * 16, 0.5F);
    Session s;
    Ten tq = bytes(ACL_FLOAT8_E4M3FN, {3, kHeads, kDim}, q), tk = bytes(ACL_FLOAT8_E4M3FN, {2, 16, 1, kDim}, k);
    Ten tw = f32({3, kHeads}, w), tqs = f32({3, kHeads}, q_scale), tks = f32({2, 16, 1}, k_scale);
    Ten starts = i32({2}, {0, 3}), lengths = i32({1}, {kKeys}), residual = i32({1}, {1}), table = i32({1, 2}, {1, 0});
    Ten metadata = empty(ACL_INT32, {1024}, 4), out = empty(ACL_INT32, {3, 1, kTopk}, 4);
    Ten values = empty(ACL_BF16, {3, 1, kTopk}, 2);
    EQUAL(CALL(s, aclnnQuantLightningIndexerV2Metadata, starts, nullptr, nullptr, lengths, residual, kHeads, 1, kDim,
               kTopk, 1, 0, 0, 0, tnd, paged, 3, kRatio, metadata),
          0);
    EQUAL(CALL(s, aclnnQuantLightningIndexerV2, tq, tk, tw, tqs, tks, starts, nullptr, nullptr, lengths, residual,
               table, nullptr, metadata, kTopk, 1, 0, tnd, paged, 3, kRatio, 1, out, values),
          0);
    const std::vector<int32_t> found = out.raw<int32_t>();
    const std::vector<float> scores = values.floats();
    for (int64_t i = 0; i < 3; i++) {
        const int64_t visible = (kKeys * kRatio + 1 - 3 + i + 1) / kRatio;  // fewer than topk: all of them, then -1
        std::set<int32_t> seen;
        for (int64_t j = 0; j < kTopk; j++) {
            const int32_t t = found[static_cast<size_t>(i * kTopk + j)];
            CHECK((t == -1) == (j >= visible));
            if (t == -1) {
                continue;
            }
            seen.insert(t);
            double want = 0;
            for (int64_t h = 0; h < kHeads; h++) {
                double dot = 0;
                for (int64_t d = 0; d < kDim; d++) {
                    dot += static_cast<double>(e4m3(q[static_cast<size_t>((i * kHeads + h) * kDim + d)])) *
                           e4m3(k[static_cast<size_t>(((t < 16 ? 1 : 0) * 16 + t % 16) * kDim + d)]);
                }
                want += std::fmax(dot / 16, 0) * w[static_cast<size_t>(i * kHeads + h)];
            }
            CHECK(std::fabs(scores[static_cast<size_t>(i * kTopk + j)] - want) <= 0.01 * std::fabs(want) + 50);
        }
        EQUAL(static_cast<int64_t>(seen.size()), visible);
    }
}

void caches() {
    Session s;
    const std::vector<float> x = random_values(3 * 128, 50);
    Ten tx = b16({3, 128}, x), slots = i32({3}, {17, -1, 2});
    Ten cache = empty(ACL_FLOAT8_E4M3FN, {2, 16, 1, 128}, 1), scale = empty(ACL_FLOAT, {2, 16, 1, 1}, 4);
    EQUAL(CALL(s, aclnnIndexerQuantCache, cache, scale, tx, slots, 1, true, 1.0F), 0);
    const std::vector<float> codes = cache.floats(), scales = scale.floats();
    for (const auto& [row, slot] : {std::pair<size_t, size_t>{0, 17}, {2, 2}}) {
        for (size_t d = 0; d < 128; d++) {
            CHECK(std::fabs(codes[slot * 128 + d] * scales[slot] - x[row * 128 + d]) < 0.07F);
        }
    }
    CHECK(std::isnan(scales[3]));
    Ten key = b16({2, 1, 128}, std::vector<float>(x.begin(), x.begin() + 256)), where = i32({2}, {5, 0});
    Ten keys = empty(ACL_BF16, {1, 16, 1, 128}, 2), values = empty(ACL_BF16, {1, 16, 1, 128}, 2);
    EQUAL(CALL(s, aclnnScatterPaKvCache, key, keys, where, key, values, nullptr, nullptr, nullptr, nullptr, nullptr,
               nullptr, nullptr),
          0);
    const std::vector<float> stored = keys.floats();
    CHECK(std::equal(stored.begin() + 5 * 128, stored.begin() + 6 * 128, x.begin()));
    CHECK(std::equal(stored.begin(), stored.begin() + 128, x.begin() + 128));
    CHECK(std::isnan(stored[128]));
}

}  // namespace

int main() {
    hyper_connections();
    hyper_connection_rules();
    rotary();
    compressor();
    indexer();
    indexer_of_entries();
    indexer_of_entries_on_950();
    quant_indexer();
    caches();
    std::printf("%d failures\n", failures);
    return failures == 0 ? 0 : 1;
}
