// The instructions of ptx.h one by one: against the codecs of small_floats.cuh, which were written apart from them, and against
// what the PTX ISA says of the limits.
#include <cmath>
#include <cstdio>
#include <random>

#include "weft/cuda/ptx.h"
#include "weft/cuda/small_floats.cuh"

namespace {

int failures = 0;

void expect(bool holds, const char *what, double input) {
    if (!holds && failures++ < 20) {
        std::printf("%s is wrong for %.17g\n", what, input);
    }
}

#define EXPECT(condition) expect((condition), #condition, 0)

void formats() {
    using namespace weft;
    for (u32 code = 0; code < 65536; code++) {
        float bf = bf16_to_float(code), half = f16_to_float(code);
        expect(ptx::bits<u32>(ptx::from_bf16(code)) == ptx::bits<u32>(bf), "from_bf16", code);
        expect(ptx::from_f16(static_cast<u16>(code)) == half || (half != half && ptx::from_f16(static_cast<u16>(code)) != half),
               "from_f16", code);
    }
    for (u32 code = 0; code < 256; code++) {
        float value = e4m3_to_float(code);
        expect(ptx::from_e4m3(code) == value || value != value, "from_e4m3", code);
        expect(std::isnan(ptx::from_e4m3(code)) == ((code & 127) == 127), "from_e4m3", code);
    }
    // every exponent with all upper fractions: all numbers of the formats, halfway between them and beside that
    for (u32 high = 0; high < 65536; high++) {
        for (u32 low : {0u, 1u, 0x0fffu, 0x1000u, 0x1001u, 0x7fffu, 0x8000u, 0x8001u, 0xffffu}) {
            float x = ptx::bits<float>(high << 16 | low);
            if (x != x) {
                expect(ptx::to_e4m3(x) == 0x7f && ptx::to_bf16(x) == 0x7fff && ptx::to_f16(x) == 0x7fff, "NaN", high);
                continue;
            }
            expect(ptx::to_bf16(x) == float_to_bf16(x), "to_bf16", static_cast<double>(x));
            expect(ptx::to_f16(x) == float_to_f16(x), "to_f16", static_cast<double>(x));
            expect(ptx::to_e4m3(x) == float_to_e4m3(x), "to_e4m3", static_cast<double>(x));
        }
    }
    EXPECT(ptx::bf16x2(1, 2) == 0x3f804000 && ptx::e4m3x2(1, 2) == 0x3840);
    EXPECT(ptx::f16x2_of_e4m3x2(0x7e01) == 0x5f001800 && ptx::f16x2_of_e4m3x2(0x88ff) == 0xa4007fff);
}

void fused_bf16() {
    using namespace weft;
    EXPECT(ptx::fma_bf16x2(0x3f804000, 0x40003f80, 0x00003f80) == 0x40004040);
    // 1 + 2^-8 is halfway between two numbers; how far below it the third term is must not be lost
    const u32 one = 0x3f80, half_unit = 0x3b80, tiny = 0x0080, minus_one = 0xbf80;
    EXPECT(ptx::fma_bf16(half_unit, one, one) == 0x3f80);
    EXPECT(ptx::fma_bf16(0x3b81, one, one) == 0x3f81);
    EXPECT(ptx::fma_bf16(0x3f88, 0x3f88, ptx::to_bf16(-0.12890625f)) == ptx::to_bf16(1.0625f * 1.0625f - 0.12890625f));
    EXPECT(ptx::fma_bf16(tiny, one, one) == one && ptx::fma_bf16(tiny, minus_one, one) == one);
    EXPECT(ptx::fma_bf16(0x7f7f, 0x7f7f, 0x7f7f) == 0x7f80 && ptx::fma_bf16(0x7f80, 0, one) == 0x7fff);
    std::mt19937 random(1);
    for (int i = 0; i < 200000; i++) {
        // of like magnitude, so that the sum is exact in binary64
        auto number = [&] { return (random() & 0x80ff) | (120 + random() % 16) << 7; };
        u32 a = number(), b = number(), c = number();
        double exact = static_cast<double>(ptx::from_bf16(a)) * static_cast<double>(ptx::from_bf16(b)) +
                       static_cast<double>(ptx::from_bf16(c));
        double found = ptx::from_bf16(ptx::fma_bf16(a, b, c));
        double up = ptx::from_bf16((ptx::fma_bf16(a, b, c) + 1) & 0xffff), down = ptx::from_bf16(ptx::fma_bf16(a, b, c) - 1);
        if (exact != 0) {
            expect(std::abs(found - exact) <= std::abs(up - exact) && std::abs(found - exact) <= std::abs(down - exact),
                   "fma_bf16", exact);
        }
    }
}

void floats() {
    using namespace weft;
    const float nan = NAN;
    EXPECT(ptx::min(nan, 1.0f) == 1 && ptx::max(1.0f, nan) == 1 && std::isnan(ptx::max(nan, nan)));
    EXPECT(ptx::bits<u32>(ptx::canonical(-nan)) == 0x7fffffff && ptx::canonical(-1.5f) == -1.5f);
    EXPECT(std::signbit(ptx::min(0.0f, -0.0f)) && !std::signbit(ptx::max(-0.0f, 0.0f)));
    EXPECT(ptx::saturated(nan) == 0 && ptx::saturated(2) == 1 && ptx::saturated(-1) == 0 && ptx::saturated(0.25f) == 0.25f);
    EXPECT(ptx::fma_down(1, 1, 0x1p-30f) == 1 && ptx::fma_down(1, 1, -0x1p-30f) == 0x1.fffffep-1f);
    EXPECT(ptx::fma_down(0x1.000002p0f, 0x1.000002p0f, 0) == 0x1.000004p0f && ptx::fma_down(3, 5, 7) == 22);
    EXPECT(ptx::ex2(-126.5f) > 0x1p-127f && ptx::ex2_ftz(-126.5f) == 0 && ptx::ex2_ftz(3) == 8);
    EXPECT(ptx::rcp_approx(4.0) == 0.25 && ptx::rcp_approx(0.0) == INFINITY && ptx::rcp_approx(-1e-310) == -INFINITY);
    EXPECT(std::abs(ptx::rcp_approx(3.0) - 1.0 / 3) < 1e-6 && (ptx::bits<u64>(ptx::rcp_approx(3.0)) & 0xffffffff) == 0);
    EXPECT(ptx::to_integer<int>(nan) == 0 && ptx::to_integer<unsigned>(-1.0f) == 0);
    EXPECT(ptx::to_integer<int>(1e30f) == 0x7fffffff && ptx::to_integer<int>(-1e30f) == -0x7fffffff - 1);
    EXPECT(ptx::to_integer<ptx::s64>(static_cast<double>(nan)) == -0x7fffffffffffffff - 1);
    EXPECT(ptx::to_integer<ptx::u64>(1e30) == ~0ull && ptx::to_integer<ptx::u64>(0x1p63) == 1ull << 63);
    EXPECT(ptx::round_even(2.5) == 2 && ptx::round_to_zero(-2.5) == -2 && ptx::round_up(0.1) == 1);
}

void integers() {
    using namespace weft::ptx;
    EXPECT(shl(1u, 31) == 0x80000000 && shl(1u, 32) == 0 && shl(u64{1}, 63) == 1ull << 63 && shl(u16{1}, 16) == 0);
    EXPECT(shr(0x80000000u, 32) == 0 && shr(-8, 1) == -4 && shr(-8, 99) == -1 && shr(s64{-1}, 64) == -1 && shr(8, 40) == 0);
    EXPECT(mul_hi(-1, 1) == -1 && mul_hi(0xffffffffu, 0xffffffffu) == 0xfffffffe && mul_hi(s64{-1}, s64{2}) == -1);
    EXPECT(mul_wide(-2, 3) == -6 && mul_wide(0xffffffffu, 2u) == 0x1fffffffeull);
    const int least = -0x7fffffff - 1;
    EXPECT(weft::ptx::div(-7, 2) == -3 && rem(-7, 2) == -1 && weft::ptx::div(least, -1) == least && rem(-5, -1) == 0);
    EXPECT(prmt(0x33221100, 0x77665544, 0x7531) == 0x77553311 && prmt(0x00008000, 0, 0x9890) == 0xff00ff00);
    EXPECT(bfi(0xffu, 0u, 4, 8) == 0xff0 && bfi(0u, ~0u, 28, 8) == 0x0fffffff && bfi(1u, 5u, 0, 0) == 5);
    EXPECT(bfe(0xabcdu, 4, 8) == 0xbc && bfe(0x80, 4, 4) == -8 && bfe(-1, 31, 0) == 0 && bfe(-1, 40, 4) == -1);
    EXPECT(brev(1) == 0x80000000 && brev(0x0000000f) == 0xf0000000 && popc(0xf0f0u) == 8 && clz(1u) == 31 && clz(0ull) == 64);
    EXPECT(bfind_shiftamt(0) == 0xffffffff && bfind_shiftamt(1) == 31 && bfind_shiftamt(0x80000000) == 0);
}

}  // namespace

int main() {
    formats();
    fused_bf16();
    floats();
    integers();
    std::printf("%d failures\n", failures);
    return failures != 0;
}
