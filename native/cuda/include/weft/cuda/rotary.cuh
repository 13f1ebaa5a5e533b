// Rotary position embedding of a pair of lanes.
#ifndef WEFT_CUDA_ROTARY_CUH
#define WEFT_CUDA_ROTARY_CUH

#include "weft/cuda/call.cuh"

namespace weft {

// Sum of (-x)^i / (FIRST + 2 i)! for i below TERMS: the series of sine / r or cosine at x = r^2.
template <int FIRST, int TERMS>
__device__ __forceinline__ double alternating_series(double x) {
    double sum = 1;
    // Horner's scheme on 1 - x/(a b) (1 - x/(c d) (...)): the divisors are constants
#pragma unroll
    for (int i = TERMS - 1; i >= 1; i--) {
        sum = fma(-x * (1.0 / ((FIRST + 2 * i - 1.0) * (FIRST + 2 * i))), sum, 1.0);
    }
    return sum;
}

struct SineCosine {
    float sine;
    float cosine;
};

// F32 of sine and cosine of an F32 angle, evaluated in F64. Angles reach 2^31 (I32 positions, frequencies up to 1): there
// the product with the first 33 bits of pi/2 is still subtracted exactly, and what the others lose is below 2^-52.
__device__ __forceinline__ SineCosine sine_and_cosine(float angle) {
    const double a = angle;
    const double whole = rint(a * 0x1.45f306dc9c883p-1);
    double r = fma(whole, -0x1.921fb544p0, a);
    r = fma(whole, -0x1.0b4611a6p-34, r);
    r = fma(whole, -0x1.3198a2e037073p-69, r);
    const double square = r * r;
    const double s = r * alternating_series<1, 8>(square);
    const double c = alternating_series<0, 9>(square);
    const i64 quarter = static_cast<i64>(whole);
    const double sine = (quarter & 1) != 0 ? c : s;
    const double cosine = (quarter & 1) != 0 ? s : c;
    return {static_cast<float>((quarter & 2) != 0 ? -sine : sine),
            static_cast<float>(((quarter + 1) & 2) != 0 ? -cosine : cosine)};
}

// Rotates (x0, x1); every product is rounded.
__device__ __forceinline__ void rotate_pair(float &x0, float &x1, const SineCosine &t) {
    const float y0 = x0 * t.cosine - x1 * t.sine;
    x1 = x0 * t.sine + x1 * t.cosine;
    x0 = y0;
}

// Rotates (x0, x1) by position * frequency: the angle is rounded to F32.
__device__ __forceinline__ void rotate_pair(float &x0, float &x1, i32 position, float frequency, bool inverse) {
    const SineCosine t = sine_and_cosine(static_cast<float>(position) * frequency);
    rotate_pair(x0, x1, {inverse ? -t.sine : t.sine, t.cosine});
}

}  // namespace weft

#endif
