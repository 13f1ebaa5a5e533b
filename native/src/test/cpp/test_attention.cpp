// Attention, compression, index and hyper-connections at every level the processor has: against double precision, and
// bit for bit across numbers of threads and cuts of a sequence into steps. Exits with 1 at the first failures.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "weft/weft.h"

namespace {

int failures = 0;
int64_t checks = 0;
std::string context;
int32_t isa = 0;

void check(bool holds, const std::string &what) {
    checks++;
    if (!holds && ++failures <= 20) {
        std::printf("FAILED %s: %s\n", context.c_str(), what.c_str());
    }
}

uint32_t bits_of(float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, 4);
    return bits;
}

float float_of(uint32_t bits) {
    float value;
    std::memcpy(&value, &bits, 4);
    return value;
}

/** x rounded to BF16, from the definition: nearest, ties to even. */
double bf16(double x) {
    if (x == 0 || !std::isfinite(x)) {
        return x;
    }
    int exponent;
    std::frexp(x, &exponent);
    const double unit = std::ldexp(1.0, exponent - 8);
    return std::nearbyint(x / unit) * unit;
}

/** A tensor with gaps between the indices of axis 0 and guard bytes behind it. */
class Tensor {
public:
    Tensor(int64_t dtype, std::vector<int64_t> dims, int64_t gap = 3) : dtype(dtype), dims(std::move(dims)), inner(1) {
        for (size_t axis = 1; axis < this->dims.size(); axis++) {
            inner *= this->dims[axis];
        }
        pitch = this->dims.size() == 1 ? 1 : inner + gap;
        bytes.assign(size_t(this->dims[0] * pitch * size() + GUARD), PATTERN);
    }

    int64_t size() const { return dtype == WEFT_BF16 ? 2 : 4; }

    void set(int64_t i, int64_t j, double value) {
        const float f = float(value);
        const uint32_t bits = dtype == WEFT_I32 ? uint32_t(int32_t(value)) : bits_of(f);
        const uint32_t stored = dtype == WEFT_BF16 ? bits_of(float(bf16(f))) >> 16 : bits;
        std::memcpy(&bytes[place(i, j)], &stored, size_t(size()));
    }

    double at(int64_t i, int64_t j = 0) const {
        const uint32_t bits = code(i, j);
        return dtype == WEFT_I32 ? double(int32_t(bits)) : double(float_of(dtype == WEFT_BF16 ? bits << 16 : bits));
    }

    uint32_t code(int64_t i, int64_t j) const {
        uint32_t bits = 0;
        std::memcpy(&bits, &bytes[place(i, j)], size_t(size()));
        return bits;
    }

    std::vector<uint32_t> codes(int64_t i, int64_t from, int64_t to) const {
        std::vector<uint32_t> out;
        for (int64_t j = from; j < to; j++) {
            out.push_back(code(i, j));
        }
        return out;
    }

    Tensor &fill(const std::function<double(int64_t, int64_t)> &value) {
        for (int64_t i = 0; i < dims[0]; i++) {
            for (int64_t j = 0; j < inner; j++) {
                set(i, j, value(i, j));
            }
        }
        return *this;
    }

    Tensor &fill(double value) {
        return fill([value](int64_t, int64_t) { return value; });
    }

    Tensor &random(std::mt19937 &random, double scale = 1) {
        std::normal_distribution<double> normal(0, scale);
        return fill([&](int64_t, int64_t) { return normal(random); });
    }

    bool guarded() const {
        std::vector<bool> used(bytes.size());
        for (int64_t i = 0; i < dims[0]; i++) {
            for (int64_t b = 0; b < inner * size(); b++) {
                used[size_t(i * pitch * size() + b)] = true;
            }
        }
        for (size_t b = 0; b < bytes.size(); b++) {
            if (!used[b] && bytes[b] != PATTERN) {
                return false;
            }
        }
        return true;
    }

    weft_operand operand() {
        weft_operand o = {};
        o.data = bytes.data();
        o.dtype = dtype;
        o.rank = int64_t(dims.size());
        o.pitch = pitch;
        std::copy(dims.begin(), dims.end(), o.dims);
        return o;
    }

    int64_t dtype;
    std::vector<int64_t> dims;
    int64_t inner;
    int64_t pitch;
    std::vector<uint8_t> bytes;

private:
    static constexpr int64_t GUARD = 64;
    static constexpr uint8_t PATTERN = 0xA5;

