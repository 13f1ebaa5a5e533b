// The codecs of small_floats.cuh bit for bit against the definitions of the formats: every code is decoded by its formula,
// and rounding is checked by searching the nearest of all values.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>

#include "weft/cuda/quantize.cuh"
#include "weft/cuda/rotary.cuh"
#include "weft/cuda/small_floats.cuh"
#include "weft/cuda/top_k.cuh"

namespace {

int failures = 0;

bool same(float a, float b) {
    return (std::isnan(a) && std::isnan(b)) || (a == b && std::signbit(a) == std::signbit(b));
}

void expect(bool holds, const char *what, double input, double found, double expected) {
    if (!holds && failures++ < 20) {
        std::printf("%s of %.17g: found %.17g, expected %.17g\n", what, input, found, expected);
    }
}

/** Sign, exponent and mantissa with an IEEE bias. */
struct Format {
    const char *name;
    int exponent_bits;
    int mantissa_bits;
    int bias;
    bool infinities;   // the last exponent holds infinity and NaN
    bool last_is_nan; // only the last code is NaN
    float (*decode)(unsigned);
    unsigned (*encode)(float);

    int bits() const { return 1 + exponent_bits + mantissa_bits; }

    unsigned sign() const { return 1u << (bits() - 1); }

    double value(unsigned code) const {
        const int exponent = static_cast<int>(code & (sign() - 1)) >> mantissa_bits;
        const int mantissa = static_cast<int>(code) & ((1 << mantissa_bits) - 1);
        double magnitude;
        if (infinities && exponent == (1 << exponent_bits) - 1) {
            magnitude = mantissa == 0 ? INFINITY : NAN;
        } else if (last_is_nan && (code & (sign() - 1)) == sign() - 1) {
            magnitude = NAN;
        } else if (exponent == 0) {
            magnitude = std::ldexp(mantissa, 1 - bias - mantissa_bits);
        } else {
            magnitude = std::ldexp((1 << mantissa_bits) + mantissa, exponent - bias - mantissa_bits);
        }
        return (code & sign()) != 0 ? -magnitude : magnitude;
    }

    /** The greatest finite code. */
    unsigned greatest() const {
        unsigned code = sign() - 1;
        while (!std::isfinite(value(code))) {
            code--;
        }
        return code;
    }

