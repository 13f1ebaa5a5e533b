// Attention, hyper-connections, rotary embedding, compressor and caches, against values computed here in double.
#include "aclnnop/aclnn_compressor.h"
#include "aclnnop/aclnn_indexer_quant_cache.h"
#include "aclnnop/aclnn_inplace_partial_rotary_mul.h"
#include "aclnnop/aclnn_kv_compress_epilog.h"
#include "aclnnop/aclnn_lightning_indexer.h"
#include "aclnnop/aclnn_mhc_post.h"
#include "aclnnop/aclnn_mhc_pre_sinkhorn.h"
#include "aclnnop/aclnn_mixed_quant_sparse_flash_mla.h"
#include "aclnnop/aclnn_mixed_quant_sparse_flash_mla_metadata.h"
#include "aclnnop/aclnn_quant_lightning_indexer_v2.h"
#include "aclnnop/aclnn_quant_lightning_indexer_v2_metadata.h"
#include "aclnnop/aclnn_scatter_pa_kv_cache.h"
#include "aclnnop/aclnn_sparse_flash_mla.h"
#include "aclnnop/aclnn_sparse_flash_mla_metadata.h"
#include "operators.h"

#include <algorithm>
#include <set>

using namespace operators;

namespace {

char tnd[] = "TND";
char paged[] = "PA_BBND";
char paged_old[] = "PA_BSND";

constexpr int64_t kLanes = 512;

/** One-element tensors for results that a call does not ask for. */
class Placeholders {
  public:
    explicit Placeholders(int count) {
        for (int i = 0; i < count; i++) {
            tensors_.push_back(empty(ACL_FLOAT, {1}, 4));
        }
    }
    aclTensor* operator[](size_t i) const { return tensors_[i]; }

  private:
    std::vector<Ten> tensors_;
};

/** Two sequences, paged window and compressed caches with shuffled blocks, some chosen entries. */
struct AttentionCase {
    static constexpr int64_t kHeads = 4, kBlock = 16, kRatio = 4, kTopk = 512;
    std::vector<int32_t> starts{0, 3, 5}, lengths{150, 9};  // queries 3 and 2
    std::vector<int32_t> entries{37, 2}, residual{2, 1};
    std::vector<float> q = random_values(5 * kHeads * kLanes, 1), sinks{0.5F, -1, 3, 0};
    std::vector<float> ori = random_values(24 * kBlock * kLanes, 2), cmp = random_values(8 * kBlock * kLanes, 3);
    std::vector<int32_t> ori_table, cmp_table, chosen;
    float scale = 1.0F / std::sqrt(512.0F);

    AttentionCase() {
        for (int32_t i = 0; i < 20; i++) {
            ori_table.push_back((i * 7 + 3) % 24);
        }
        for (int32_t i = 0; i < 6; i++) {
            cmp_table.push_back((i * 5 + 1) % 8);
        }
        chosen.assign(5 * kTopk, -1);
        std::mt19937 engine(9);
        for (int64_t i = 0; i < 5; i++) {
            std::vector<int32_t> all(static_cast<size_t>(entries[i < 3 ? 0 : 1]));
            for (size_t e = 0; e < all.size(); e++) {
                all[e] = static_cast<int32_t>(e);
            }
            std::shuffle(all.begin(), all.end(), engine);
            std::copy_n(all.begin(), std::min<size_t>(all.size(), 20), chosen.begin() + i * kTopk);
        }
    }

    const float* row(const std::vector<float>& cache, const std::vector<int32_t>& table, int64_t width, int64_t b,
                     int64_t t) const {
        return &cache[static_cast<size_t>((table[static_cast<size_t>(b * width + t / kBlock)] * kBlock + t % kBlock) *
                                          kLanes)];
    }