    size_t place(int64_t i, int64_t j) const { return size_t((i * pitch + j) * size()); }
};

Tensor integers(const std::vector<int64_t> &values) {
    Tensor t(WEFT_I32, {int64_t(values.size())});
    t.fill([&](int64_t i, int64_t) { return double(values[size_t(i)]); });
    return t;
}

int64_t word(double value) {
    int64_t w;
    std::memcpy(&w, &value, 8);
    return w;
}

/** Runs one command with 1, 2 and 3 threads on copies of the written operands; all must agree bit for bit. */
void run(int64_t op, const std::vector<int64_t> &attributes, const std::vector<Tensor *> &operands,
         const std::vector<size_t> &written) {
    std::vector<std::vector<uint8_t>> before;
    std::vector<std::vector<uint8_t>> first;
    for (Tensor *t : operands) {
        before.push_back(t->bytes);
    }
    for (int32_t threads = 1; threads <= 3; threads++) {
        std::vector<weft_operand> words;
        for (size_t i = 0; i < operands.size(); i++) {
            operands[i]->bytes = before[i];
            words.push_back(operands[i]->operand());
        }
        const auto count = int64_t(words.size());
        const char *reason = weft_unsupported(isa, op, attributes.data(), words.data(), count);
        check(reason == nullptr, std::string("unsupported: ") + (reason == nullptr ? "" : reason));
        const int64_t bytes = weft_workspace(isa, op, attributes.data(), words.data(), count, threads);
        std::vector<uint8_t> memory(size_t(bytes + 192), 0xFF);  // NaN wherever a kernel reads what it did not write
        auto *workspace = reinterpret_cast<uint8_t *>((reinterpret_cast<uintptr_t>(memory.data()) + 63) / 64 * 64);
        weft_pool *pool = weft_pool_create(threads);
        const weft_command command = {op, attributes.data(), words.data(), workspace};
        check(weft_run(pool, isa, &command, 1) == 0, "weft_run");
        weft_pool_destroy(pool);
        check(std::all_of(workspace + bytes, memory.data() + memory.size(), [](uint8_t b) { return b == 0xFF; }),
              "wrote behind the workspace");
        for (size_t i = 0; i < operands.size(); i++) {
            const bool output = std::find(written.begin(), written.end(), i) != written.end();
            check(operands[i]->guarded(), "guard bytes of operand " + std::to_string(i));
            check(output || operands[i]->bytes == before[i], "changed operand " + std::to_string(i));
            if (threads == 1) {
                first.push_back(operands[i]->bytes);
            }
            check(operands[i]->bytes == first[i], "bits depend on the number of threads");
        }
    }
}

/** Rows [begin, end) of positions of one sequence. */
struct Piece {
    int64_t sequence;
    int64_t begin;
    int64_t end;
};

/** Positions, starts and slots of a step. */
struct Step {
    std::vector<Piece> pieces;
    std::vector<int64_t> starts = {0};
    std::vector<int64_t> row_sequence;
    std::vector<int64_t> row_position;

    explicit Step(std::vector<Piece> from) : pieces(std::move(from)) {
        for (const Piece &piece : pieces) {
            for (int64_t p = piece.begin; p < piece.end; p++) {
                row_sequence.push_back(piece.sequence);
                row_position.push_back(p);
            }
            starts.push_back(int64_t(row_position.size()));
        }
    }

    int64_t rows() const { return int64_t(row_position.size()); }
    int64_t count() const { return int64_t(pieces.size()); }
};

constexpr int64_t SEQUENCES = 3;
constexpr int64_t SLOT_OF[SEQUENCES] = {2, 0, 3};
constexpr int64_t SLOTS_ALL = 4;

Tensor slots(const Step &step) {
    std::vector<int64_t> values;
    for (const Piece &piece : step.pieces) {
        values.push_back(SLOT_OF[piece.sequence]);
    }
    return integers(values);
}

/** Page m of a sequence: scattered, and disjoint between sequences. */
int64_t page(int64_t sequence, int64_t m, int64_t most) {
    return (m * 5 + 3) % most * SEQUENCES + (sequence + m) % SEQUENCES;
}

Tensor page_table(const Step &step, int64_t most) {
    Tensor pages(WEFT_I32, {step.count(), most});
    pages.fill([&](int64_t b, int64_t m) { return double(page(step.pieces[size_t(b)].sequence, m, most)); });
    return pages;
}