    /** The nearest finite code; of two equally near ones that with an even mantissa. */
    unsigned nearest(double x) const {
        const double magnitude = std::fmin(std::fabs(x), value(greatest()));
        unsigned best = 0;
        for (unsigned code = 0; code <= greatest(); code++) {
            const double gain = std::fabs(magnitude - value(best)) - std::fabs(magnitude - value(code));
            if (gain > 0 || (gain == 0 && code % 2 == 0)) {
                best = code;
            }
        }
        return best | (std::signbit(x) ? sign() : 0);
    }
};

void check_decode(const Format &f) {
    for (unsigned code = 0; code < 1u << f.bits(); code++) {
        expect(same(f.decode(code), static_cast<float>(f.value(code))), f.name, code, f.decode(code), f.value(code));
    }
}

/** All values, the points halfway between neighbours and their neighbours in binary32, and values beyond the greatest. */
std::vector<float> interesting(const Format &f) {
    std::vector<float> inputs = {0.0f, -0.0f, 1e-45f, -1e-45f, 1e-38f, 3.4e38f, -3.4e38f, INFINITY, -INFINITY};
    for (unsigned code = 0; code + 1 < f.sign(); code++) {
        const double low = f.value(code);
        const double high = f.value(code + 1);
        if (std::isfinite(low) && std::isfinite(high)) {
            for (const double v : {low, (low + high) / 2, high}) {
                const float x = static_cast<float>(v);
                for (const float y : {x, std::nextafterf(x, 0.0f), std::nextafterf(x, INFINITY)}) {
                    inputs.push_back(y);
                    inputs.push_back(-y);
                }
            }
        }
    }
    std::mt19937 engine(7);
    std::uniform_real_distribution<float> mantissa(1, 2);
    std::uniform_int_distribution<int> exponent(-f.bias - f.mantissa_bits - 2, f.bias + 3);
    for (int i = 0; i < 2000; i++) {
        inputs.push_back(std::ldexp(mantissa(engine), exponent(engine)) * (i % 2 == 0 ? 1.0f : -1.0f));
    }
    return inputs;
}

/** Saturating formats: what lies beyond the greatest value becomes it. E5M2 keeps infinities. */
void check_encode(const Format &f) {
    for (const float x : interesting(f)) {
        const bool kept = std::isinf(x) && f.infinities;
        const unsigned infinity = ((1u << f.exponent_bits) - 1) << f.mantissa_bits;
        const unsigned expected = kept ? infinity | (x < 0 ? f.sign() : 0) : f.nearest(x);
        expect(f.encode(x) == expected, f.name, x, f.encode(x), expected);
    }
}

void check_bf16() {
    for (unsigned code = 0; code < 65536; code++) {
        const float x = weft::bf16_to_float(code);
        const unsigned bits = code << 16;
        float expected;
        std::memcpy(&expected, &bits, 4);
        expect(same(x, expected), "bf16 value", code, x, expected);
        expect(std::isnan(x) ? weft::float_to_bf16(x) == 0x7FFF : weft::float_to_bf16(x) == code, "bf16 code", x,
               weft::float_to_bf16(x), code);
        if ((code & 0x7FFF) >= 0x7F80) {
            continue;
        }
        // up to half a unit down, from half a unit up, the tie to even; a carry may lead to infinity
        for (const unsigned low : {1u, 0x7FFFu, 0x8000u, 0x8001u, 0xFFFFu}) {
            float between;
            const unsigned more = bits | low;
            std::memcpy(&between, &more, 4);
            const bool up = low > 0x8000 || (low == 0x8000 && code % 2 == 1);
            expect(weft::float_to_bf16(between) == code + up, "bf16 rounding", between, weft::float_to_bf16(between),
                   code + up);
        }
    }
    expect(weft::floats_to_bf16(1.0f, -2.0f) == 0xC0003F80u, "bf16 pair", 1, weft::floats_to_bf16(1.0f, -2.0f), 0xC0003F80u);
}

void check_f16() {
    const Format f = {"f16", 5, 10, 15, true, false, weft::f16_to_float, weft::float_to_f16};
    check_decode(f);
    for (unsigned code = 0; code < 0x7BFF; code++) {
        const double half = (f.value(code) + f.value(code + 1)) / 2;
        const float x = static_cast<float>(half);
        expect(weft::float_to_f16(x) == code + code % 2, "f16 tie", x, weft::float_to_f16(x), code + code % 2);
        expect(weft::float_to_f16(std::nextafterf(x, 0)) == code, "f16 below", x, weft::float_to_f16(x), code);
        expect(weft::float_to_f16(-std::nextafterf(x, 1e9f)) == (0x8000 | (code + 1)), "f16 above", x, 0, code + 1);
    }
    expect(weft::float_to_f16(65520.0f) == 0x7C00, "f16 overflow", 65520, weft::float_to_f16(65520.0f), 0x7C00);
    expect(weft::float_to_f16(NAN) == 0x7FFF, "f16 nan", NAN, weft::float_to_f16(NAN), 0x7FFF);
}

void check_e8m0() {
    for (unsigned code = 0; code < 255; code++) {
        const float x = std::ldexp(1.0f, static_cast<int>(code) - 127);
        expect(weft::e8m0_to_float(code) == x, "e8m0 value", code, weft::e8m0_to_float(code), x);
        expect(weft::float_to_e8m0(x) == code, "e8m0 code", x, weft::float_to_e8m0(x), code);
        const float above = std::nextafterf(x, INFINITY);
        expect(weft::float_to_e8m0(above) == code + 1, "e8m0 ceiling", above, weft::float_to_e8m0(above), code + 1);
    }
    expect(std::isnan(weft::e8m0_to_float(255)), "e8m0 value", 255, weft::e8m0_to_float(255), NAN);
    for (const float x : {0.0f, -0.0f, -1.0f, -INFINITY, 1e-45f}) {
        expect(weft::float_to_e8m0(x) == 0, "e8m0 code", x, weft::float_to_e8m0(x), 0);
    }
    for (const float x : {INFINITY, std::nanf(""), 3e38f}) {
        expect(weft::float_to_e8m0(x) == 255, "e8m0 code", x, weft::float_to_e8m0(x), 255);
    }
}

/** A scale is the smallest power of two under which no value of the block exceeds the greatest of the format. */
void check_block_scales() {
    std::mt19937 engine(11);
    std::uniform_real_distribution<float> mantissa(1, 2);
    for (const bool e4m3 : {true, false}) {
        const double greatest = e4m3 ? 448 : 6;
        for (int exponent = -12; exponent < 100; exponent++) {
            const float amax = std::ldexp(mantissa(engine), exponent);
            const unsigned scale = weft::block_scale(weft::magnitude_bits(-amax), e4m3);
            const int expected = static_cast<int>(std::ceil(std::log2(static_cast<double>(amax) / greatest)));
            expect(static_cast<int>(scale) - 127 == expected, "block scale", amax, scale - 127.0, expected);
            expect(weft::inverse_scale(scale) * weft::e8m0_to_float(scale) == 1.0f, "inverse scale", scale,
                   weft::inverse_scale(scale), std::ldexp(1.0, -expected));
        }
    }
    expect(weft::block_scale(weft::magnitude_bits(NAN), true) == 255, "block scale", NAN, 0, 255);
    expect(weft::block_scale(weft::magnitude_bits(-INFINITY), false) == 255, "block scale", -INFINITY, 0, 255);
}

/** F32 of the exact sine and cosine, up to one unit in the last place where the library's double rounds another way. */
void check_rotary() {
    std::mt19937 engine(13);
    std::uniform_real_distribution<float> angle(-1, 1);
    for (int i = 0; i < 20000; i++) {
        const float a = std::ldexp(angle(engine), static_cast<int>(engine() % 32));
        const weft::SineCosine t = weft::sine_and_cosine(a);
        expect(std::fabs(t.sine - std::sin(static_cast<double>(a))) <= 6e-8, "sine", a, t.sine, std::sin(static_cast<double>(a)));
        expect(std::fabs(t.cosine - std::cos(static_cast<double>(a))) <= 6e-8, "cosine", a, t.cosine,
               std::cos(static_cast<double>(a)));
    }
}

void check_order() {
    const float rising[] = {-INFINITY, -3e38f, -1.0f, -1e-45f, 0.0f, 1e-45f, 1.0f, 3e38f, INFINITY};
    for (unsigned i = 0; i + 1 < sizeof rising / sizeof *rising; i++) {
        expect(weft::order_key(rising[i]) < weft::order_key(rising[i + 1]), "order", rising[i], 0, 0);
        expect(same(weft::value_of(weft::order_key(rising[i])), rising[i]), "value of key", rising[i],
               weft::value_of(weft::order_key(rising[i])), rising[i]);
    }
    expect(weft::order_key(-0.0f) == weft::order_key(0.0f), "order", -0.0, 0, 0);
    expect(weft::order_key(NAN) < weft::order_key(-INFINITY), "order", NAN, 0, 0);
    expect(weft::rank_word(5, 1) > weft::rank_word(5, 2) && weft::rank_word(6, 9) > weft::rank_word(5, 0), "rank", 5, 0, 0);
}

}  // namespace