    /** The definition: softmax over the visible keys and one logit without a value. */
    std::vector<float> expected(bool sparse, int64_t left) const {
        std::vector<float> out;
        for (int64_t i = 0; i < 5; i++) {
            const int64_t b = i < 3 ? 0 : 1, local = i - starts[static_cast<size_t>(b)];
            const int64_t queries = starts[static_cast<size_t>(b) + 1] - starts[static_cast<size_t>(b)];
            const int64_t position = lengths[static_cast<size_t>(b)] - queries + local;
            const int64_t limit = (position + 1) / kRatio;
            std::vector<const float*> keys;
            for (int64_t t = std::max<int64_t>(0, position - left); t <= position; t++) {
                keys.push_back(row(ori, ori_table, 10, b, t));
            }
            for (int64_t e = 0; e < limit; e++) {
                const auto* from = &chosen[static_cast<size_t>(i * kTopk)];
                if (!sparse || std::find(from, from + kTopk, e) != from + kTopk) {
                    keys.push_back(row(cmp, cmp_table, 3, b, e));
                }
            }
            for (int64_t h = 0; h < kHeads; h++) {
                const float* query = &q[static_cast<size_t>((i * kHeads + h) * kLanes)];
                double sum = std::exp(static_cast<double>(sinks[static_cast<size_t>(h)]));
                std::vector<double> total(kLanes);
                for (const float* key : keys) {
                    double dot = 0;
                    for (int64_t d = 0; d < kLanes; d++) {
                        dot += static_cast<double>(query[d]) * key[d];
                    }
                    const double weight = std::exp(dot * scale);
                    sum += weight;
                    for (int64_t d = 0; d < kLanes; d++) {
                        total[static_cast<size_t>(d)] += weight * key[d];
                    }
                }
                for (double v : total) {
                    out.push_back(static_cast<float>(v / sum));
                }
            }
        }
        return out;
    }
};

/** Device tensors of a case. */
struct Attention {
    const AttentionCase& c;
    Ten q, ori, cmp, chosen, ori_table, cmp_table, starts, lengths, entries, residual, sinks, metadata, out, lse;

    explicit Attention(const AttentionCase& attention)
        : c(attention),
          q(b16({5, AttentionCase::kHeads, kLanes}, c.q)),
          ori(b16({24, AttentionCase::kBlock, 1, kLanes}, c.ori)),
          cmp(b16({8, AttentionCase::kBlock, 1, kLanes}, c.cmp)),
          chosen(i32({5, 1, AttentionCase::kTopk}, c.chosen)),
          ori_table(i32({2, 10}, c.ori_table)),
          cmp_table(i32({2, 3}, c.cmp_table)),
          starts(i32({3}, c.starts)),
          lengths(i32({2}, c.lengths)),
          entries(i32({2}, c.entries)),
          residual(i32({2}, c.residual)),
          sinks(f32({AttentionCase::kHeads}, c.sinks)),
          metadata(empty(ACL_INT32, {1024}, 4)),
          out(empty(ACL_BF16, {5, AttentionCase::kHeads, kLanes}, 2)),
          lse(empty(ACL_FLOAT, {1, 5, AttentionCase::kHeads}, 4)) {}

    int plan(Session& s, bool sparse, int64_t left = 127, int64_t ratio = AttentionCase::kRatio, int64_t dim = kLanes) {
        return CALL(s, aclnnSparseFlashMlaMetadata, starts, nullptr, nullptr, nullptr, lengths, entries, residual,
                    nullptr, nullptr, AttentionCase::kHeads, 1, dim, 0, 0, 0, 0, 0, sparse ? AttentionCase::kTopk : 0,
                    ratio, 4, 3, left, 0, tnd, paged, true, true, metadata);
    }