/** Entry j of a sequence: page and row of the page. */
std::pair<int64_t, int64_t> entry_place(int64_t sequence, int64_t j, int64_t per_page, int64_t most) {
    return {page(sequence, j / per_page, most), j % per_page};
}

/** Rows of a ring at the beginning of a step: what the steps before left there, NaN elsewhere. */
Tensor ring_of(const Step &step, const std::vector<Tensor> &history, int64_t dtype, int64_t capacity) {
    const int64_t width = history[0].inner;
    Tensor ring(dtype, {SLOTS_ALL, capacity, width});
    ring.fill(NAN);
    for (const Piece &piece : step.pieces) {
        for (int64_t p = std::max<int64_t>(0, piece.begin - capacity); p < piece.begin; p++) {
            for (int64_t c = 0; c < width; c++) {
                ring.set(SLOT_OF[piece.sequence], p % capacity * width + c, history[size_t(piece.sequence)].at(p, c));
            }
        }
    }
    return ring;
}

/** The step's rows of what is known for whole sequences. */
Tensor rows_of(const Step &step, const std::vector<Tensor> &history, int64_t dtype, std::vector<int64_t> dims) {
    dims[0] = step.rows();
    Tensor t(dtype, dims);
    t.fill([&](int64_t i, int64_t j) {
        return history[size_t(step.row_sequence[size_t(i)])].at(step.row_position[size_t(i)], j);
    });
    return t;
}

std::vector<Tensor> histories(std::mt19937 &random, int64_t dtype, const int64_t *lengths, int64_t width,
                              double scale = 1) {
    std::vector<Tensor> all;
    for (int64_t s = 0; s < SEQUENCES; s++) {
        all.push_back(Tensor(dtype, {lengths[s], width}).random(random, scale));
    }
    return all;
}

/** One-shot, and the same positions in steps of uneven size whose sequences come in changing order. */
std::vector<std::vector<Step>> cuts(const int64_t *lengths) {
    std::vector<std::vector<Step>> all;
    all.push_back({Step({{0, 0, lengths[0]}, {1, 0, 0}, {1, 0, lengths[1]}, {2, 0, lengths[2]}})});
    std::vector<Step> steps;
    int64_t done[SEQUENCES] = {};
    for (int64_t round = 0; done[0] < lengths[0] || done[1] < lengths[1] || done[2] < lengths[2]; round++) {
        std::vector<Piece> pieces;
        for (int64_t i = 0; i < SEQUENCES; i++) {
            const int64_t s = (i + round) % SEQUENCES;
            const int64_t size = s == 0 ? 1 + round % 13 : s == 1 ? 7 + round % 3 : round % 2 * 23;
            const int64_t end = std::min(lengths[s], done[s] + size);
            if (end > done[s] || round % 4 == 0) {
                pieces.push_back({s, done[s], end});
            }
            done[s] = end;
        }
        steps.emplace_back(std::move(pieces));
    }
    all.push_back(std::move(steps));
    return all;
}

// ---- attention ----

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

// ---- compress ----

enum Form { PLAIN, FP8, HADAMARD, HADAMARD_FP4 };

/** Nearest value of a format with the given mantissa bits, least normal exponent and maximum; ties to even. */
double narrow(double x, int mantissa, int least_exponent, double maximum) {
    if (x == 0) {
        return 0;
    }
    const double magnitude = std::min(std::abs(x), maximum);
    int exponent;
    std::frexp(magnitude, &exponent);
    const double unit = std::ldexp(1.0, std::max(exponent - 1, least_exponent) - mantissa);
    return std::copysign(std::min(std::nearbyint(magnitude / unit) * unit, maximum), x);
}

void fake_quantize(std::vector<double> &x, int64_t lanes, bool fp8) {
    const int64_t block = fp8 ? 64 : 32;
    for (int64_t from = 0; from < lanes; from += block) {
        float most = fp8 ? 1e-4f : 6 * 0x1p-126f;
        for (int64_t j = from; j < from + block; j++) {
            most = std::max(most, float(std::abs(x[size_t(j)])));
        }
        const float ratio = most * (fp8 ? 1.0f / 448 : 1.0f / 6);
        int exponent;
        const float fraction = std::frexp(ratio, &exponent);
        const double scale = std::ldexp(1.0, fraction == 0.5f ? exponent - 1 : exponent);
        for (int64_t j = from; j < from + block; j++) {
            double &v = x[size_t(j)];
            v = (fp8 ? narrow(v / scale, 3, -6, 448) : narrow(v / scale, 1, 0, 6)) * scale;
        }
    }
}

