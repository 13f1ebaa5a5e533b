// Attention at every level the processor has: against double precision, and bit for bit across numbers of threads and
// cuts of a sequence into steps. Exits with 1 at the first failures.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "fixture.h"

namespace {

struct AttentionCase {
    int64_t dtype, heads, width, window, ring, ratio, reach;
};

void test_attention(const AttentionCase &c) {
    context = std::string(weft_isa_name(isa)) + " attention dtype " + std::to_string(c.dtype) + " heads " +
              std::to_string(c.heads) + " width " + std::to_string(c.width) + " reach " + std::to_string(c.reach);
    std::mt19937 random(7);
    const int64_t lengths[SEQUENCES] = {95, 21, 150};
    const int64_t per_page = 3, most = 32, top = 9;
    const double scale = 1 / std::sqrt(double(c.width));
    auto queries = histories(random, c.dtype, lengths, c.heads * c.width, 2);
    auto latents = histories(random, c.dtype, lengths, c.width);
    Tensor sink = Tensor(WEFT_F32, {c.heads}).random(random, 3);
    Tensor cache = Tensor(c.dtype, {most * SEQUENCES, per_page, c.width}).fill(NAN);
    std::vector<Tensor> picks;
    for (int64_t s = 0; s < SEQUENCES; s++) {
        for (int64_t j = 0; j < lengths[s] / c.ratio; j++) {
            auto [p, e] = entry_place(s, j, per_page, most);
            for (int64_t k = 0; k < c.width; k++) {
                cache.set(p, e * c.width + k, std::normal_distribution<double>()(random));
            }
        }
        picks.emplace_back(WEFT_I32, std::vector<int64_t>{lengths[s], top});
        for (int64_t p = 0; p < lengths[s]; p++) {
            for (int64_t k = 0; k < top; k++) {
                const int64_t entries = (p + 1) / c.ratio;
                picks.back().set(p, k, entries == 0 || random() % 4 == 0 ? -1 : double(random() % uint64_t(entries)));
            }
        }
    }
    std::vector<Tensor> whole;
    for (const auto &steps : cuts(lengths)) {
        for (const Step &step : steps) {
            Tensor q = rows_of(step, queries, c.dtype, {0, c.heads, c.width});
            Tensor kv = rows_of(step, latents, c.dtype, {0, c.width});
            Tensor ring = ring_of(step, latents, c.dtype, c.ring);
            Tensor positions = integers(step.row_position), starts = integers(step.starts), slot = slots(step);
            Tensor pages = page_table(step, most);
            Tensor picked = rows_of(step, picks, WEFT_I32, {0, top});
            Tensor y(c.dtype, {step.rows(), c.heads, c.width});
            std::vector<Tensor *> operands = {&q, &kv, &ring, &sink, &positions, &starts, &slot};
            if (c.reach != 0) {
                operands.insert(operands.end(), {&cache, &pages});
            }
            if (c.reach == 2) {
                operands.push_back(&picked);
            }
            operands.push_back(&y);
            run(WEFT_SPARSE_ATTENTION, {c.window, c.ratio, c.reach, word(scale)}, operands, {operands.size() - 1});
            if (steps.size() == 1) {
                for (int64_t s = 0; s < SEQUENCES; s++) {
                    whole.emplace_back(c.dtype, std::vector<int64_t>{lengths[s], c.heads * c.width});
                }
            }
            for (int64_t i = 0; i < step.rows(); i++) {
                const int64_t s = step.row_sequence[size_t(i)], p = step.row_position[size_t(i)];
                if (steps.size() != 1) {
                    check(y.codes(i, 0, y.inner) == whole[size_t(s)].codes(p, 0, y.inner),
                          "cut changes bits at position " + std::to_string(p));
                    continue;
                }
                for (int64_t j = 0; j < y.inner; j++) {
                    whole[size_t(s)].set(p, j, y.at(i, j));
                }
                std::vector<std::function<double(int64_t)>> keys;
                for (int64_t k = std::max<int64_t>(0, p - c.window + 1); k <= p; k++) {
                    keys.emplace_back([&, s, k](int64_t x) { return latents[size_t(s)].at(k, x); });
                }
                const int64_t entries = c.reach == 0 ? 0 : c.reach == 1 ? (p + 1) / c.ratio : top;
                for (int64_t e = 0; e < entries; e++) {
                    const auto index = c.reach == 1 ? e : int64_t(picks[size_t(s)].at(p, e));
                    if (index >= 0) {
                        keys.emplace_back([&, s, index](int64_t x) {
                            auto [at, row] = entry_place(s, index, per_page, most);
                            return cache.at(at, row * c.width + x);
                        });
                    }
                }
                for (int64_t h = 0; h < c.heads; h++) {
                    std::vector<double> z, sum(size_t(c.width), 0);
                    double maximum = sink.at(h), largest = 0;
                    for (auto &key : keys) {
                        double dot = 0;
                        for (int64_t x = 0; x < c.width; x++) {
                            dot += q.at(i, h * c.width + x) * key(x);
                        }
                        z.push_back(dot * scale);
                        maximum = std::max(maximum, z.back());
                    }
                    double denominator = std::exp(sink.at(h) - maximum);
                    for (size_t k = 0; k < keys.size(); k++) {
                        const double e = std::exp(z[k] - maximum);
                        denominator += e;
                        for (int64_t x = 0; x < c.width; x++) {
                            sum[size_t(x)] += e * keys[k](x);
                        }
                    }
                    for (double &x : sum) {
                        x /= denominator;
                        largest = std::max(largest, std::abs(x));
                    }
                    const double allowed = (c.dtype == WEFT_F32 ? 1e-5 : 1.0 / 128) * largest + 1e-7;
                    for (int64_t x = 0; x < c.width; x++) {
                        const double found = y.at(i, h * c.width + x);
                        check(std::abs(found - sum[size_t(x)]) <= allowed,
                              "position " + std::to_string(p) + " head " + std::to_string(h) + ": found " +
                                  std::to_string(found) + ", expected " + std::to_string(sum[size_t(x)]));
                    }
                }
            }
        }
    }
}

/** Sinks and scores far apart; a NaN in a key reaches the rows that see it, and no others. */
void test_extremes(int64_t dtype) {
    context = std::string(weft_isa_name(isa)) + " extremes, dtype " + std::to_string(dtype);
    const int64_t rows = 70, heads = 4, width = 33, poisoned = 66;
    std::mt19937 random(11);
    const Step step({{0, 0, rows}});
    Tensor q = Tensor(dtype, {rows, heads, width}).random(random), kv = Tensor(dtype, {rows, width}).random(random);
    Tensor ring(dtype, {SLOTS_ALL, 128, width}), sink(WEFT_F32, {heads}), y(dtype, {rows, heads, width});
    Tensor positions = integers(step.row_position), starts = integers(step.starts), slot = slots(step);
    ring.fill(NAN);
    sink.set(0, 0, -INFINITY);
    sink.set(1, 0, -500);
    sink.set(2, 0, 500);
    sink.set(3, 0, 0);
    for (int64_t i = 0; i < rows; i++) {
        for (int64_t c = 0; c < width; c++) {
            q.set(i, 3 * width + c, 1e4 * kv.at(i, c));  // the own key outweighs all others by e^1000 and more
        }
    }
    kv.set(poisoned, 5, NAN);
    run(WEFT_SPARSE_ATTENTION, {128, 1, 0, word(1)}, {&q, &kv, &ring, &sink, &positions, &starts, &slot, &y}, {7});
    for (int64_t i = 0; i < rows; i++) {
        const std::string at = " at row " + std::to_string(i);
        for (int64_t c = 0; c < width; c++) {
            for (int64_t h = 0; h < heads; h++) {
                check(std::isnan(y.at(i, h * width + c)) == (i >= poisoned), "NaN" + at);
            }
            if (i < poisoned) {
                for (int64_t h = 0; h < 2; h++) {
                    check(i > 0 || y.at(i, h * width + c) == kv.at(i, c), "the only key, without a sink to speak of");
                }
                check(std::abs(y.at(i, 2 * width + c)) < 1e-30, "all weight is the sink's" + at);
                check(y.at(i, 3 * width + c) == kv.at(i, c), "all weight is one key's" + at);
            }
        }
    }
}

void test_refusals() {
    context = std::string(weft_isa_name(isa)) + " refusals";
    const int64_t attributes[] = {9, 20, word(1e-6), word(1e-6)};
    Tensor q(WEFT_I32, {1, 4, 16});
    const weft_operand integer = q.operand();
    check(weft_unsupported(isa, WEFT_SPARSE_ATTENTION, attributes, &integer, 1) != nullptr, "integer queries");
}

/** A step without rows changes nothing. */
void test_empty() {
    context = std::string(weft_isa_name(isa)) + " empty";
    const int64_t width = 32;
    for (const Step &step : {Step({}), Step({{0, 5, 5}, {1, 9, 9}})}) {
        Tensor q(WEFT_F32, {0, 4, width}), kv(WEFT_F32, {0, width}), ring(WEFT_F32, {SLOTS_ALL, 8, width});
        Tensor sink(WEFT_F32, {4}), positions = integers({}), starts = integers(step.starts), slot = slots(step);
        Tensor cache(WEFT_F32, {9, 3, width}), pages = page_table(step, 3), picks(WEFT_I32, {0, 4}), y = q;
        run(WEFT_SPARSE_ATTENTION, {8, 4, 2, word(1)},
            {&q, &kv, &ring, &sink, &positions, &starts, &slot, &cache, &pages, &picks, &y}, {});
    }
}

void test_level() {
    for (int64_t dtype : {int64_t(WEFT_F32), int64_t(WEFT_BF16)}) {
        for (int64_t reach = 0; reach < 3; reach++) {
            test_attention({dtype, 5, 40, 19, 23, 4, reach});
            test_attention({dtype, 8, 64, 128, 128, 2, reach});
        }
        test_attention({dtype, 37, 17, 5, 5, 3, 1});
        test_attention({dtype, 70, 48, 19, 23, 4, 2});  // more heads than an item takes
        test_attention({dtype, 3, 600, 5, 5, 3, 2});    // wider than a pass of the scores
        test_extremes(dtype);
    }
    test_empty();
    test_refusals();
}

}  // namespace

int main() {
    return test_levels(test_level);
}