int main() {
    const Format formats[] = {
        {"e4m3", 4, 3, 7, false, true, weft::e4m3_to_float, weft::float_to_e4m3},
        {"e5m2", 5, 2, 15, true, false, weft::e5m2_to_float, weft::float_to_e5m2},
        {"e2m1", 2, 1, 1, false, false, weft::e2m1_to_float, weft::float_to_e2m1},
    };
    for (const Format &f : formats) {
        check_decode(f);
        check_encode(f);
    }
    expect((weft::float_to_e4m3(NAN) & 0x7F) == 0x7F, "e4m3", NAN, weft::float_to_e4m3(NAN), 0x7F);
    expect((weft::float_to_e5m2(NAN) & 0x7F) == 0x7F, "e5m2", NAN, weft::float_to_e5m2(NAN), 0x7F);
    expect(weft::float_to_e2m1(NAN) == 7, "e2m1", NAN, weft::float_to_e2m1(NAN), 7);
    expect(weft::floats_to_e4m3(1.0f, -448.0f) == 0xFE38u, "e4m3 pair", 1, weft::floats_to_e4m3(1.0f, -448.0f), 0xFE38);
    check_bf16();
    check_f16();
    check_e8m0();
    check_block_scales();
    check_rotary();
    check_order();
    std::printf("%d deviations\n", failures);
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
