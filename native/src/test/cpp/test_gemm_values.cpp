// Matrix products of single values at every level the processor has: all codes of the narrow formats, NaN, infinities, and
// scales far from 1. Exits with 1 at the first failures.
#include "gemm_fixture.h"

namespace {

/** NaN codes and scales, infinities and the smallest scale. */
void test_special(int32_t isa, int64_t xd, int64_t wd) {
    constexpr int64_t n = 20, k = 128;
    context = std::string(weft_isa_name(isa)) + " special values " + name(xd) + " x " + name(wd);
    for (int64_t rows : {1, 9}) {
        Matrix x(xd, rows, k, k, false);
        Matrix w(wd, n, k, k, true);
        for (uint8_t &scale : x.scales) {
            scale = 254;
        }
        for (uint8_t &scale : w.scales) {
            scale = 0;
        }
        auto set = [](Matrix &m, int64_t row, int64_t column, uint32_t f32, uint8_t f8, uint8_t f4) {
            auto *at = m.data.data() + m.bytes(row * m.pitch + column);
            if (m.dtype == WEFT_F32) {
                std::memcpy(at, &f32, 4);
            } else if (m.dtype == WEFT_BF16) {
                std::memcpy(at, reinterpret_cast<char *>(&f32) + 2, 2);
            } else {
                *at = m.dtype == WEFT_F8_E4M3 ? f8 : f4;
            }
        };
        for (int64_t r = 0; r < rows; r++) {
            set(x, r, 0, 0x3F800000, 0x38, 0);
        }
        for (int64_t c = 0; c < n; c++) {
            set(w, c, 0, 0x3F800000, 0x38, 2);  // 1, the second FP4 value of the byte is 0
        }
        if (wd == WEFT_F4_E2M1) {
            w.scales[size_t(3 * k / 32 + 1)] = 255;  // of zero codes
        } else {
            set(w, 3, 64, 0x7FC00000, 0x7F, 0);
        }
        Aligned packed = pack(isa, w);
        weft_operand wo = w.operand();
        wo.data = packed.data();
        wo.scale = nullptr;  // packed with the codes
        Result y(WEFT_F32, rows, n, 0);
        run(isa, WEFT_GEMM, {x.operand(), wo, y.operand()}, 1);
        double want = (x.scales.empty() ? 1 : e8m0(254)) * (w.scales.empty() ? 1 : e8m0(0));
        bool right = true;
        for (int64_t i = 0; i < rows * n; i++) {
            double value = y.at(i / n, i % n);
            right &= i % n == 3 ? std::isnan(value) : value == want;
        }
        check(right, "NaN in column 3 only, else 2^-127 times 2^127");
        set(x, 0, 5, 0x7FC00000, 0x7F, 0);
        run(isa, WEFT_GEMM, {x.operand(), wo, y.operand()}, 1);
        right = true;
        for (int64_t c = 0; c < n; c++) {
            right &= std::isnan(y.at(0, c)) && (rows == 1 || c == 3 || y.at(1, c) == want);
        }
        check(right, "NaN of x stays in its row");
    }
}

/** Every code of one operand, times 1 in the other: results are the codes' values, however many rows there are. */
void test_codes(int32_t isa, int64_t xd, int64_t wd, bool of_x) {
    const int64_t tested = of_x ? xd : wd;
    const int64_t codes = tested == WEFT_F8_E4M3 ? 256 : 16;
    const int64_t k = 128;
    context = std::string(weft_isa_name(isa)) + " codes of " + (of_x ? "x, " : "w, ") + name(xd) + " x " + name(wd);
    auto set = [](Matrix &m, int64_t row, int64_t column, uint8_t code) {
        uint8_t *at = m.data.data() + m.bytes(row * m.pitch + column);
        *at = m.dtype == WEFT_F8_E4M3 ? code : uint8_t(column % 2 == 0 ? (*at & 0xF0) | code : (*at & 15) | code << 4);
    };
    auto one = [&](Matrix &m, int64_t row, int64_t column) {
        const uint16_t bf16_one = 0x3F80;
        if (m.dtype == WEFT_BF16) {
            std::memcpy(m.data.data() + m.bytes(row * m.pitch + column), &bf16_one, 2);
        } else {
            set(m, row, column, m.dtype == WEFT_F8_E4M3 ? 0x38 : 2);
        }
    };
    for (int64_t rows : {1, 2, 4, 8, 11, 45}) {
        for (int64_t first = 0; first < (of_x ? codes : 1); first += rows) {
            Matrix x(xd, rows, k, k, false);
            Matrix w(wd, of_x ? 16 : codes, k, k, true);
            x.scales.assign(x.scales.size(), 127);
            w.scales.assign(w.scales.size(), 127);
            for (int64_t r = 0; r < rows; r++) {
                const int64_t column = (r * 29 + first) % k;
                of_x ? set(x, r, column, uint8_t(first + r)) : one(x, r, column);
            }
            for (int64_t i = 0; i < w.rows * k; i++) {
                of_x ? one(w, i / k, i % k) : set(w, i / k, i % k, uint8_t(i / k));
            }
            Aligned packed = pack(isa, w);
            weft_operand wo = w.operand();
            wo.data = packed.data();
            wo.scale = nullptr;  // packed with the codes
            Result y(WEFT_F32, rows, w.rows, 0);
            run(isa, WEFT_GEMM, {x.operand(), wo, y.operand()}, 1);
            bool right = true;
            for (int64_t i = 0; i < rows * w.rows; i++) {
                const auto code = uint8_t(of_x ? first + i / w.rows : i % w.rows);
                const double want = tested == WEFT_F8_E4M3 ? e4m3(code) : e2m1(code);
                const double value = y.at(i / w.rows, i % w.rows);
                right &= std::isnan(want) ? std::isnan(value) : value == want;
            }
            check(right, "other values than those of the codes, " + std::to_string(rows) + " rows");
        }
    }
}

/** Rows whose scales are far from 1 leave the bits of the rows beside them as they are, and are right themselves. */
void test_extreme_scales(int32_t isa, int64_t wd, std::mt19937 &random) {
    constexpr int64_t n = 33, k = 256;
    const std::vector<uint8_t> scales = {124, 210, 125, 127, 255, 123, 20, 86, 87, 167, 168, 0, 122, 126};
    const auto rows = int64_t(scales.size());
    context = std::string(weft_isa_name(isa)) + " extreme scales x " + name(wd);
    Matrix x(WEFT_F8_E4M3, rows, k, k, false);
    Matrix w(wd, n, k, k, true);
    x.randomise(random);
    w.randomise(random);
    for (int64_t r = 0; r < rows; r++) {
        x.scales[size_t(2 * r + 1)] = scales[size_t(r)];
    }
    Aligned packed = pack(isa, w);
    weft_operand wo = w.operand();
    wo.data = packed.data();
    wo.scale = nullptr;  // packed with the codes
    Result all(WEFT_F32, rows, n, 1);
    run(isa, WEFT_GEMM, {x.operand(), wo, all.operand()}, 1);
    all.check_guards();
    for (int64_t r = 0; r < rows; r++) {
        weft_operand xo = x.operand();
        xo.data = x.data.data() + r * k;
        xo.scale = x.scales.data() + r * x.tiles();
        xo.dims[0] = 1;
        Result one(WEFT_F32, 1, n, 0);
        run(isa, WEFT_GEMM, {xo, wo, one.operand()}, 1);
        compare_rows(all, one, r);
        if (scales[size_t(r)] == 255) {
            check(std::isnan(one.at(0, 0)) && std::isnan(one.at(0, n - 1)), "a NaN scale gives NaN");
        } else {
            Expected(x, w, r, 1, 0, n).compare(one, 0, 1);
        }
    }
}

/** FP4 weights whose scales are far from 1: a row has the bits that it has alone, however many rows there are. */
void test_extreme_weights(int32_t isa, int64_t xd, std::mt19937 &random) {
    constexpr int64_t n = 33, k = 384, rows = 45;
    context = std::string(weft_isa_name(isa)) + " extreme weights, x " + name(xd);
    Matrix x(xd, rows, k, k, false);
    Matrix w(WEFT_F4_E2M1, n, k, k, true);
    x.randomise(random);
    w.randomise(random);
    const int64_t blocks = k / 32;
    const std::vector<uint8_t> codes = {86, 87, 167, 168};
    std::copy(codes.begin(), codes.end(), w.scales.begin() + 17 * blocks + 4);
    // products with row 3 are below the least normal number; those with row 32 are large
    std::fill_n(w.scales.begin() + 3 * blocks, blocks, 6);
    w.scales[32 * blocks] = 200;
    // a NaN scale of zeros
    w.scales[20 * blocks + 2] = 255;
    std::fill_n(w.data.begin() + w.bytes(20 * k + 64), w.bytes(32), uint8_t(0));
    Aligned packed = pack(isa, w);
    weft_operand wo = w.operand();
    wo.data = packed.data();
    wo.scale = nullptr;  // packed with the codes
    Result all(WEFT_F32, rows, n, 1);
    run(isa, WEFT_GEMM, {x.operand(), wo, all.operand()}, 1);
    for (int64_t r = 0; r < rows; r++) {
        weft_operand xo = x.operand();
        xo.data = x.data.data() + x.bytes(r * k);
        xo.scale = x.scales.empty() ? nullptr : x.scales.data() + r * x.tiles();
        xo.dims[0] = 1;
        Result one(WEFT_F32, 1, n, 0);
        run(isa, WEFT_GEMM, {xo, wo, one.operand()}, 1);
        compare_rows(all, one, r);
        bool right = true;
        for (int64_t c = 0; c < n; c++) {
            right &= std::isnan(one.at(0, c)) == (c == 20);
        }
        check(right, "a NaN scale makes its row NaN, no other");
    }
}

}  // namespace

int main() {
    return at_every_level([](int32_t isa) {
        std::mt19937 random(1);
        for (int64_t xd : ACTIVATIONS) {
            for (int64_t wd : WEIGHTS) {
                test_special(isa, xd, wd);
            }
            test_extreme_weights(isa, xd, random);
        }
        for (int64_t wd : WEIGHTS) {
            test_extreme_scales(isa, wd, random);
        }
        for (int64_t xd : {WEFT_BF16, WEFT_F8_E4M3}) {
            test_codes(isa, xd, WEFT_F8_E4M3, false);
            test_codes(isa, xd, WEFT_F4_E2M1, false);
        }
        for (int64_t wd : {WEFT_BF16, WEFT_F8_E4M3, WEFT_F4_E2M1}) {
            test_codes(isa, WEFT_F8_E4M3, wd, true);
        }
    });
}
