// Arithmetic and conversions of PTX. Approximations are played by the nearest value: what the hardware gives differs from it
// within the bounds of the ISA.
#ifndef WEFT_CUDA_PTX_FLOATS_H
#define WEFT_CUDA_PTX_FLOATS_H

#include <math.h>

#include "weft/cuda/ptx_integers.h"

namespace weft::ptx {

template <class To, class From>
inline To bits(From from) {
    static_assert(sizeof(To) == sizeof(From));
    To to;
    __builtin_memcpy(&to, &from, sizeof to);
    return to;
}

/** The NaN that every operation on f32 has as its result; of f64 the ISA says only that it is one. */
constexpr u32 F32_NAN = 0x7fffffff;
inline float canonical(float a) { return a != a ? bits<float>(F32_NAN) : a; }
inline double canonical(double a) { return a; }

inline float fma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
inline double fma(double a, double b, double c) { return __builtin_fma(a, b, c); }
inline float sqrt(float a) { return __builtin_sqrtf(a); }
inline double sqrt(double a) { return __builtin_sqrt(a); }
inline float abs(float a) { return __builtin_fabsf(a); }
inline double abs(double a) { return __builtin_fabs(a); }

// Of a number and a NaN the number; -0 is less than +0.
template <class T>
inline T lesser(T a, T b) {
    return a != a ? b : b != b ? a : a < b ? a : b < a ? b : __builtin_signbit(a) ? a : b;
}
template <class T>
inline T greater(T a, T b) {
    return a != a ? b : b != b ? a : a > b ? a : b > a ? b : __builtin_signbit(a) ? b : a;
}
inline float min(float a, float b) { return lesser(a, b); }
inline double min(double a, double b) { return lesser(a, b); }
inline float max(float a, float b) { return greater(a, b); }
inline double max(double a, double b) { return greater(a, b); }

/** A sum and what its rounding lost, exactly. */
struct Sum {
    double value, lost;
};
inline Sum exact_sum(double a, double b) {
    const double sum = a + b, part = sum - a;
    return {sum, (a - (sum - part)) + (b - part)};
}

/** fma rounded to the float below. */
inline float fma_down(float a, float b, float c) {
    const double product = static_cast<double>(a) * b;  // exact
    const Sum sum = exact_sum(product, c);
    const float near = static_cast<float>(sum.value);
    if (!__builtin_isfinite(sum.value)) {
        return near;
    }
    if (sum.value == 0) {
        return __builtin_signbit(product) || __builtin_signbit(c) ? -0.0f : 0.0f;
    }
    return static_cast<double>(near) - sum.value > sum.lost ? __builtin_nextafterf(near, -INFINITY) : near;
}

/** 2^a, of the nearest double. */
inline float ex2(float a) { return static_cast<float>(__builtin_exp2(static_cast<double>(a))); }
/** The same, subnormal arguments and results taken for 0. */
inline float ex2_ftz(float a) {
    const float out = ex2(a);
    return out < 0x1p-126f ? 0.0f : out;
}

/** rcp.approx.ftz.f64: the upper half of the reciprocal. */
inline double rcp_approx(double a) {
    const bool is_zero = abs(a) < 0x1p-1022;
    const double out = 1 / (is_zero ? __builtin_copysign(0.0, a) : a);
    const double whole = abs(out) < 0x1p-1022 ? __builtin_copysign(0.0, a) : out;
    return out != out ? out : bits<double>(bits<u64>(whole) & 0xffffffff00000000u);
}

inline float saturated(float a) { return a > 0 ? (a < 1 ? a : 1.0f) : 0.0f; }

inline float round_even(float a) { return __builtin_rintf(a); }
inline double round_even(double a) { return __builtin_rint(a); }
inline float round_to_zero(float a) { return __builtin_truncf(a); }
inline double round_to_zero(double a) { return __builtin_trunc(a); }
inline float round_down(float a) { return __builtin_floorf(a); }
inline double round_down(double a) { return __builtin_floor(a); }
inline float round_up(float a) { return __builtin_ceilf(a); }
inline double round_up(double a) { return __builtin_ceil(a); }

/**
 * The nearest integer there is. A NaN becomes 0 where source and result have 32 bits, else the highest bit alone, as the ISA
 * says.
 */
template <class T, class F>
inline T to_integer(F a) {
    constexpr int width = 8 * sizeof(T);
    constexpr bool is_signed = static_cast<T>(-1) < T{0};
    const T highest = static_cast<T>(T{1} << (width - 1));
    if (a != a) {
        return sizeof(F) < 8 && width < 64 ? T{0} : highest;
    }
    const F least = is_signed ? static_cast<F>(highest) : F{0};
    const F above = 2 * abs(static_cast<F>(T{1} << (width - 2))) * (is_signed ? 1 : 2);
    return a <= least ? (is_signed ? highest : T{0}) : a >= above ? static_cast<T>(is_signed ? ~highest : ~T{0}) : static_cast<T>(a);
}

// ---- formats of 16 and 8 bits

/** Rounds to the nearest, ties to even, a float cut to its upper 16 bits; NaN becomes 0x7fff. */
inline u16 to_bf16(float a) {
    const u32 code = bits<u32>(a);
    return a != a ? 0x7fff : static_cast<u16>((code + 0x7fff + (code >> 16 & 1)) >> 16);
}
inline float from_bf16(u32 code) { return bits<float>(code << 16); }

/** The first becomes the upper half. */
inline u32 bf16x2(float upper, float lower) { return static_cast<u32>(to_bf16(upper)) << 16 | to_bf16(lower); }

/** A float that lies as its argument to all numbers of fewer bits: cut off, with the last bit set if anything was lost. */
inline float to_odd(Sum sum) {
    const float near = static_cast<float>(sum.value);
    const double over = static_cast<double>(near) - sum.value;  // exact
    if (!__builtin_isfinite(near) || (over == 0 && sum.lost == 0)) {
        return near;
    }
    const bool is_larger = over > sum.lost || (over == 0 && sum.lost < 0);
    const bool is_outward = is_larger == (sum.value > 0);
    const float cut = is_outward ? __builtin_nextafterf(near, 0.0f) : near;
    return bits<float>(bits<u32>(cut) | 1);
}

/** a b + c with one rounding. */
inline u16 fma_bf16(u32 a, u32 b, u32 c) {
    const double product = static_cast<double>(from_bf16(a)) * from_bf16(b), added = from_bf16(c);  // exact
    const Sum sum = exact_sum(product, added);
    return __builtin_isfinite(sum.value) ? to_bf16(to_odd(sum)) : to_bf16(static_cast<float>(sum.value));
}
inline u32 fma_bf16x2(u32 a, u32 b, u32 c) {
    return static_cast<u32>(fma_bf16(a >> 16, b >> 16, c >> 16)) << 16 |
           fma_bf16(a & 0xffff, b & 0xffff, c & 0xffff);
}
inline u32 mul_bf16x2(u32 a, u32 b) { return bf16x2(from_bf16(a >> 16) * from_bf16(b >> 16), from_bf16(a) * from_bf16(b)); }

/** Of a float with `fraction` bits behind the point and exponents from `least`; the sign apart. Ties go to even. */
inline u32 small_code(double magnitude, int fraction, int least) {
    if (magnitude == 0) {
        return 0;
    }
    int exponent = __builtin_ilogb(magnitude);
    exponent = exponent < least ? least : exponent;
    const u32 units = static_cast<u32>(__builtin_rint(__builtin_ldexp(magnitude, fraction - exponent)));
    return units + (static_cast<u32>(exponent - least) << fraction);  // a carry goes into the exponent
}

inline u16 to_f16(float a) {
    const u16 sign = static_cast<u16>(bits<u32>(a) >> 16 & 0x8000);
    if (a != a) {
        return 0x7fff;
    }
    const double magnitude = abs(static_cast<double>(a));
    return static_cast<u16>(sign | (magnitude >= 65520 ? 0x7c00 : small_code(magnitude, 10, -14)));
}
inline float from_f16(u16 code) {
    const int exponent = code >> 10 & 31, fraction = code & 1023;
    const float magnitude = exponent == 31  ? (fraction == 0 ? INFINITY : bits<float>(F32_NAN))
                            : exponent == 0 ? __builtin_ldexpf(static_cast<float>(fraction), -24)
                                            : __builtin_ldexpf(static_cast<float>(fraction + 1024), exponent - 25);
    return code & 0x8000 ? -magnitude : magnitude;
}

/** Beyond the largest number becomes the largest; there are no infinities. */
inline u8 to_e4m3(float a) {
    const u32 sign = bits<u32>(a) >> 24 & 0x80;
    if (a != a) {
        return 0x7f;
    }
    const double magnitude = abs(static_cast<double>(a));
    return static_cast<u8>(sign | (magnitude >= 448 ? 0x7e : small_code(magnitude, 3, -6)));
}
inline float from_e4m3(u32 code) {
    const int exponent = static_cast<int>(code >> 3 & 15), fraction = static_cast<int>(code & 7);
    const float magnitude = (code & 127) == 127 ? bits<float>(F32_NAN)
                            : exponent == 0     ? __builtin_ldexpf(static_cast<float>(fraction), -9)
                                                : __builtin_ldexpf(static_cast<float>(fraction + 8), exponent - 10);
    return code & 0x80 ? -magnitude : magnitude;
}
/** The first becomes the upper byte. */
inline u16 e4m3x2(float upper, float lower) { return static_cast<u16>(to_e4m3(upper) << 8 | to_e4m3(lower)); }
/** Every number of E4M3 is one of binary16. */
inline u32 f16x2_of_e4m3x2(u32 codes) {
    return static_cast<u32>(to_f16(from_e4m3(codes >> 8 & 0xff))) << 16 | to_f16(from_e4m3(codes & 0xff));
}

}  // namespace weft::ptx

#endif
