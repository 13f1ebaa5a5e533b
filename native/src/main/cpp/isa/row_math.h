// Operations on one row that are operators of their own and steps of the compressor: norm, rotation, Hadamard
// transform, rounding to a narrow format. `from` and `to` may be the same row.
#ifndef WEFT_ROW_MATH_H
#define WEFT_ROW_MATH_H

#include "isa/op_common.h"

namespace weft::WEFT_ISA {

// ---- root mean square ----

/** Sum of f over the row, in an order that depends on its length alone. */
template <class T, class F>
WEFT_INLINE float row_sum(const T *x, int64_t length, const F &f) {
    // independent sums hide the latency of the addition
    constexpr int SUMS = 4;
    vf sums[SUMS] = {};
    int64_t j = 0;
    for (; j + SUMS * W <= length; j += SUMS * W) {
        for (int s = 0; s < SUMS; s++) {
            sums[s] += f(load(x + j + s * W));
        }
    }
    for (; j < length; j += W) {
        sums[0] += f(load_upto(x + j, length - j));
    }
    return hsum((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

WEFT_INLINE float inverse_root(float x) {
    return 1.0f / __builtin_sqrtf(x);
}

/** 1 / sqrt(mean(x^2) + eps). */
template <class T>
WEFT_INLINE float inverse_rms(const T *x, int64_t length, float eps) {
    return inverse_root(row_sum(x, length, [](vf v) { return v * v; }) / (float)length + eps);
}

/** RmsNorm of one row. */
template <class T, class U>
void rms_norm_row(const T *from, const U *weights, T *to, int64_t length, float eps) {
    const float factor = inverse_rms(from, length, eps);
    each_vector(length, [&](int64_t j, int64_t n) __attribute__((always_inline)) {
        store_upto(to + j, load_upto(weights + j, n) * (load_upto(from + j, n) * factor), n);
    });
}

template <class T>
WEFT_INLINE void rms_norm_row(const T *from, const weft_operand &weights, T *to, int64_t length, float eps) {
    if (weights.dtype == WEFT_F32) {
        rms_norm_row(from, static_cast<const float *>(weights.data), to, length, eps);
    } else {
        rms_norm_row(from, static_cast<const bf16 *>(weights.data), to, length, eps);
    }
}

// ---- rotary embedding ----

typedef double vd __attribute__((vector_size(W * 4)));
typedef int64_t vl __attribute__((vector_size(W * 4)));
constexpr int DOUBLES = W / 2;

/** Sum of (-x)^i / (first + 2 i)! for i below `terms`: the series of sine / r or cosine at x = r^2. */
template <int first, int terms>
WEFT_INLINE vd alternating_series(vd x) {
    double factorials[terms];
    double factorial = 1;
    for (int i = 2; i <= first; i++) {
        factorial *= i;
    }
    for (int i = 0; i < terms; i++) {
        factorials[i] = (i % 2 == 0 ? 1 : -1) / factorial;
        factorial *= (double)(first + 2 * i + 1) * (first + 2 * i + 2);
    }
    vd sum = factorials[terms - 1] - vd{};
    for (int i = terms - 2; i >= 0; i--) {
        sum = sum * x + factorials[i];
    }
    return sum;
}

/** Largest angle that sine_and_cosine may reduce: its products with 33-bit parts of pi/2 are exact. */
constexpr float GREATEST_ANGLE = 0x1p20f;

/** Sine and cosine within 1e-13. */
WEFT_INLINE void sine_and_cosine(vd angle, vd &sine, vd &cosine) {
    // adding 1.5 * 2^52 rounds to the nearest integer and leaves it in the low bits
    const vd shifted = angle * 0x1.45f306dc9c883p-1 + 0x1.8p52;
    const vl quarter = (vl)shifted;
    const vd whole = shifted - 0x1.8p52;
    vd r = angle - whole * 0x1.921fb544p0;
    r = r - whole * 0x1.0b4611a6p-34;
    r = r - whole * 0x1.3198a2e037073p-69;
    const vd square = r * r;
    const vd s = r * alternating_series<1, 8>(square);
    const vd c = alternating_series<0, 9>(square);
    const vl odd = -(quarter & 1);
    const vl sine_sign = (quarter & 2) << 62;
    const vl cosine_sign = ((quarter + 1) & 2) << 62;
    sine = (vd)((vl)(odd ? c : s) ^ sine_sign);
    cosine = (vd)((vl)(odd ? s : c) ^ cosine_sign);
}

/** The factors of a position: per lane that of the lane itself, then per lane that of its partner; 2 dim floats. */
WEFT_INLINE void rotary_table(float position, const float *frequencies, int64_t dim, float *table) {
    for (int64_t f = 0; f < dim / 2; f += DOUBLES) {
        const int64_t lanes = least(DOUBLES, dim / 2 - f);
        double angles[DOUBLES] = {};
        bool small = true;
        for (int64_t i = 0; i < lanes; i++) {
            // the model was trained with angles rounded to F32
            const float angle = position * frequencies[f + i];
            angles[i] = (double)angle;
            small &= __builtin_fabsf(angle) <= GREATEST_ANGLE;
        }
        double sines[DOUBLES];
        double cosines[DOUBLES];
        if (small) {
            vd angle;
            __builtin_memcpy(&angle, angles, sizeof angle);
            vd sine;
            vd cosine;
            sine_and_cosine(angle, sine, cosine);
            __builtin_memcpy(sines, &sine, sizeof sine);
            __builtin_memcpy(cosines, &cosine, sizeof cosine);
        } else {
            for (int64_t i = 0; i < lanes; i++) {
                sines[i] = __builtin_sin(angles[i]);
                cosines[i] = __builtin_cos(angles[i]);
            }
        }
        for (int64_t i = 0; i < lanes; i++) {
            const float sine = (float)sines[i];
            float *own = table + 2 * (f + i);
            float *partner = own + dim;
            own[0] = own[1] = (float)cosines[i];
            partner[0] = -sine;
            partner[1] = sine;
        }
    }
}

typedef uint64_t vpair __attribute__((vector_size(W * 4)));

/** Rotates the pairs of `dim` lanes by a rotary table, or back. */
template <bool inverse, class T>
WEFT_INLINE void rotate_lanes(const T *from, T *to, int64_t dim, const float *table) {
    each_vector(dim, [&](int64_t j, int64_t n) __attribute__((always_inline)) {
        const vf v = load_upto(from + j, n);
        const vpair pairs = (vpair)v;
        const vf partner = (vf)(pairs << 32 | pairs >> 32);
        const vf turn = partner * load_upto(table + dim + j, n);
        const vf own = v * load_upto(table + j, n);
        store_upto(to + j, inverse ? own - turn : own + turn, n);
    });
}

// ---- Hadamard transform ----

/** Butterflies of the strides inside a vector that are below `length`. */
template <int stride = 1>
WEFT_INLINE vf lane_butterflies(vf v, int64_t length) {
    if constexpr (stride < W) {
        if (stride < length) {
            vu sign;
            for (int i = 0; i < W; i++) {
                sign[i] = (i & stride) != 0 ? 0x80000000u : 0;
            }
            // the upper lane of a pair gets partner - own
            v = exchange<stride>(v) + as_float(as_bits(v) ^ sign);
        }
        return lane_butterflies<2 * stride>(v, length);
    }
    return v;
}

/** Butterflies of the strides below `length`: that of `vectors` whole vectors, or less than one. */
template <int vectors, class T>
WEFT_INLINE void tile_butterflies(const T *from, int64_t length, vf *v) {
    const int64_t lanes = vectors == 1 ? length : W;
    for (int i = 0; i < vectors; i++) {
        v[i] = lane_butterflies(load_upto(from + i * W, lanes), lanes);
    }
    for (int stride = 1; stride < vectors; stride *= 2) {
        for (int i = 0; i < vectors; i++) {
            if ((i & stride) == 0) {
                const vf a = v[i];
                const vf b = v[i + stride];
                v[i] = a + b;
                v[i + stride] = a - b;
            }
        }
    }
}

/** The whole transform in registers. */
template <int vectors, class T>
void hadamard_tile(const T *from, T *to, int64_t length, float factor) {
    vf v[vectors];
    tile_butterflies<vectors>(from, length, v);
    for (int i = 0; i < vectors; i++) {
        store_upto(to + i * W, v[i] * factor, vectors == 1 ? length : W);
    }
}

constexpr int HADAMARD_TILE = 8;

/** Rows too long for the registers: tiles first, then the long strides in `buffer` [length]. */
template <class T>
void hadamard_long(const T *from, T *to, int64_t length, float factor, float *buffer) {
    constexpr int64_t tile = HADAMARD_TILE * W;
    for (int64_t i = 0; i < length; i += tile) {
        vf v[HADAMARD_TILE];
        tile_butterflies<HADAMARD_TILE>(from + i, tile, v);
        for (int j = 0; j < HADAMARD_TILE; j++) {
            store(buffer + i + j * W, v[j]);
        }
    }
    for (int64_t stride = tile; stride < length; stride *= 2) {
        for (int64_t i = 0; i < length; i += 2 * stride) {
            for (int64_t j = i; j < i + stride; j += W) {
                const vf a = load(buffer + j);
                const vf b = load(buffer + j + stride);
                store(buffer + j, a + b);
                store(buffer + j + stride, a - b);
            }
        }
    }
    for (int64_t i = 0; i < length; i += W) {
        store(to + i, load(buffer + i) * factor);
    }
}

/** Floats of scratch memory that hadamard_row needs. */
WEFT_INLINE int64_t hadamard_scratch(int64_t length) {
    return length > HADAMARD_TILE * W ? length : 0;
}

/** Normalised transform of a row whose length is a power of two. */
template <class T>
WEFT_INLINE void hadamard_row(const T *from, T *to, int64_t length, float *buffer) {
    const float factor = (float)(1.0 / __builtin_sqrt((double)length));
    if (length <= W) {
        hadamard_tile<1>(from, to, length, factor);
    } else if (length == 2 * W) {
        hadamard_tile<2>(from, to, length, factor);
    } else if (length == 4 * W) {
        hadamard_tile<4>(from, to, length, factor);
    } else if (length == HADAMARD_TILE * W) {
        hadamard_tile<HADAMARD_TILE>(from, to, length, factor);
    } else {
        hadamard_long(from, to, length, factor, buffer);
    }
}

// ---- block quantisation ----

/** Scale byte of a block in a format with the greatest value 448 (E4M3) or 6; 255 if it holds a NaN or an infinity. */
template <class T>
WEFT_INLINE uint8_t block_scale(const T *x, int64_t length, bool e4m3) {
    // bits of absolute values have the order of the values, infinity and NaN above all
    vi greatest = {};
    each_vector(length, [&](int64_t j, int64_t n) __attribute__((always_inline)) {
        const vi bits = (vi)as_bits(abs(load_upto(x + j, n)));
        greatest = bits > greatest ? bits : greatest;
    });
    // a NaN makes the maximum NaN or any other lane, so it is looked for first
    if (any(greatest >= 0x7F800000)) {
        return 255;
    }
    const float floor = e4m3 ? 1e-4f : 6 * 0x1p-126f;
    const float most = hmax((vf)greatest);
    return float_to_e8m0_ceiling((most > floor ? most : floor) * (e4m3 ? 1.0f / 448 : 1.0f / 6));
}

/** 1 / scale, exact: the floors keep the scale byte in [1, 253]. */
WEFT_INLINE float inverse_scale(uint8_t scale) {
    return as_float((uint32_t)(254 - scale) << 23);
}

/** Rounds a block to the narrow format and back. */
template <bool E4M3, class T>
WEFT_INLINE void fake_quantize_block(const T *from, T *to, int64_t length) {
    const uint8_t scale = block_scale(from, length, E4M3);
    const float factor = e8m0_to_float(scale);
    // a NaN scale makes every value NaN, whatever the codes
    const float inverse = scale == 255 ? 0.0f : inverse_scale(scale);
    each_vector(length, [&](int64_t j, int64_t n) __attribute__((always_inline)) {
        const vf v = load_upto(from + j, n) * inverse;
        store_upto(to + j, (E4M3 ? decode_e4m3(encode_e4m3(v)) : decode_e2m1(encode_e2m1(v))) * factor, n);
    });
}

/** The first `lanes` lanes in blocks of `block`. */
template <class T>
void fake_quantize_lanes(const T *from, T *to, int64_t lanes, int64_t block, bool e4m3) {
    for (int64_t j = 0; j < lanes; j += block) {
        if (e4m3) {
            fake_quantize_block<true>(from + j, to + j, block);
        } else {
            fake_quantize_block<false>(from + j, to + j, block);
        }
    }
}

/** Stores n codes from an even element on. */
WEFT_INLINE void store_codes(uint8_t *to, bool e4m3, vu codes, int64_t n) {
    const vb bytes = narrow8(codes);
    if (e4m3) {
        __builtin_memcpy(to, &bytes, (uint64_t)n);
        return;
    }
    uint8_t nibbles[W];
    __builtin_memcpy(nibbles, &bytes, W);
    for (int64_t i = 0; i < n; i += 2) {
        to[i / 2] = (uint8_t)(nibbles[i] | nibbles[i + 1] << 4);
    }
}

/** Writes the codes of a block and returns its scale byte. */
template <bool E4M3, class T>
WEFT_INLINE uint8_t quantize_block(const T *from, uint8_t *to, int64_t block) {
    const uint8_t scale = block_scale(from, block, E4M3);
    if (scale == 255) {
        __builtin_memset(to, E4M3 ? 0x7F : 0, (uint64_t)(E4M3 ? block : block / 2));
        return scale;
    }
    const float inverse = inverse_scale(scale);
    each_vector(block, [&](int64_t j, int64_t n) __attribute__((always_inline)) {
        const vf v = load_upto(from + j, n) * inverse;
        store_codes(to + (E4M3 ? j : j / 2), E4M3, E4M3 ? encode_e4m3(v) : encode_e2m1(v), n);
    });
    return scale;
}

/** Codes and scale bytes of one row. */
template <bool E4M3, class T>
void quantize_row(const T *from, uint8_t *to, uint8_t *scales, int64_t columns, int64_t block) {
    for (int64_t c = 0; c < columns; c += block) {
        *scales++ = quantize_block<E4M3>(from + c, to + (E4M3 ? c : c / 2), block);
    }
}

// ---- gated activation ----

/** weight * silu(min(gate, limit)) * clamp(up, limit) of one row. */
template <class T>
WEFT_INLINE void swiglu_row(const T *gate, const T *up, float weight, float limit, T *to, int64_t length) {
    each_vector(length, [&](int64_t j, int64_t n) __attribute__((always_inline)) {
        // the bound stands first in min and max, so that NaN passes
        const vf g = min(broadcast(limit), load_upto(gate + j, n));
        const vf u = max(broadcast(-limit), min(broadcast(limit), load_upto(up + j, n)));
        store_upto(to + j, weight * (g / (1.0f + exp(-g)) * u), n);
    });
}

}  // namespace weft::WEFT_ISA

#endif