struct CompressCase {
    int64_t dtype, norm_dtype, ratio, overlap, width, rotary;
};

/** An entry up to the Hadamard transform, in double with the roundings of the contract. */
std::vector<double> expected_entry(const CompressCase &c, const Tensor &k, const Tensor &z, const Tensor &ape,
                                   const Tensor &norm, const std::vector<float> &frequencies, double eps,
                                   int64_t block, bool hadamard) {
    const auto round = [&](double x) { return c.dtype == WEFT_BF16 ? bf16(x) : double(float(x)); };
    std::vector<double> out;
    for (int64_t channel = 0; channel < c.width; channel++) {
        double sum = 0, weighted = 0, most = -INFINITY;
        for (int pass = 0; pass < 2; pass++) {
            for (int64_t r = c.overlap != 0 && block > 0 ? -c.ratio : 0; r < c.ratio; r++) {
                const int64_t column = c.overlap != 0 && r >= 0 ? c.width + channel : channel;
                const int64_t position = block * c.ratio + r;
                const double score = z.at(position, column) + ape.at((r + c.ratio) % c.ratio, column);
                most = pass == 0 ? std::max(most, score) : most;
                if (pass == 1) {
                    sum += std::exp(score - most);
                    weighted += std::exp(score - most) * k.at(position, column);
                }
            }
        }
        out.push_back(round(weighted / sum));
    }
    double squares = 0;
    for (double v : out) {
        squares += v * v;
    }
    for (int64_t j = 0; j < c.width; j++) {
        out[size_t(j)] = round(norm.at(j) * out[size_t(j)] / std::sqrt(squares / double(c.width) + eps));
    }
    for (size_t i = 0; i < frequencies.size(); i++) {
        const float angle = float(block * c.ratio) * frequencies[i];
        double &a = out[size_t(c.width - c.rotary) + 2 * i];
        double &b = out[size_t(c.width - c.rotary) + 2 * i + 1];
        const double x = a, y = b;
        a = round(x * std::cos(double(angle)) - y * std::sin(double(angle)));
        b = round(x * std::sin(double(angle)) + y * std::cos(double(angle)));
    }
    if (hadamard) {
        const std::vector<double> x = out;
        for (int64_t j = 0; j < c.width; j++) {
            double sum = 0;
            for (int64_t i = 0; i < c.width; i++) {
                sum += __builtin_parityll(uint64_t(i & j)) ? -x[size_t(i)] : x[size_t(i)];
            }
            out[size_t(j)] = round(sum / std::sqrt(double(c.width)));
        }
    }
    return out;
}

