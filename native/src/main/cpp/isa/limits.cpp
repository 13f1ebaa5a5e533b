// What the machine can do at most at this level, measured with the kernels' own threads: the yardstick of benchmarks.
#include "kernel.h"
#include "simd.h"

namespace weft::WEFT_ISA {

namespace {

// Chains of dependent operations that run side by side: more than latency times units of any processor of the level,
// and few enough to stay in registers with two operands.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int CHAINS = 24;
#else
constexpr int CHAINS = 12;
#endif

/** Turns of one work item: some 20 microseconds, so that threads that start late even out. */
constexpr int64_t TURNS = 4096;

#if defined(__AVX512F__)
#define WEFT_VECTOR_REGISTER "+v"
#elif defined(__x86_64__)
#define WEFT_VECTOR_REGISTER "+x"
#else
#define WEFT_VECTOR_REGISTER "+w"
#endif

/**
 * Makes a value unknown to the compiler, which would otherwise see equal chains and drop what nobody reads. In a register:
 * a value whose address is known is written to memory in every turn.
 */
template <class V>
WEFT_INLINE V conceal(V value) {
    asm volatile("" : WEFT_VECTOR_REGISTER(value));
    return value;
}

// Each unit: the accumulator, an operand of ones, one step, and the multiplications and additions of a step.

struct F32Fma {
    typedef vf Accumulator;
    typedef vf Operand;
    static constexpr int64_t OPERATIONS = 2 * W;
    WEFT_INLINE Operand ones() { return broadcast(1.0f); }
    WEFT_INLINE Accumulator step(Accumulator c, Operand a) { return fma(c, a, a); }
};

#if defined(__AVX512BF16__)
#define WEFT_BF16_DOT
struct Bf16Dot {
    typedef __m512 Accumulator;
    typedef __m512i Operand;
    static constexpr int64_t OPERATIONS = 4 * 16;
    WEFT_INLINE Operand ones() { return _mm512_set1_epi16(0x3F80); }
    WEFT_INLINE Accumulator step(Accumulator c, Operand a) {
        return _mm512_dpbf16_ps(c, (__m512bh)a, (__m512bh)a);
    }
};
#elif defined(__ARM_FEATURE_BF16_VECTOR_ARITHMETIC)
#define WEFT_BF16_DOT
struct Bf16Dot {
    typedef float32x4_t Accumulator;
    typedef bfloat16x8_t Operand;
    static constexpr int64_t OPERATIONS = 4 * 4;
    WEFT_INLINE Operand ones() { return vreinterpretq_bf16_u16(vdupq_n_u16(0x3F80)); }
    WEFT_INLINE Accumulator step(Accumulator c, Operand a) { return vbfdotq_f32(c, a, a); }
};
#endif

#if defined(__AVX512VNNI__)
#define WEFT_INT8_DOT
struct Int8Dot {
    typedef __m512i Accumulator;
    typedef __m512i Operand;
    static constexpr int64_t OPERATIONS = 8 * 16;
    WEFT_INLINE Operand ones() { return _mm512_set1_epi8(1); }
    // the intrinsic costs a copy of the sum each time and, with them, the registers for half of the chains (GCC 12)
    WEFT_INLINE Accumulator step(Accumulator c, Operand a) {
        asm("vpdpbusd %1, %1, %0" : "+v"(c) : "v"(a));
        return c;
    }
};
#elif defined(__ARM_FEATURE_DOTPROD)
#define WEFT_INT8_DOT
struct Int8Dot {
    typedef int32x4_t Accumulator;
    typedef int8x16_t Operand;
    static constexpr int64_t OPERATIONS = 8 * 4;
    WEFT_INLINE Operand ones() { return vdupq_n_s8(1); }
    WEFT_INLINE Accumulator step(Accumulator c, Operand a) { return vdotq_s32(c, a, a); }
};
#endif

template <class Unit>
void turn() {
    const typename Unit::Operand operand = conceal(Unit::ones());
    typename Unit::Accumulator chains[CHAINS];
#pragma GCC unroll 24
    for (int c = 0; c < CHAINS; c++) {
        chains[c] = conceal(typename Unit::Accumulator{});
    }
    for (int64_t i = 0; i < TURNS; i++) {
#pragma GCC unroll 24
        for (int c = 0; c < CHAINS; c++) {
            chains[c] = Unit::step(chains[c], operand);
        }
    }
#pragma GCC unroll 24
    for (int c = 0; c < CHAINS; c++) {
        conceal(chains[c]);
    }
}

/** At least `wanted` operations on all threads; returns how many. */
template <class Unit>
int64_t compute(Pool &pool, const void *, int64_t wanted) {
    constexpr int64_t per_item = TURNS * CHAINS * Unit::OPERATIONS;
    int64_t items = (wanted + per_item - 1) / per_item;
    pool.parallel_for(items, [](int64_t, int32_t) { turn<Unit>(); });
    return items * per_item;
}

constexpr int64_t LINE = 64;
/** Places of a range that are read side by side: one alone leaves part of the memory channels idle. */
constexpr int64_t STREAMS = 4;
constexpr int VECTORS = int(LINE / sizeof(vu));

/** Reads whole lines from `begin` on, the four quarters of the range in step. */
void read_range(const uint8_t *begin, int64_t lines) {
    int64_t quarter = lines / STREAMS;
    vu sums[STREAMS][VECTORS] = {};
    for (int64_t i = 0; i < quarter; i++) {
#pragma GCC unroll 4
        for (int64_t s = 0; s < STREAMS; s++) {
#pragma GCC unroll 4
            for (int v = 0; v < VECTORS; v++) {
                sums[s][v] ^= load_u32(begin + (s * quarter + i) * LINE + v * int64_t(sizeof(vu)));
            }
        }
    }
    for (int64_t i = quarter * STREAMS; i < lines; i++) {
        sums[0][0] ^= load_u32(begin + i * LINE);
    }
#pragma GCC unroll 4
    for (int64_t s = 0; s < STREAMS; s++) {
#pragma GCC unroll 4
        for (int v = 0; v < VECTORS; v++) {
            conceal(sums[s][v]);
        }
    }
}

/** Reads the lines that lie wholly in [data, data + bytes), each thread a range of its own; returns their bytes. */
int64_t read(Pool &pool, const void *data, int64_t bytes) {
    int64_t skipped = -int64_t(reinterpret_cast<uintptr_t>(data)) & (LINE - 1);
    int64_t lines = bytes < skipped ? 0 : (bytes - skipped) / LINE;
    const uint8_t *first = static_cast<const uint8_t *>(data) + skipped;
    int64_t grain = (lines + pool.threads() - 1) / pool.threads();
    if (lines > 0) {
        pool.parallel_ranges(lines, grain, [&](int64_t begin, int64_t end, int32_t) {
            read_range(first + begin * LINE, end - begin);
        });
    }
    return lines * LINE;
}

using Work = int64_t (*)(Pool &pool, const void *data, int64_t amount);

/** Null if the level has no such unit. */
Work work_of(int64_t kind) {
    switch (kind) {
        case WEFT_LIMIT_READ:
            return read;
        case WEFT_LIMIT_F32_FMA:
            return compute<F32Fma>;
#if defined(WEFT_BF16_DOT)
        case WEFT_LIMIT_BF16_DOT:
            return compute<Bf16Dot>;
#endif
#if defined(WEFT_INT8_DOT)
        case WEFT_LIMIT_INT8_DOT:
            return compute<Int8Dot>;
#endif
        default:
            return nullptr;
    }
}

}  // namespace

bool has_limit(int64_t kind) {
    return work_of(kind) != nullptr;
}

int64_t limit(Pool &pool, int64_t kind, const void *data, int64_t amount) {
    Work work = work_of(kind);
    return work != nullptr && amount > 0 ? work(pool, data, amount) : 0;
}

}  // namespace weft::WEFT_ISA
