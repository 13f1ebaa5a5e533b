// Attention on paged caches, plain and quantised, against values computed here in double.
#include "aclnnop/aclnn_kv_compress_epilog.h"
#include "aclnnop/aclnn_mixed_quant_sparse_flash_mla.h"
#include "aclnnop/aclnn_mixed_quant_sparse_flash_mla_metadata.h"
#include "aclnnop/aclnn_sparse_flash_mla.h"
#include "aclnnop/aclnn_sparse_flash_mla_metadata.h"
#include "operators.h"

#include <algorithm>

using namespace operators;

namespace {

constexpr int64_t kLanes = 512;

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

}  // namespace

int main() {
    sparse_attention();
    other_layouts();
    stale_metadata();
    mixed_attention(1);
    mixed_attention(2);
    std::printf("%d failures\n", failures);
    return failures == 0 ? 0 : 1;
}