void test_compress(const CompressCase &c) {
    std::mt19937 random(11);
    const int64_t lengths[SEQUENCES] = {95, 21, 150};
    const int64_t per_page = 3, most = 32, coff = c.overlap != 0 ? 2 : 1, ring = coff * c.ratio + 1;
    const double eps = 1e-6;
    auto k = histories(random, WEFT_F32, lengths, coff * c.width);
    auto z = histories(random, WEFT_F32, lengths, coff * c.width, 3);
    Tensor ape = Tensor(WEFT_F32, {c.ratio, coff * c.width}).random(random);
    Tensor norm = Tensor(c.norm_dtype, {c.width}).random(random);
    std::vector<float> frequencies;
    for (int64_t i = 0; i < c.rotary / 2; i++) {
        frequencies.push_back(float(std::pow(10000.0, -2.0 * double(i) / double(c.rotary))));
    }
    const bool power = (c.width & (c.width - 1)) == 0;
    std::vector<Tensor> unquantized;
    for (int64_t form = PLAIN; form <= (power ? HADAMARD_FP4 : FP8); form++) {
        context = std::string(weft_isa_name(isa)) + " compress dtype " + std::to_string(c.dtype) + " ratio " +
                  std::to_string(c.ratio) + " width " + std::to_string(c.width) + " form " + std::to_string(form);
        if (form == FP8 && (c.width - c.rotary) % 64 != 0) {
            unquantized.emplace_back(c.dtype, std::vector<int64_t>{1});
            continue;
        }
        const std::vector<int64_t> attributes = {
            c.ratio, c.overlap, c.rotary, int64_t(intptr_t(frequencies.data())), 0, word(eps), form};
        std::vector<Tensor> results;
        for (const auto &steps : cuts(lengths)) {
            Tensor cache = Tensor(c.dtype, {most * SEQUENCES, per_page, c.width}).fill(-77);
            for (const Step &step : steps) {
                Tensor ks = rows_of(step, k, WEFT_F32, {0, coff * c.width});
                Tensor zs = rows_of(step, z, WEFT_F32, {0, coff * c.width});
                Tensor k_ring = ring_of(step, k, WEFT_F32, ring), z_ring = ring_of(step, z, WEFT_F32, ring);
                Tensor positions = integers(step.row_position), starts = integers(step.starts), slot = slots(step);
                Tensor pages = page_table(step, most);
                run(WEFT_COMPRESS, attributes,
                    {&ks, &zs, &ape, &norm, &k_ring, &z_ring, &cache, &positions, &starts, &slot, &pages}, {6});
            }
            results.push_back(cache);
        }
        check(results[0].bytes == results[1].bytes, "cut changes bits");
        Tensor &cache = results[0];
        std::vector<bool> emitted(size_t(most * SEQUENCES * per_page));
        for (int64_t s = 0; s < SEQUENCES; s++) {
            for (int64_t block = 0; block < lengths[s] / c.ratio; block++) {
                auto [at, row] = entry_place(s, block, per_page, most);
                emitted[size_t(at * per_page + row)] = true;
                std::vector<double> expected;
                double allowed = 0;
                if (form == FP8 || form == HADAMARD_FP4) {
                    // exact, given the entry before quantisation
                    for (int64_t j = 0; j < c.width; j++) {
                        expected.push_back(unquantized.back().at(at, row * c.width + j));
                    }
                    fake_quantize(expected, form == FP8 ? c.width - c.rotary : c.width, form == FP8);
                } else {
                    expected = expected_entry(c, k[size_t(s)], z[size_t(s)], ape, norm, frequencies, eps, block,
                                              form == HADAMARD);
                    for (double v : expected) {
                        allowed = std::max(allowed, std::abs(v) * (c.dtype == WEFT_BF16 ? 1.0 / 64 : 2e-5));
                    }
                }
                for (int64_t j = 0; j < c.width; j++) {
                    const double found = cache.at(at, row * c.width + j);
                    check(std::abs(found - expected[size_t(j)]) <= allowed,
                          "block " + std::to_string(block) + " lane " + std::to_string(j) + ": found " +
                              std::to_string(found) + ", expected " + std::to_string(expected[size_t(j)]));
                }
            }
        }
        for (size_t e = 0; e < emitted.size(); e++) {
            for (int64_t j = 0; j < c.width && !emitted[e]; j++) {
                check(cache.at(int64_t(e) / per_page, int64_t(e) % per_page * c.width + j) == -77, "partial block");
            }
        }
        unquantized.push_back(cache);
    }
}

// ---- index ----

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
    const Step step({{1, 1370, 1377}, {0, 2 * c.top - 4, 2 * c.top + 6}, {2, 0, 0}, {2, 0, 4}});
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

// ---- hyper-connections ----

double sigmoid(double x) {
    return 1 / (1 + std::exp(-x));
}

std::vector<double> mixes(const Tensor &x, const Tensor &fn, int64_t row, double eps) {
    double squares = 0;
    for (int64_t c = 0; c < x.inner; c++) {
        squares += x.at(row, c) * x.at(row, c);
    }
    std::vector<double> out;
    for (int64_t m = 0; m < fn.dims[0]; m++) {
        double dot = 0;
        for (int64_t c = 0; c < x.inner; c++) {
            dot += x.at(row, c) * fn.at(m, c);
        }
        out.push_back(dot / std::sqrt(squares / double(x.inner) + eps));
    }
    return out;
}

