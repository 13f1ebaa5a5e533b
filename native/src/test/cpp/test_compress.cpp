// Compression at every level the processor has: against double precision, and bit for bit across numbers of threads and
// cuts of a sequence into steps. Exits with 1 at the first failures.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "fixture.h"

namespace {

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

/** A step without rows changes nothing. */
void test_empty() {
    context = std::string(weft_isa_name(isa)) + " empty";
    const int64_t width = 32;
    for (const Step &step : {Step({}), Step({{0, 5, 5}, {1, 9, 9}})}) {
        Tensor kv(WEFT_F32, {0, width}), ring(WEFT_F32, {SLOTS_ALL, 8, width}), cache(WEFT_F32, {9, 3, width});
        Tensor ape(WEFT_F32, {4, width}), norm(WEFT_F32, {width}), positions = integers({});
        Tensor starts = integers(step.starts), slot = slots(step), pages = page_table(step, 3);
        run(WEFT_COMPRESS, {4, 0, 0, 0, 0, word(1e-6), 0},
            {&kv, &kv, &ape, &norm, &ring, &ring, &cache, &positions, &starts, &slot, &pages}, {});
    }
}

void test_level() {
    for (int64_t dtype : {int64_t(WEFT_F32), int64_t(WEFT_BF16)}) {
        test_compress({dtype, WEFT_F32, 4, 1, 128, 64});
        test_compress({dtype, WEFT_BF16, 4, 1, 32, 16});
        test_compress({dtype, WEFT_F32, 16, 0, 80, 16});
        test_compress({dtype, WEFT_F32, 3, 0, 21, 6});
        test_compress({dtype, WEFT_BF16, 32, 0, 272, 16});
    }
    test_empty();
}

}  // namespace

int main() {
    return test_levels(test_level);
}