    int run(Session& s, bool sparse, int64_t left = 127, int64_t ratio = AttentionCase::kRatio,
            const aclTensor* query = nullptr) {
        return CALL(s, aclnnSparseFlashMla, query == nullptr ? q.get() : query, ori, cmp, nullptr,
                    sparse ? chosen.get() : nullptr, ori_table, cmp_table, starts, nullptr, nullptr, nullptr, lengths,
                    entries, residual, nullptr, nullptr, sinks, metadata, static_cast<double>(c.scale), ratio, 4, 3,
                    left, 0, tnd, paged, 1, true, out, lse);
    }
};

void sparse_attention() {
    const AttentionCase c;
    for (const char* soc : {"Ascend950DT_9591", "Ascend910_9382"}) {
        Session s(soc);
        Attention a(c);
        EQUAL(a.plan(s, true), 0);
        EQUAL(a.run(s, true), 0);
        NEAR(a.out.floats(), c.expected(true, 127), 0.004);
    }
    {
        Session s;
        Attention a(c);
        EQUAL(a.plan(s, false, 20), 0);
        EQUAL(a.run(s, false, 20), 0);
        NEAR(a.out.floats(), c.expected(false, 20), 0.004);
        EQUAL(a.plan(s, true, 127, 4, 448), 161002);  // D = 512 only
    }
    Session s("Ascend910_9382");
    Attention a(c);
    EQUAL(a.plan(s, true, 20), 161002);  // A3: window of 128 only
    EQUAL(a.plan(s, false), 161002);     // A3: dense entries need ratio 128
}

/** Window attention on caches without pages: dense batches, and packed rows under a causal mask. */
void other_layouts() {
    constexpr int64_t kBatch = 2, kQueries = 2, kKeys = 5, kHeads = 2;
    char bsnd[] = "BSND";
    const std::vector<float> q = random_values(kBatch * kQueries * kHeads * kLanes, 60);
    const std::vector<float> kv = random_values(kBatch * kKeys * kLanes, 61), sinks{0.25F, -0.5F};
    for (const bool packed : {false, true}) {
        std::vector<float> want;
        for (int64_t row = 0; row < kBatch * kQueries; row++) {
            const int64_t b = row / kQueries, visible = packed ? kKeys - kQueries + row % kQueries + 1 : kKeys;
            for (int64_t h = 0; h < kHeads; h++) {
                double sum = std::exp(static_cast<double>(sinks[static_cast<size_t>(h)]));
                std::vector<double> total(kLanes);
                for (int64_t t = 0; t < visible; t++) {
                    double dot = 0;
                    for (int64_t d = 0; d < kLanes; d++) {
                        dot += static_cast<double>(q[static_cast<size_t>((row * kHeads + h) * kLanes + d)]) *
                               kv[static_cast<size_t>((b * kKeys + t) * kLanes + d)];
                    }
                    const double weight = std::exp(dot * 0.05);
                    sum += weight;
                    for (int64_t d = 0; d < kLanes; d++) {
                        total[static_cast<size_t>(d)] += weight * kv[static_cast<size_t>((b * kKeys + t) * kLanes + d)];
                    }
                }
                for (double v : total) {
                    want.push_back(static_cast<float>(v / sum));
                }
            }
        }
        Session s;
        const Dims q_dims = packed ? Dims{kBatch * kQueries, kHeads, kLanes} : Dims{kBatch, kQueries, kHeads, kLanes};
        Ten tq = b16(q_dims, q), tkv = b16(packed ? Dims{kBatch * kKeys, 1, kLanes} : Dims{kBatch, kKeys, 1, kLanes}, kv);
        Ten starts = i32({3}, {0, 2, 4}), ends = i32({3}, {0, 5, 10}), tsinks = f32({kHeads}, sinks);
        Ten metadata = empty(ACL_INT32, {1024}, 4), out = empty(ACL_BF16, q_dims, 2), lse = empty(ACL_FLOAT, {1}, 4);
        char* layout = packed ? tnd : bsnd;
        const aclTensor* prefix = packed ? starts.get() : nullptr;
        const aclTensor* key_prefix = packed ? ends.get() : nullptr;
        const int64_t mask = packed ? 3 : 0;
        EQUAL(CALL(s, aclnnSparseFlashMlaMetadata, prefix, key_prefix, nullptr, nullptr, nullptr, nullptr, nullptr,
                   nullptr, nullptr, kHeads, 1, kLanes, packed ? 0 : kBatch, 0, 0, 0, 0, 0, 1, mask, 0, -1, -1, layout,
                   layout, true, false, metadata),
              0);
        EQUAL(CALL(s, aclnnSparseFlashMla, tq, tkv, nullptr, nullptr, nullptr, nullptr, nullptr, prefix, key_prefix,
                   nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, tsinks, metadata, 0.05, 1, mask, 0, -1,
                   -1, layout, layout, 1, false, out, lse),
              0);
        NEAR(out.floats(), want, 0.004);
    }
}

void stale_metadata() {
    const AttentionCase c;
    Session s;
    Attention a(c);
    EQUAL(a.plan(s, true), 0);
    const std::vector<int32_t> longer{151, 9};
    a.lengths.set(longer.data());
    CHECK(a.run(s, true) != 0);
    s.broken();
}

/** Rows of a cache written by the epilog: decoded lanes and the mixed attention that reads them. */
void mixed_attention(int64_t mode) {
    AttentionCase c;
    Session s;
    const int64_t bytes_row = mode == 1 ? 608 : 584;
    std::vector<Ten> caches;
    for (std::vector<float>* values : {&c.ori, &c.cmp}) {
        const int64_t rows = static_cast<int64_t>(values->size()) / kLanes;
        const int64_t skipped = values == &c.ori ? 100 : 70;  // in blocks that no sequence owns
        std::vector<int32_t> slots;
        for (int32_t r = 0; r < rows; r++) {
            slots.push_back(r == skipped ? -1 : r);
        }
        Ten x = b16({rows, kLanes}, *values), slot = i32({rows}, slots);
        Ten cache = empty(ACL_UINT8, {rows / AttentionCase::kBlock, AttentionCase::kBlock, 1, bytes_row}, 1);
        EQUAL(CALL(s, aclnnKvCompressEpilog, cache, x, slot, 64, mode - 1, true, 1.0F), 0);
        const std::vector<uint8_t> raw = cache.raw<uint8_t>();
        for (int64_t r = 0; r < rows; r++) {
            const uint8_t* row = &raw[static_cast<size_t>(r * bytes_row)];
            const uint8_t* nope = mode == 1 ? row + 128 : row;
            const uint8_t* rope = mode == 1 ? row : row + 448;
            if (r == skipped) {
                CHECK(row[0] == 0xFF && row[100] == 0xFF);
                continue;
            }
            for (int64_t d = 0; d < kLanes; d++) {
                float& value = (*values)[static_cast<size_t>(r * kLanes + d)];
                if (d >= 448) {
                    CHECK(value == from_bf16(static_cast<uint16_t>(rope[2 * (d - 448)] | rope[2 * (d - 448) + 1] << 8)));
                    continue;
                }
                const float scale = mode == 1 ? from_bf16(static_cast<uint16_t>(row[576 + 2 * (d / 64)] |
                                                                                row[577 + 2 * (d / 64)] << 8))
                                              : std::ldexp(1.0F, row[576 + d / 64] - 127);
                const float decoded = e4m3(nope[d]) * scale;
                if (std::fabs(decoded - value) > std::fmax(std::fabs(value) / 16, scale / 256)) {
                    check(false, "epilog lane " + std::to_string(d), __FILE__, __LINE__);
                    return;
                }
                value = decoded;
            }
        }
        caches.push_back(std::move(cache));
    }
    Attention a(c);
    EQUAL(CALL(s, aclnnMixedQuantSparseFlashMlaMetadata, a.starts, nullptr, nullptr, nullptr, a.lengths, a.entries,
               a.residual, nullptr, nullptr, AttentionCase::kHeads, 1, kLanes, mode, 0, 0, 0, 0, 0,
               AttentionCase::kTopk, 64, 4, 4, 3, 127, 0, tnd, paged, true, true, a.metadata),
          0);
    EQUAL(CALL(s, aclnnMixedQuantSparseFlashMla, a.q, caches[0], caches[1], nullptr, a.chosen, a.ori_table,
               a.cmp_table, a.starts, nullptr, nullptr, nullptr, a.lengths, a.entries, a.residual, nullptr, nullptr,
               a.sinks, a.metadata, mode, 64, static_cast<double>(c.scale), 4, 4, 3, 127, 0, tnd, paged, 1, false,
               a.out, nullptr),
          0);
    NEAR(a.out.floats(), c.expected(true, 127), 0.004);
}

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
    sparse_attention();
    other_layouts();
    stale_metadata();
    mixed_attention(1);
    mixed_attention(2);
    hyper_connections();
    hyper_connection_rules();
    rotary();
    compressor();
    indexer();
    quant_indexer();
    caches();
    std::printf("%d failures\n", failures);
    return failures == 0 ? 0 : 1;
}
