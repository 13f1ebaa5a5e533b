// Index at every level the processor has: against a sort, and bit for bit across numbers of threads. Exits with 1 at
// the first failures.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "fixture.h"

namespace {

struct IndexCase {
    int64_t dtype, heads, width, top;
};

/** Small integers, for which every score is exact: picks must match a sort by score, then entry. */
void test_index(const IndexCase &c, const std::string &values) {
    context = std::string(weft_isa_name(isa)) + " index dtype " + std::to_string(c.dtype) + " heads " +
              std::to_string(c.heads) + " width " + std::to_string(c.width) + " top " + std::to_string(c.top) + " " +
              values;
    std::mt19937 random(13);
    const int64_t ratio = 2, per_page = 7, most = 110, entries = 700;
    const auto digit = [&](int64_t, int64_t) { return values == "zero" ? 0.0 : double(random() % 3) - 1; };
    Tensor keys = Tensor(c.dtype, {most * SEQUENCES, per_page, c.width}).fill(NAN);
    for (int64_t s = 0; s < SEQUENCES; s++) {
        for (int64_t j = 0; j < entries; j++) {
            auto [p, e] = entry_place(s, j, per_page, most);
            for (int64_t x = 0; x < c.width; x++) {
                keys.set(p, e * c.width + x, values == "nan" && j % 5 == 1 ? NAN : digit(0, 0));
            }
        }
    }
    const Step step({{1, 1360, 1380}, {0, 2 * c.top - 4, 2 * c.top + 6}, {2, 0, 0}, {2, 0, 4}});
    Tensor q = Tensor(c.dtype, {step.rows(), c.heads, c.width}).fill(digit);
    Tensor w = Tensor(c.dtype, {step.rows(), c.heads}).fill([&](int64_t, int64_t) {
        return values == "negative" ? -1.0 : (double(random() % 4) - 1) / 2;
    });
    Tensor positions = integers(step.row_position), starts = integers(step.starts), pages = page_table(step, most);
    Tensor picks(WEFT_I32, {step.rows(), c.top});
    run(WEFT_LIGHTNING_INDEX, {c.top, ratio}, {&q, &w, &keys, &positions, &starts, &pages, &picks}, {6});
    for (int64_t i = 0; i < step.rows(); i++) {
        const int64_t n = (step.row_position[size_t(i)] + 1) / ratio;
        std::vector<double> score(static_cast<size_t>(n));
        std::vector<int64_t> order;
        for (int64_t j = 0; j < n; j++) {
            auto [p, e] = entry_place(step.row_sequence[size_t(i)], j, per_page, most);
            for (int64_t h = 0; h < c.heads; h++) {
                double dot = 0;
                for (int64_t x = 0; x < c.width; x++) {
                    dot += q.at(i, h * c.width + x) * keys.at(p, e * c.width + x);
                }
                score[size_t(j)] += (dot < 0 ? 0 : dot) * w.at(i, h);
            }
            double &total = score[size_t(j)];
            total = std::isnan(total) ? -INFINITY : c.dtype == WEFT_BF16 ? bf16(total) : total;
            order.push_back(j);
        }
        std::stable_sort(order.begin(), order.end(),
                         [&](int64_t a, int64_t b) { return score[size_t(a)] > score[size_t(b)]; });
        order.resize(size_t(std::min(n, c.top)));
        std::sort(order.begin(), order.end());
        order.resize(size_t(c.top), -1);
        for (int64_t j = 0; j < c.top; j++) {
            check(int64_t(picks.at(i, j)) == order[size_t(j)],
                  "row " + std::to_string(i) + " of " + std::to_string(n) + " entries, pick " + std::to_string(j) +
                      ": found " + std::to_string(int64_t(picks.at(i, j))) + ", expected " +
                      std::to_string(order[size_t(j)]));
        }
    }
}

/** A step without rows changes nothing. */
void test_empty() {
    context = std::string(weft_isa_name(isa)) + " empty";
    const int64_t width = 32;
    for (const Step &step : {Step({}), Step({{0, 5, 5}, {1, 9, 9}})}) {
        Tensor q(WEFT_F32, {0, 4, width}), w(WEFT_F32, {0, 4}), cache(WEFT_F32, {9, 3, width});
        Tensor positions = integers({}), starts = integers(step.starts), pages = page_table(step, 3);
        Tensor picks(WEFT_I32, {0, 4});
        run(WEFT_LIGHTNING_INDEX, {4, 4}, {&q, &w, &cache, &positions, &starts, &pages, &picks}, {});
    }
}

void test_level() {
    for (int64_t dtype : {int64_t(WEFT_F32), int64_t(WEFT_BF16)}) {
        for (const char *values : {"random", "zero", "nan", "negative"}) {
            test_index({dtype, 5, 19, 33}, values);
        }
        test_index({dtype, 8, 32, 1}, "random");
        test_index({dtype, 1, 16, 512}, "random");
    }
    test_empty();
}

}  // namespace

int main() {
    return test_levels(test_level);
}
