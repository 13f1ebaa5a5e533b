// Integer instructions of PTX that are no operators of C++. Shifts by more than the width shift everything out.
#ifndef WEFT_CUDA_PTX_INTEGERS_H
#define WEFT_CUDA_PTX_INTEGERS_H

namespace weft::ptx {

using s8 = signed char;
using u8 = unsigned char;
using s16 = short;
using u16 = unsigned short;
using s32 = int;
using u32 = unsigned;
using s64 = long long;
using u64 = unsigned long long;

template <class T>
inline T shl(T a, u32 by) {
    return by >= 8 * sizeof(T) ? T{0} : static_cast<T>(a << by);
}

/** Of signed numbers the sign comes in. */
template <class T>
inline T shr(T a, u32 by) {
    constexpr u32 bits = 8 * sizeof(T);
    constexpr bool is_signed = static_cast<T>(-1) < T{0};
    return by < bits ? static_cast<T>(a >> by) : is_signed ? static_cast<T>(a >> (bits - 1)) : T{0};
}

inline s32 mul_hi(s32 a, s32 b) { return static_cast<s32>(static_cast<s64>(a) * b >> 32); }
inline u32 mul_hi(u32 a, u32 b) { return static_cast<u32>(static_cast<u64>(a) * b >> 32); }
inline s64 mul_hi(s64 a, s64 b) { return static_cast<s64>(static_cast<__int128>(a) * b >> 64); }
inline u64 mul_hi(u64 a, u64 b) { return static_cast<u64>(static_cast<unsigned __int128>(a) * b >> 64); }

inline s32 mul_wide(s16 a, s16 b) { return static_cast<s32>(a) * b; }
inline u32 mul_wide(u16 a, u16 b) { return static_cast<u32>(a) * b; }
inline s64 mul_wide(s32 a, s32 b) { return static_cast<s64>(a) * b; }
inline u64 mul_wide(u32 a, u32 b) { return static_cast<u64>(a) * b; }

// Division by zero has no defined result; -2^n / -1 is -2^n.
template <class T>
inline T div(T a, T b) {
    if (b == 0) {
        __builtin_trap();
    }
    return static_cast<T>(-1) < T{0} && b == static_cast<T>(-1) ? static_cast<T>(-a) : static_cast<T>(a / b);
}
template <class T>
inline T rem(T a, T b) {
    if (b == 0) {
        __builtin_trap();
    }
    return static_cast<T>(-1) < T{0} && b == static_cast<T>(-1) ? T{0} : static_cast<T>(a % b);
}

#define WEFT_PTX_CHOICE(type)                                    \
    inline type min(type a, type b) { return b < a ? b : a; }    \
    inline type max(type a, type b) { return a < b ? b : a; }
WEFT_PTX_CHOICE(s16)
WEFT_PTX_CHOICE(u16)
WEFT_PTX_CHOICE(s32)
WEFT_PTX_CHOICE(u32)
WEFT_PTX_CHOICE(s64)
WEFT_PTX_CHOICE(u64)
#undef WEFT_PTX_CHOICE

inline s32 abs(s32 a) { return a < 0 ? -a : a; }
inline s64 abs(s64 a) { return a < 0 ? -a : a; }

/** Four bytes of the eight of b:a, each named by three bits; the fourth takes the byte's sign in all its bits. */
inline u32 prmt(u32 a, u32 b, u32 selector) {
    const u8 byte[8] = {static_cast<u8>(a), static_cast<u8>(a >> 8), static_cast<u8>(a >> 16), static_cast<u8>(a >> 24),
                        static_cast<u8>(b), static_cast<u8>(b >> 8), static_cast<u8>(b >> 16), static_cast<u8>(b >> 24)};
    u32 out = 0;
    for (int i = 0; i < 4; i++) {
        const u32 nibble = selector >> 4 * i & 15;
        const u8 chosen = byte[nibble & 7];
        out |= static_cast<u32>(nibble < 8 ? chosen : chosen < 128 ? 0 : 255) << 8 * i;
    }
    return out;
}

/** b with `length` bits of a from bit `at`, both of which count modulo 256. */
template <class T>
inline T bfi(T a, T b, u32 at, u32 length) {
    at &= 255;
    length &= 255;
    for (u32 i = 0; i < length && at + i < 8 * sizeof(T); i++) {
        const T bit = static_cast<T>(T{1} << (at + i));
        b = a >> i & 1 ? b | bit : b & ~bit;
    }
    return b;
}

/** `length` bits of a from bit `at`; of signed numbers the highest of them spreads, beyond the width the sign. */
template <class T>
inline T bfe(T a, u32 at, u32 length) {
    constexpr bool is_signed = static_cast<T>(-1) < T{0};
    constexpr u32 bits = 8 * sizeof(T);
    at &= 255;
    length &= 255;
    const u32 highest = at + length - 1 < bits ? at + length - 1 : bits - 1;
    const bool sign = is_signed && length != 0 && (a >> highest & 1);
    T out = 0;
    for (u32 i = 0; i < bits; i++) {
        const bool bit = i < length && at + i < bits ? (a >> (at + i) & 1) : sign;
        out = static_cast<T>(out | static_cast<T>(static_cast<T>(bit) << i));
    }
    return out;
}

inline u32 brev(u32 a) {
    u32 out = 0;
    for (int i = 0; i < 32; i++, a >>= 1) {
        out = out << 1 | (a & 1);
    }
    return out;
}

inline u32 popc(u32 a) { return static_cast<u32>(__builtin_popcount(a)); }
inline u32 popc(u64 a) { return static_cast<u32>(__builtin_popcountll(a)); }
inline u32 clz(u32 a) { return a == 0 ? 32 : static_cast<u32>(__builtin_clz(a)); }
inline u32 clz(u64 a) { return a == 0 ? 64 : static_cast<u32>(__builtin_clzll(a)); }
/** By how much to shift left until the highest bit that is set is the first; all bits if none is. */
inline u32 bfind_shiftamt(u32 a) { return a == 0 ? 0xffffffffu : clz(a); }

}  // namespace weft::ptx

#endif
