// CUDA's vector types, with their alignments.
#ifndef WEFT_CUDA_SIMT_TYPES_H
#define WEFT_CUDA_SIMT_TYPES_H

#if defined(__aarch64__) && defined(__GNUC__) && !defined(__clang__) && __GNUC__ < 13
using _Float16 = __fp16;  // GCC 12 knows the standard name in C only
#endif

#define WEFT_VECTOR(type, scalar, alignment2, alignment4)                                                        \
    struct type##1 { scalar x; };                                                                                \
    struct alignas(alignment2) type##2 { scalar x, y; };                                                         \
    struct type##3 { scalar x, y, z; };                                                                          \
    struct alignas(alignment4) type##4 { scalar x, y, z, w; };                                                   \
    inline type##2 make_##type##2(scalar x, scalar y) { return {x, y}; }                                         \
    inline type##3 make_##type##3(scalar x, scalar y, scalar z) { return {x, y, z}; }                            \
    inline type##4 make_##type##4(scalar x, scalar y, scalar z, scalar w) { return {x, y, z, w}; }

WEFT_VECTOR(char, signed char, 2, 4)
WEFT_VECTOR(uchar, unsigned char, 2, 4)
WEFT_VECTOR(short, short, 4, 8)
WEFT_VECTOR(ushort, unsigned short, 4, 8)
WEFT_VECTOR(int, int, 8, 16)
WEFT_VECTOR(uint, unsigned, 8, 16)
WEFT_VECTOR(longlong, long long, 16, 16)
WEFT_VECTOR(ulonglong, unsigned long long, 16, 16)
WEFT_VECTOR(float, float, 8, 16)
WEFT_VECTOR(double, double, 16, 16)

#undef WEFT_VECTOR

struct dim3 {
    unsigned x = 1, y = 1, z = 1;
};

#endif