std::vector<double> sinkhorn(std::vector<double> a, int64_t n, int64_t iterations, double eps) {
    const auto divide = [&](int64_t next, int64_t step) {
        for (int64_t j = 0; j < n; j++) {
            double sum = 0;
            for (int64_t k = 0; k < n; k++) {
                sum += a[size_t(j * next + k * step)];
            }
            for (int64_t k = 0; k < n; k++) {
                a[size_t(j * next + k * step)] /= sum + eps;
            }
        }
    };
    for (int64_t j = 0; j < n; j++) {
        double sum = 0;
        for (int64_t k = 0; k < n; k++) {
            sum += std::exp(a[size_t(j * n + k)]);
        }
        for (int64_t k = 0; k < n; k++) {
            a[size_t(j * n + k)] = std::exp(a[size_t(j * n + k)]) / sum + eps;
        }
    }
    divide(1, n);
    for (int64_t i = 1; i < iterations; i++) {
        divide(n, 1);
        divide(1, n);
    }
    return a;
}

void close(double found, double expected, double relative, const std::string &what) {
    check(std::abs(found - expected) <= relative * (std::abs(expected) + 1),
          what + ": found " + std::to_string(found) + ", expected " + std::to_string(expected));
}

/** One row alone must give the bits it gives among others. */
void check_alone(int64_t op, const std::vector<int64_t> &attributes, const std::vector<Tensor *> &operands,
                 size_t row_operands, size_t inputs) {
    const int64_t row = operands[0]->dims[0] - 1;
    std::vector<std::unique_ptr<Tensor>> copies;
    std::vector<Tensor *> single;
    std::vector<size_t> written;
    for (size_t i = 0; i < operands.size(); i++) {
        const bool output = i >= inputs;
        if (i >= row_operands && !output) {
            single.push_back(operands[i]);
            continue;
        }
        auto dims = operands[i]->dims;
        dims[0] = 1;
        copies.push_back(std::make_unique<Tensor>(operands[i]->dtype, dims, 5));
        for (int64_t j = 0; j < operands[i]->inner && !output; j++) {
            copies.back()->set(0, j, operands[i]->at(row, j));
        }
        single.push_back(copies.back().get());
        if (output) {
            written.push_back(i);
        }
    }
    run(op, attributes, single, written);
    for (size_t i : written) {
        check(single[i]->codes(0, 0, single[i]->inner) == operands[i]->codes(row, 0, single[i]->inner),
              "bits of a row depend on the others");
    }
}

void test_hyper(int64_t dtype, int64_t streams, int64_t width, int64_t rows) {
    context = std::string(weft_isa_name(isa)) + " hyper dtype " + std::to_string(dtype) + " streams " +
              std::to_string(streams) + " width " + std::to_string(width) + " rows " + std::to_string(rows);
    std::mt19937 random(17);
    const int64_t n = (2 + streams) * streams, iterations = 20;
    const double eps = 1e-6, rounding = dtype == WEFT_BF16 ? 1.0 / 200 : 2e-5;
    Tensor x = Tensor(dtype, {rows, streams, width}).random(random);
    Tensor fn = Tensor(WEFT_F32, {n, streams * width}).random(random, 1 / std::sqrt(double(streams * width)));
    Tensor scale = Tensor(WEFT_F32, {3}).random(random), base = Tensor(WEFT_F32, {n}).random(random);
    Tensor y(dtype, {rows, width}), post(WEFT_F32, {rows, streams}), comb(WEFT_F32, {rows, streams, streams});
    const std::vector<int64_t> attributes = {streams, iterations, word(eps), word(eps)};
    run(WEFT_HYPER_PRE, attributes, {&x, &fn, &scale, &base, &y, &post, &comb}, {4, 5, 6});
    Tensor head_fn(WEFT_F32, {streams, streams * width}), head_y(dtype, {rows, width});
    head_fn.fill([&](int64_t i, int64_t j) { return fn.at(i, j); });
    const std::vector<int64_t> head_attributes = {streams, word(eps), word(eps)};
    run(WEFT_HYPER_HEAD, head_attributes, {&x, &head_fn, &scale, &base, &head_y}, {4});
    Tensor exit(dtype, {rows, streams, width});
    run(WEFT_HYPER_POST, {}, {&y, &x, &post, &comb, &exit}, {4});
    for (int64_t i = 0; i < rows; i++) {
        const std::vector<double> mix = mixes(x, fn, i, eps);
        std::vector<double> a;
        for (int64_t m = 2 * streams; m < n; m++) {
            a.push_back(mix[size_t(m)] * scale.at(2) + base.at(m));
        }
        a = sinkhorn(a, streams, iterations, eps);
        for (int64_t j = 0; j < streams; j++) {
            const auto m = size_t(streams + j);
            close(post.at(i, j), 2 * sigmoid(mix[m] * scale.at(1) + base.at(streams + j)), 2e-5, "post");
            for (int64_t k = 0; k < streams; k++) {
                close(comb.at(i, j * streams + k), a[size_t(j * streams + k)], 2e-5, "comb");
            }
        }
        for (int64_t c = 0; c < width; c++) {
            double sum = 0;
            for (int64_t j = 0; j < streams; j++) {
                sum += (sigmoid(mix[size_t(j)] * scale.at(0) + base.at(j)) + eps) * x.at(i, j * width + c);
            }
            close(y.at(i, c), sum, rounding, "pre y");
            close(head_y.at(i, c), sum, rounding, "head y");
            for (int64_t k = 0; k < streams; k++) {
                double out = post.at(i, k) * y.at(i, c);
                for (int64_t j = 0; j < streams; j++) {
                    out += comb.at(i, j * streams + k) * x.at(i, j * width + c);
                }
                close(exit.at(i, k * width + c), out, rounding, "post x");
            }
        }
    }
    if (rows > 0) {
        check_alone(WEFT_HYPER_PRE, attributes, {&x, &fn, &scale, &base, &y, &post, &comb}, 1, 4);
        check_alone(WEFT_HYPER_HEAD, head_attributes, {&x, &head_fn, &scale, &base, &head_y}, 1, 4);
        check_alone(WEFT_HYPER_POST, {}, {&y, &x, &post, &comb, &exit}, 4, 4);
    }
}

