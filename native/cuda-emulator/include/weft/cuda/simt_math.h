// CUDA's scalar functions where the host's <math.h> has another name or none. Included by simt.h.
#ifndef WEFT_CUDA_SIMT_MATH_H
#define WEFT_CUDA_SIMT_MATH_H

// ---- bits

template <class To, class From>
inline To weft_bits(From from) {
    static_assert(sizeof(To) == sizeof(From));
    To to;
    __builtin_memcpy(&to, &from, sizeof to);
    return to;
}
inline float __int_as_float(int v) { return weft_bits<float>(v); }
inline float __uint_as_float(unsigned v) { return weft_bits<float>(v); }
inline int __float_as_int(float v) { return weft_bits<int>(v); }
inline unsigned __float_as_uint(float v) { return weft_bits<unsigned>(v); }
inline double __longlong_as_double(long long v) { return weft_bits<double>(v); }
inline long long __double_as_longlong(double v) { return weft_bits<long long>(v); }

inline int __popc(unsigned v) { return __builtin_popcount(v); }
inline int __popcll(unsigned long long v) { return __builtin_popcountll(v); }
inline int __clz(int v) { return v == 0 ? 32 : __builtin_clz(static_cast<unsigned>(v)); }
inline int __clzll(long long v) { return v == 0 ? 64 : __builtin_clzll(static_cast<unsigned long long>(v)); }
inline int __ffs(int v) { return __builtin_ffs(v); }
inline int __ffsll(long long v) { return __builtin_ffsll(v); }
inline unsigned __brev(unsigned v) {
    unsigned out = 0;
    for (int i = 0; i < 32; i++) {
        out |= (v >> i & 1u) << (31 - i);
    }
    return out;
}
// prmt: four bytes chosen from the eight of y:x; bit 3 of a selector spreads the byte's sign
inline unsigned __byte_perm(unsigned x, unsigned y, unsigned selector) {
    unsigned long long bytes = static_cast<unsigned long long>(y) << 32 | x;
    unsigned out = 0;
    for (int i = 0; i < 4; i++) {
        unsigned choice = selector >> (4 * i) & 0xF, byte = bytes >> (8 * (choice & 7)) & 0xFF;
        out |= ((choice & 8) ? (byte & 0x80 ? 0xFFu : 0u) : byte) << (8 * i);
    }
    return out;
}
inline unsigned __funnelshift_l(unsigned low, unsigned high, unsigned shift) {
    return static_cast<unsigned>((static_cast<unsigned long long>(high) << 32 | low) << (shift & 31) >> 32);
}
inline unsigned __funnelshift_r(unsigned low, unsigned high, unsigned shift) {
    return static_cast<unsigned>((static_cast<unsigned long long>(high) << 32 | low) >> (shift & 31));
}
inline unsigned __umulhi(unsigned a, unsigned b) {
    return static_cast<unsigned>(static_cast<unsigned long long>(a) * b >> 32);
}
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
    return static_cast<unsigned long long>(static_cast<unsigned __int128>(a) * b >> 64);
}

// ---- choice

#define WEFT_CHOICE(type)                                          \
    inline type min(type a, type b) { return b < a ? b : a; }      \
    inline type max(type a, type b) { return a < b ? b : a; }
WEFT_CHOICE(int)
WEFT_CHOICE(unsigned)
WEFT_CHOICE(long)
WEFT_CHOICE(unsigned long)
WEFT_CHOICE(long long)
WEFT_CHOICE(unsigned long long)
#undef WEFT_CHOICE
// of a number and a NaN the number
inline float min(float a, float b) { return fminf(a, b); }
inline float max(float a, float b) { return fmaxf(a, b); }
inline double min(double a, double b) { return fmin(a, b); }
inline double max(double a, double b) { return fmax(a, b); }

// ---- arithmetic with a named rounding

inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __frcp_rn(float a) { return 1.0f / a; }
inline float __fsqrt_rn(float a) { return sqrtf(a); }
inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
inline double __dadd_rn(double a, double b) { return a + b; }
inline double __dmul_rn(double a, double b) { return a * b; }
inline double __fma_rn(double a, double b, double c) { return fma(a, b, c); }
inline float rsqrtf(float a) { return static_cast<float>(1.0 / sqrt(static_cast<double>(a))); }
inline double rsqrt(double a) { return 1.0 / sqrt(a); }
inline float __saturatef(float a) { return a >= 0.0f ? (a < 1.0f ? a : 1.0f) : 0.0f; }

inline float __double2float_rn(double a) { return static_cast<float>(a); }
inline float __int2float_rn(int a) { return static_cast<float>(a); }
inline float __uint2float_rn(unsigned a) { return static_cast<float>(a); }
inline float __ll2float_rn(long long a) { return static_cast<float>(a); }
// Out of range goes to the nearest integer there is, NaN to 0.
inline int weft_to_int(double a) {
    return a != a ? 0 : a >= 2147483647.0 ? 2147483647 : a <= -2147483648.0 ? -2147483647 - 1 : static_cast<int>(a);
}
inline unsigned weft_to_uint(double a) {
    return !(a > 0.0) ? 0u : a >= 4294967295.0 ? 4294967295u : static_cast<unsigned>(a);
}
inline int __float2int_rn(float a) { return weft_to_int(rint(static_cast<double>(a))); }
inline int __float2int_rz(float a) { return weft_to_int(static_cast<double>(a)); }
inline int __float2int_rd(float a) { return weft_to_int(floor(static_cast<double>(a))); }
inline int __float2int_ru(float a) { return weft_to_int(ceil(static_cast<double>(a))); }
inline unsigned __float2uint_rn(float a) { return weft_to_uint(rint(static_cast<double>(a))); }
inline unsigned __float2uint_rz(float a) { return weft_to_uint(static_cast<double>(a)); }

// ---- memory

template <class T>
inline T __ldg(const T *from) { return *from; }
template <class T>
inline T __ldcs(const T *from) { return *from; }
template <class T>
inline T __ldcg(const T *from) { return *from; }
template <class T>
inline void __stcs(T *to, T value) { *to = value; }

// ---- atomics: integers only, because the sum of floats would depend on the order of the threads

#define WEFT_ATOMICS(type)                                                                                      \
    inline type atomicAdd(type *at, type v) { return __atomic_fetch_add(at, v, __ATOMIC_SEQ_CST); }             \
    inline type atomicExch(type *at, type v) { return __atomic_exchange_n(at, v, __ATOMIC_SEQ_CST); }           \
    inline type atomicAnd(type *at, type v) { return __atomic_fetch_and(at, v, __ATOMIC_SEQ_CST); }             \
    inline type atomicOr(type *at, type v) { return __atomic_fetch_or(at, v, __ATOMIC_SEQ_CST); }               \
    inline type atomicCAS(type *at, type expected, type v) {                                                    \
        __atomic_compare_exchange_n(at, &expected, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);               \
        return expected;                                                                                        \
    }                                                                                                           \
    inline type atomicMax(type *at, type v) {                                                                   \
        type old = __atomic_load_n(at, __ATOMIC_SEQ_CST);                                                       \
        while (old < v && !__atomic_compare_exchange_n(at, &old, v, true, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) { \
        }                                                                                                       \
        return old;                                                                                             \
    }                                                                                                           \
    inline type atomicMin(type *at, type v) {                                                                   \
        type old = __atomic_load_n(at, __ATOMIC_SEQ_CST);                                                       \
        while (v < old && !__atomic_compare_exchange_n(at, &old, v, true, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) { \
        }                                                                                                       \
        return old;                                                                                             \
    }
WEFT_ATOMICS(int)
WEFT_ATOMICS(unsigned)
WEFT_ATOMICS(unsigned long long)
#undef WEFT_ATOMICS

#endif
