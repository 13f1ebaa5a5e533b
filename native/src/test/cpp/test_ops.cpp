// Row kernels at every level the processor has: against the formulas of their contracts, bit for bit across numbers of
// rows, positions of a row and numbers of threads, and with guard bytes around every buffer.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "ops_harness.h"

namespace {

/** Extents and layout of one round of tests. */
struct Round {
    int64_t dtype, rows, columns, gap;
    Tensor x() const { return Tensor(dtype, {rows, columns}, gap); }
    Tensor heads() const { return Tensor(dtype, {rows, 3, columns}, gap); }
    Tensor ints(std::function<float(int64_t, int64_t)> f) const { return Tensor(WEFT_I32, {rows}).fill(f); }
};

// ---- copies and elementwise ----

void test_copies(const Round &r) {
    Tensor table = Tensor(r.dtype, {11, 2, r.columns}, r.gap).normal();
    Tensor index = r.ints([](int64_t, int64_t j) { return float(j == 2 ? -1 : j == 3 ? 11 : j * 7 % 11); });
    Call gather{WEFT_GATHER, {}, {table, index, Tensor(WEFT_F32, {r.rows, 2, r.columns}, r.gap)}, 2};
    gather.check_rows({false, true});
    gather.run(2);
    gather.expect(0, [&](int64_t i, int64_t j) {
        int32_t from = index.integer(0, i / 2);
        return from < 0 || from > 10 ? double(NAN) : table.at(from * 2 + i % 2, j);
    });
    Tensor x = r.x().normal(), b = Tensor(r.dtype, {r.rows, 5}, 2).normal();
    Call expand{WEFT_EXPAND, {4}, {x, Tensor(r.dtype, {r.rows, 4, r.columns}, r.gap)}, 1};
    expand.check_rows({true});
    expand.run(2);
    expand.expect(0, [&](int64_t i, int64_t j) { return x.at(i / 4, j); });
    Call concat{WEFT_CONCAT, {}, {x, b, Tensor(r.dtype, {r.rows, r.columns + 5}, r.gap)}, 2};
    concat.run(2);
    concat.expect(0, [&](int64_t i, int64_t j) { return j < r.columns ? x.at(i, j) : b.at(i, j - r.columns); });
    Call slice{WEFT_SLICE, {1, r.columns - 1}, {x, Tensor(r.dtype, {r.rows, r.columns - 2}, r.gap)}, 1};
    slice.run(2);
    slice.expect(0, [&](int64_t i, int64_t j) { return x.at(i, j + 1); });
}

void test_ring(const Round &r) {
    // two sequences, the first longer than the ring; the second starts at position 9
    const int64_t capacity = 4, cut = r.rows * 2 / 3;
    Tensor ring = Tensor(r.dtype, {3, capacity, r.columns}, r.gap).normal(), rows = r.x().normal();
    Tensor positions = r.ints([&](int64_t, int64_t j) { return float(j < cut ? j : j - cut + 9); });
    Tensor starts = Tensor(WEFT_I32, {3});
    starts.fill([&](int64_t, int64_t j) { return float(j == 0 ? 0 : j == 1 ? cut : r.rows); });
    Tensor slots = Tensor(WEFT_I32, {2}).fill([](int64_t, int64_t j) { return j == 0 ? 2.0f : 0.0f; });
    std::vector<std::vector<float>> expected;
    for (int64_t i = 0; i < ring.rows(); i++) {
        expected.emplace_back();
        for (int64_t j = 0; j < r.columns; j++) {
            expected.back().push_back(ring.at(i, j));
        }
    }
    for (int64_t i = 0; i < r.rows; i++) {
        for (int64_t j = 0; j < r.columns; j++) {
            int64_t slot = i < cut ? 2 : 0;
            expected[size_t(slot * capacity + positions.integer(0, i) % capacity)][size_t(j)] = rows.at(i, j);
        }
    }
    Call call{WEFT_RING_WRITE, {}, {ring, rows, positions, starts, slots}, 0};
    std::vector<weft_operand> operands;
    for (Tensor &t : call.tensors) {
        operands.push_back(t.operand(0, t.dims[0]));
    }
    operands.push_back(operands[0]);
    run_command(WEFT_RING_WRITE, {}, operands, 3);
    check(call.tensors[0].guarded(), "nothing is written outside of the ring");
    call.expect(0, [&](int64_t i, int64_t j) { return expected[size_t(i)][size_t(j)]; });
}

void test_elementwise(const Round &r) {
    Tensor a = r.heads().normal(), b = r.heads().normal();
    for (int64_t op : {int64_t(WEFT_ADD), int64_t(WEFT_MUL)}) {
        Call call{op, {}, {a, b, r.heads()}, 2};
        call.check_rows({true, true});
        call.run(2);
        call.expect(0, [&](int64_t i, int64_t j) {
            float x = a.at(i, j), y = b.at(i, j);
            return rounded(r.dtype, op == WEFT_ADD ? x + y : x * y);
        });
    }
    Call scale{WEFT_SCALE, {word(double(0.3f))}, {a, r.heads()}, 1};
    scale.run(2);
    scale.expect(0, [&](int64_t i, int64_t j) { return rounded(r.dtype, a.at(i, j) * 0.3f); });
    for (int64_t dtype : {WEFT_F32, WEFT_BF16}) {
        Call cast{WEFT_CAST, {}, {a, Tensor(dtype, a.dims, r.gap)}, 1};
        cast.run(2);
        cast.expect(0, [&](int64_t i, int64_t j) { return rounded(dtype, a.at(i, j)); });
    }
    for (bool weighted : {false, true}) {
        Tensor g = r.x().normal(4), u = r.x().normal(4), w = Tensor(WEFT_F32, {r.rows}).normal();
        Call call{WEFT_SWIGLU, {word(3), weighted}, {g, u}, size_t(weighted ? 3 : 2)};
        if (weighted) {
            call.tensors.push_back(w);
        }
        call.tensors.push_back(r.x());
        call.check_rows({true, true, true});
        call.run(2);
        call.expect(1, [&](int64_t i, int64_t j) {
            double gate = std::min(g.at(i, j), 3.0f), up = std::clamp(u.at(i, j), -3.0f, 3.0f);
            return (weighted ? w.at(0, i) : 1.0) * gate / (1 + std::exp(-gate)) * up;
        });
    }
}

void test_rotary(const Round &r) {
    const int64_t dim = std::min<int64_t>(r.columns / 2 * 2, 22);
    std::vector<float> f(static_cast<size_t>(dim / 2));
    for (size_t i = 0; i < f.size(); i++) {
        f[i] = 1 / std::pow(10000.0f, float(2 * i) / float(dim));
    }
    // angles on both sides of what the vector sine reduces itself
    Tensor x = r.heads().normal();
    Tensor positions = r.ints([](int64_t, int64_t j) { return float(j * (j % 2 == 0 ? 4099 : 400009)); });
    for (int64_t inverse : {0, 1}) {
        Call call{WEFT_ROTARY, {dim, reinterpret_cast<int64_t>(f.data()), 0, inverse}, {x, positions, r.heads()}, 2};
        call.check_rows({true, true});
        call.run(2);
        call.expect(0, [&](int64_t i, int64_t j) {
            int64_t lane = j - (r.columns - dim);
            if (lane < 0) {
                return x.at(i, j);
            }
            float angle = float(positions.integer(0, i / 3)) * f[size_t(lane / 2)];
            float c = float(std::cos(double(angle))), s = float(std::sin(double(angle))) * (inverse ? -1 : 1);
            float own = x.at(i, j) * c, other = x.at(i, lane % 2 ? j - 1 : j + 1) * s;
            return rounded(r.dtype, lane % 2 ? other + own : own - other);
        });
    }
}

/** Commands on one pool, which remembers factors, against each on a pool of its own. */
void test_rotary_memo() {
    constexpr int64_t dim = 8;
    context = std::string(weft_isa_name(isa)) + " remembered rotary factors";
    std::vector<float> frequencies[3] = {{1, 0.5f, 0.25f, 0.125f}, {1, 0.1f, 0.01f, 0.001f}, {3, 2, 1, 0.5f}};
    std::vector<float> reused = frequencies[0];
    struct Use {
        std::vector<float> *list;
        int64_t first, rows;
        float changed;  // of the list's second frequency
    };
    const Use uses[] = {{&frequencies[0], 7, 4, 0.5f},  {&frequencies[0], 7, 4, 0.5f}, {&frequencies[0], 8, 4, 0.5f},
                        {&frequencies[1], 8, 4, 0.1f},  {&frequencies[0], 8, 4, 0.5f}, {&frequencies[0], 8, 3, 0.5f},
                        {&frequencies[2], 8, 4, 2},     {&frequencies[0], 8, 4, 0.5f}, {&frequencies[1], 8, 4, 0.1f},
                        {&reused, 8, 4, 0.5f},          {&reused, 8, 4, 0.75f},        {&frequencies[0], 0, 1100, 0.5f},
                        {&frequencies[0], 8, 4, 0.5f}};
    weft_pool *pool = weft_pool_create(2);
    for (int64_t inverse : {0, 1}) {
        for (const Use &use : uses) {
            (*use.list)[1] = use.changed;
            Tensor x = Tensor(WEFT_F32, {use.rows, 2, 16}).normal();
            Tensor positions(WEFT_I32, {use.rows});
            positions.fill([&](int64_t, int64_t j) { return float(use.first + j); });
            Call own{WEFT_ROTARY, {dim, reinterpret_cast<int64_t>(use.list->data()), 0, inverse}, {x, positions, x}, 2};
            Call shared = own;
            own.run(1);
            std::vector<weft_operand> operands;
            for (Tensor &t : shared.tensors) {
                operands.push_back(t.operand(0, t.dims[0]));
            }
            const int64_t bytes = weft_workspace(isa, WEFT_ROTARY, own.attributes.data(), operands.data(), 3, 2);
            std::vector<float> workspace(size_t(bytes) / sizeof(float) + 1, NAN);
            const weft_command command = {WEFT_ROTARY, own.attributes.data(), operands.data(), workspace.data()};
            check(weft_run(pool, isa, &command, 1) == 0, "there is a kernel");
            check(shared.result().memory == own.result().memory, "the bits of a pool that remembers nothing");
        }
    }
    weft_pool_destroy(pool);
}

// ---- rows ----

void test_norms(const Round &r) {
    Tensor x = r.heads().normal();
    auto mean_square = [&](int64_t i, bool narrow) {
        double sum = 0;
        for (int64_t j = 0; j < r.columns; j++) {
            float square = x.at(i, j) * x.at(i, j);
            sum += narrow ? rounded(WEFT_BF16, square) : square;
        }
        return sum / double(r.columns);
    };
    for (int64_t dtype : {WEFT_F32, WEFT_BF16}) {
        Tensor w = Tensor(dtype, {r.columns}).normal();
        Call call{WEFT_RMS_NORM, {word(1e-6)}, {x, w, r.heads()}, 2};
        call.check_rows({true, false});
        call.run(2);
        call.expect(1, [&](int64_t i, int64_t j) {
            return w.at(0, j) * x.at(i, j) / std::sqrt(mean_square(i, false) + 1e-6);
        });
    }
    Call head{WEFT_HEAD_NORM, {word(1e-6)}, {x, r.heads()}, 1};
    head.check_rows({true});
    head.run(2);
    // the mean may fall on the other side of a BF16 rounding: two units
    head.expect(r.dtype == WEFT_BF16 ? 2 : 1, [&](int64_t i, int64_t j) {
        if (r.dtype == WEFT_F32) {
            return x.at(i, j) / std::sqrt(mean_square(i, false) + 1e-6);
        }
        float m = rounded(WEFT_BF16, rounded(WEFT_BF16, float(mean_square(i, true))) + 1e-6f);
        return double(rounded(WEFT_BF16, x.at(i, j) * rounded(WEFT_BF16, 1 / std::sqrt(m))));
    });
}

void test_quantize(const Round &r, int64_t dtype, int64_t block) {
    Tensor x = Tensor(r.dtype, {r.rows, 3 * block + 5}, r.gap + 3).normal(20);
    Tensor whole = Tensor(r.dtype, {r.rows, 3 * block}, r.gap);
    for (int64_t i = 0; i < r.rows; i++) {
        x.set(i, 1, i == 1 ? NAN : i == 2 ? -INF : i == 3 ? 1e38f : 0.25f);
        for (int64_t j = block; i % 2 == 0 && j < 2 * block; j++) {
            x.set(i, j, i == 0 ? 0.0f : x.at(i, j) * 1e-30f);
        }
    }
    whole.fill([&](int64_t i, int64_t j) { return x.at(i, j); });
    const float floor = dtype == WEFT_F8_E4M3 ? 1e-4f : 6 * 0x1p-126f;
    auto scale = [&](int64_t i, int64_t b) {
        float most = floor;
        for (int64_t j = b * block; j < (b + 1) * block; j++) {
            if (!std::isfinite(x.at(i, j))) {
                return 255;
            }
            most = std::max(most, std::fabs(x.at(i, j)));
        }
        int exponent;
        float mantissa = std::frexp(most * (dtype == WEFT_F8_E4M3 ? 1.0f / 448 : 1.0f / 6), &exponent);
        return exponent - (mantissa == 0.5f) + 127;
    };
    auto code = [&](int64_t i, int64_t j) {
        int s = scale(i, j / block);
        bool wide = dtype == WEFT_F8_E4M3;
        return s == 255 ? uint8_t(wide ? 0x7F : 0) : encode(dtype, x.at(i, j) / e8m0(uint8_t(s)));
    };
    Call call{WEFT_QUANTIZE, {}, {whole, Tensor(dtype, whole.dims, r.gap / 2 * 2, 1, block)}, 1};
    call.check_rows({true});
    call.run(2);
    Tensor fake = Tensor(r.dtype, x.dims, r.gap);
    Call faked{WEFT_FAKE_QUANTIZE, {dtype, block, 3 * block}, {x, fake}, 1};
    faked.check_rows({true});
    faked.run(2);
    for (int64_t i = 0; i < r.rows; i++) {
        for (int64_t j = 0; j < 3 * block; j++) {
            check(call.result().code(i, j) == code(i, j), "quantised code");
            check(call.result().scales()[i * 3 + j / block] == scale(i, j / block), "scale byte");
        }
    }
    faked.expect(0, [&](int64_t i, int64_t j) {
        bool copied = j >= 3 * block;
        return copied ? x.at(i, j) : rounded(r.dtype, decode(dtype, code(i, j)) * e8m0(uint8_t(scale(i, j / block))));
    });
}

void test_dequantize(const Round &r, int64_t dtype, int64_t scale_rows, int64_t block) {
    Tensor x = Tensor(dtype, {r.rows, 5, 2 * block + 6}, r.gap / 2 * 2, scale_rows, block).random_codes();
    Call call{WEFT_DEQUANTIZE, {}, {x, Tensor(r.dtype, x.dims, r.gap)}, 1};
    call.run(2);
    call.expect(0, [&](int64_t i, int64_t j) {
        int64_t tile = i / 5 * ((5 + scale_rows - 1) / scale_rows) + i % 5 / scale_rows;
        float factor = e8m0(x.scales()[tile * x.blocks() + j / block]);
        return rounded(r.dtype, decode(dtype, uint8_t(x.code(i, j))) * factor);
    });
}

void test_hadamard(const Round &r) {
    for (int64_t n : {1, 4, 8, 16, 32, 64, 128, 512}) {
        Tensor x = Tensor(r.dtype, {r.rows, n}, r.gap).normal();
        Call call{WEFT_HADAMARD, {}, {x, Tensor(r.dtype, {r.rows, n}, r.gap)}, 1};
        call.check_rows({true});
        call.run(2);
        auto transformed = [&](int64_t i, int64_t j) {
            double sum = 0;
            for (int64_t k = 0; k < n; k++) {
                sum += __builtin_parityll(uint64_t(j & k)) ? -x.at(i, k) : x.at(i, k);
            }
            return sum / std::sqrt(double(n));
        };
        call.expect(1, transformed, 1);
    }
}

void test_softmax(const Round &r) {
    Tensor x = r.x().normal(5);
    for (int64_t j = 0; r.rows > 4 && j < r.columns; j++) {
        x.set(1, j, -INF);
        x.set(2, j, j == 0 ? 1.0f : -INF);
        x.set(3, j, j == 0 ? NAN : -INF);
    }
    Call call{WEFT_SOFTMAX, {}, {x, r.x()}, 1};
    call.check_rows({true});
    call.run(2);
    call.expect(1, [&](int64_t i, int64_t j) {
        double most = -INF, sum = 0;
        for (int64_t k = 0; k < r.columns; k++) {
            most = std::isnan(x.at(i, k)) ? double(NAN) : std::max(most, double(x.at(i, k)));
            if (std::isnan(most)) {
                return most;
            }
        }
        for (int64_t k = 0; k < r.columns; k++) {
            sum += std::exp(x.at(i, k) - most);
        }
        return most == -INF ? 0 : std::exp(x.at(i, j) - most) / sum;
    });
}

/** Columns by descending value, ties ascending, NaN last. */
std::vector<int32_t> ranked(const std::vector<float> &values) {
    std::vector<int32_t> order(values.size());
    for (size_t i = 0; i < order.size(); i++) {
        order[i] = int32_t(i);
    }
    std::stable_sort(order.begin(), order.end(), [&](int32_t a, int32_t b) {
        float x = values[size_t(a)], y = values[size_t(b)];
        return std::isnan(y) ? !std::isnan(x) : x > y;
    });
    return order;
}

void test_top_k(const Round &r) {
    // few different values, so that ties and both zeros occur
    Tensor x = r.x().fill([](int64_t, int64_t) {
        int pick = int(generator() % 7);
        return pick == 0 ? NAN : pick == 1 ? -0.0f : pick == 2 ? -INF : float(pick - 3);
    });
    for (int64_t k : {int64_t(1), r.columns / 2, r.columns}) {
        Call call{WEFT_TOP_K, {k}, {x, Tensor(r.dtype, {r.rows, k}, r.gap), Tensor(WEFT_I32, {r.rows, k}, r.gap)}, 1};
        call.check_rows({true});
        call.run(2);
        for (int64_t i = 0; i < r.rows; i++) {
            std::vector<float> values;
            for (int64_t j = 0; j < r.columns; j++) {
                values.push_back(x.at(i, j));
            }
            std::vector<int32_t> order = ranked(values);
            for (int64_t j = 0; j < k; j++) {
                check(call.result(1).integer(i, j) == order[size_t(j)], "rank of a column");
                check(call.result().code(i, j) == x.code(i, order[size_t(j)]), "value of a column");
            }
        }
    }
}

// ---- experts ----

double score(int64_t form, Tensor &logits, int64_t i, int64_t e) {
    double s = logits.at(i, e);
    if (form == 2) {
        double sum = 0;
        for (int64_t j = 0; j < logits.columns(); j++) {
            sum += std::exp(logits.at(i, j) - s);
        }
        return 1 / sum;
    }
    return form == 1 ? 1 / (1 + std::exp(-s)) : std::sqrt(s > 20 ? s : std::log1p(std::exp(s)));
}

void test_gate(const Round &r, int64_t form, bool hashed) {
    const int64_t experts = 21, k = 6;
    Tensor logits = Tensor(WEFT_F32, {r.rows, experts}, r.gap).normal(8);
    Tensor bias = Tensor(WEFT_F32, {experts}).normal();
    if (r.rows > 2) {
        logits.set(1, 4, NAN);
        for (int64_t e = 0; e < experts; e++) {
            logits.set(2, e, 30.0f);
        }
        bias.fill([](int64_t, int64_t) { return 0.5f; });
    }
    Tensor ids = r.ints([](int64_t, int64_t j) { return float(j * 3 % 7); });
    Tensor table = Tensor(WEFT_I32, {7, k}, 2);
    table.fill([&](int64_t i, int64_t j) { return float((i * 5 + j * 8) % experts); });
    Call call{WEFT_MOE_GATE, {k, form, hashed, word(2.5)}, {logits}, size_t(hashed ? 3 : 2)};
    call.tensors.push_back(hashed ? ids : bias);
    if (hashed) {
        call.tensors.push_back(table);
    }
    call.tensors.push_back(Tensor(WEFT_I32, {r.rows, k}));
    call.tensors.push_back(Tensor(WEFT_F32, {r.rows, k}));
    call.check_rows({true, hashed, false});
    call.run(2);
    for (int64_t i = 0; i < r.rows; i++) {
        std::vector<float> values;
        for (int64_t e = 0; e < experts; e++) {
            values.push_back(float(score(form, logits, i, e)) + bias.at(0, e));
        }
        std::vector<int32_t> chosen = ranked(values);
        chosen.resize(size_t(k));
        for (int64_t j = 0; hashed && j < k; j++) {
            chosen[size_t(j)] = table.integer(ids.integer(0, i), j);
        }
        std::sort(chosen.begin(), chosen.end());
        double sum = 0;
        for (int32_t e : chosen) {
            sum += score(form, logits, i, e);
        }
        for (int64_t j = 0; j < k; j++) {
            double expected = score(form, logits, i, chosen[size_t(j)]) / (form == 2 ? 1 : sum) * 2.5;
            double found = call.result(1).at(i, j);
            check(call.result().integer(i, j) == chosen[size_t(j)], "chosen expert");
            // softmax: the rounding of a logit's distance from the greatest, up to some 40, becomes a relative error
            check(std::isnan(expected) ? std::isnan(found) : std::fabs(found - expected) <= 4e-6 * expected + 1e-30,
                  "weight: found " + std::to_string(found) + ", expected " + std::to_string(expected));
        }
    }
}

/** Experts from 1 to 8 of 10; those elsewhere follow. */
void test_experts(const Round &r, int64_t dtype) {
    const int64_t experts = 8, first = 1, k = 3, columns = dtype == WEFT_F8_E4M3 ? 300 : 1100, pairs = r.rows * k;
    Tensor x = Tensor(dtype, {r.rows, columns}, r.gap, dtype == WEFT_F8_E4M3, dtype == WEFT_F8_E4M3 ? 128 : 0);
    dtype == WEFT_F8_E4M3 ? x.random_codes() : x.normal();
    Tensor ids = Tensor(WEFT_I32, {r.rows, k}).fill([](int64_t i, int64_t j) { return float(i * 5 % 7 - 1 + j * 2); });
    Tensor weights = Tensor(WEFT_F32, {r.rows, k}).normal();
    Tensor sorted = Tensor(dtype, {pairs, columns}, r.gap, x.scale_rows, x.scale_columns);
    Tensor sorted_weights(WEFT_F32, {pairs}), sources(WEFT_I32, {pairs}), offsets(WEFT_I32, {experts + 1});
    Call call{WEFT_MOE_DISPATCH, {experts, first}, {x, ids, weights, sorted, sorted_weights, sources, offsets}, 3};
    call.run(3);
    int64_t p = 0;
    for (int32_t e = 0; e <= experts; e++) {
        check(call.result(3).integer(0, e) == p, "first row of an expert");
        for (int64_t i = 0; i < r.rows; i++) {
            for (int64_t c = 0; c < k; c++) {
                const int64_t here = ids.integer(i, c) - first;
                if ((here >= 0 && here < experts ? here : experts) != e) {
                    continue;
                }
                check(call.result(2).integer(0, p) == i * k + c, "source");
                check(call.result(1).at(0, p) == weights.at(i, c), "weight of a copy");
                for (int64_t j = 0; j < columns; j++) {
                    check(call.result().code(p, j) == x.code(i, j), "copied element");
                }
                check(std::memcmp(call.result().scales() + (x.scale_rows ? p * x.blocks() : 0),
                                  x.scales() + (x.scale_rows ? i * x.blocks() : 0),
                                  size_t(x.scale_rows ? x.blocks() : 0)) == 0, "copied scales");
                p++;
            }
        }
    }
    check(p == pairs, "all pairs are placed");
    if (dtype == WEFT_F8_E4M3) {
        return;
    }
    Tensor y = sorted.normal(), shared = Tensor(dtype, {r.rows, columns}, r.gap).normal();
    Tensor source = call.result(2);
    Call combine{WEFT_MOE_COMBINE, {}, {y, source, shared, Tensor(dtype, {r.rows, columns}, r.gap)}, 3};
    combine.run(3);
    std::vector<int64_t> place(static_cast<size_t>(pairs));
    for (int64_t q = 0; q < pairs; q++) {
        place[size_t(source.integer(0, q))] = q;
    }
    combine.expect(0, [&](int64_t i, int64_t j) {
        float sum = 0;
        for (int64_t c = 0; c < k; c++) {
            sum += y.at(place[size_t(i * k + c)], j);
        }
        return rounded(dtype, sum + shared.at(i, j));
    });
}

void test_round(const Round &r) {
    test_copies(r);
    test_ring(r);
    test_elementwise(r);
    test_rotary(r);
    test_norms(r);
    test_hadamard(r);
    test_softmax(r);
    test_top_k(r);
    for (int64_t block : {32, 64, 128}) {
        test_quantize(r, WEFT_F8_E4M3, block);
        test_quantize(r, WEFT_F4_E2M1, block);
    }
    test_dequantize(r, WEFT_F8_E4M3, 1, 64);
    test_dequantize(r, WEFT_F8_E4M3, 3, 16);
    test_dequantize(r, WEFT_F4_E2M1, 1, 32);
    for (int64_t form : {0, 1, 2}) {
        test_gate(r, form, false);
        test_gate(r, form, true);
    }
    test_experts(r, r.dtype);
    test_experts(r, WEFT_F8_E4M3);
}

void test_level() {
    test_rotary_memo();
    for (int64_t dtype : {WEFT_F32, WEFT_BF16}) {
        const Round rounds[] = {{dtype, 0, 24, 0}, {dtype, 1, 7, 0}, {dtype, 5, 83, 6}, {dtype, 37, 128, 0}};
        for (const Round &r : rounds) {
            context = std::string(weft_isa_name(isa)) + (dtype == WEFT_F32 ? " F32 [" : " BF16 [") +
                      std::to_string(r.rows) + ", " + std::to_string(r.columns) + "]";
            test_round(r);
        }
    }
}

}  // namespace

int main() {
    return test_levels(test_level);
}