void test_refusals() {
    context = std::string(weft_isa_name(isa)) + " refusals";
    Tensor x(WEFT_BF16, {1, 9, 16});
    const weft_operand operand = x.operand();
    const int64_t attributes[] = {9, 20, word(1e-6), word(1e-6)};
    check(weft_unsupported(isa, WEFT_HYPER_PRE, attributes, &operand, 1) != nullptr, "nine streams");
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
        Tensor ape(WEFT_F32, {4, width}), norm(WEFT_F32, {width}), w(WEFT_F32, {0, 4});
        run(WEFT_SPARSE_ATTENTION, {8, 4, 2, word(1)},
            {&q, &kv, &ring, &sink, &positions, &starts, &slot, &cache, &pages, &picks, &y}, {});
        run(WEFT_COMPRESS, {4, 0, 0, 0, 0, word(1e-6), 0},
            {&kv, &kv, &ape, &norm, &ring, &ring, &cache, &positions, &starts, &slot, &pages}, {});
        run(WEFT_LIGHTNING_INDEX, {4, 4}, {&q, &w, &cache, &positions, &starts, &pages, &picks}, {});
    }
}

void test_level() {
    for (int64_t dtype : {int64_t(WEFT_F32), int64_t(WEFT_BF16)}) {
        for (int64_t reach = 0; reach < 3; reach++) {
            test_attention({dtype, 5, 40, 19, 23, 4, reach});
            test_attention({dtype, 8, 64, 128, 128, 2, reach});
        }
        test_attention({dtype, 37, 17, 5, 5, 3, 1});
        test_compress({dtype, WEFT_F32, 4, 1, 128, 64});
        test_compress({dtype, WEFT_BF16, 4, 1, 32, 16});
        test_compress({dtype, WEFT_F32, 16, 0, 80, 16});
        test_compress({dtype, WEFT_F32, 3, 0, 21, 6});
        for (const char *values : {"random", "zero", "nan", "negative"}) {
            test_index({dtype, 5, 19, 33}, values);
        }
        test_index({dtype, 8, 32, 1}, "random");
        test_index({dtype, 1, 16, 512}, "random");
        for (int64_t streams : {1, 2, 3, 4, 8}) {
            test_hyper(dtype, streams, 37, 5);
            test_hyper(dtype, streams, 128, 19);
        }
        test_hyper(dtype, 4, 64, 0);
    }
    test_empty();
    test_refusals();
}

}  // namespace

int main() {
    for (isa = 0; isa < weft_isa_count(); isa++) {
        if (weft_isa_usable(isa)) {
            const int64_t before = checks;
            test_level();
            std::printf("%s: %lld checks\n", weft_isa_name(isa), static_cast<long long>(checks - before));
        }
    }
    std::printf("%d failures\n", failures);
    return failures == 0 ? 0 : 1;
}
