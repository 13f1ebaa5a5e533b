// CUDA C++ for the host's compiler: the qualifiers, built-in variables and functions that our kernels use, carried out by
// the SIMT engine of the emulator. Includes no more of the standard library than <math.h>.
#ifndef WEFT_CUDA_SIMT_H
#define WEFT_CUDA_SIMT_H

#include <math.h>

#include "weft/cuda/simt_types.h"

#define __global__
#define __device__
#define __host__
#define __constant__
#define __forceinline__ inline __attribute__((always_inline))
#define __grid_constant__
#define __launch_bounds__(...)
#define __align__(bytes) __attribute__((aligned(bytes)))
// A block runs on one thread of the host, so its static shared memory is that thread's.
#define __shared__ static thread_local

// The constructor makes the kernel known to whoever is loading its library. What it does ahead of the wait for the kernels ahead
// is called by the engine, before the body.
#define WEFT_KERNEL(name, threads, ...) WEFT_KERNEL_TEXT(name, nullptr, Call, call, 1, threads)
#define WEFT_KERNEL_AHEAD(name, ahead, threads, ...) \
    WEFT_KERNEL_TEXT_AHEAD(name, ahead, Call, call, 1, threads)
#define WEFT_KERNEL_OF_CALLS(name, threads, ...) WEFT_KERNEL_TEXT(name, nullptr, Calls, calls, weft::MOST_CALLS, threads)
#define WEFT_KERNEL_OF_CALLS_AHEAD(name, ahead, threads, ...) \
    WEFT_KERNEL_TEXT_AHEAD(name, ahead, Calls, calls, weft::MOST_CALLS, threads)

#define WEFT_KERNEL_TEXT(name, before, Type, parameter, count, threads)                                            \
    static void name##_body(const weft::Type &parameter);                                                          \
    static void name(const weft::Call &first) {                                                                    \
        name##_body(reinterpret_cast<const weft::Type &>(first));                                                  \
    }                                                                                                              \
    static const weft::simt::Registration name##_registration(#name, threads, name, count, 0, before);             \
    static void name##_body([[maybe_unused]] const weft::Type &parameter)
#define WEFT_KERNEL_TEXT_AHEAD(name, ahead, Type, parameter, count, threads)                                       \
    static void name##_ahead(const weft::Call &first) {                                                            \
        ahead(reinterpret_cast<const weft::Type &>(first));                                                        \
    }                                                                                                              \
    WEFT_KERNEL_TEXT(name, name##_ahead, Type, parameter, count, threads)
#define WEFT_SHARED_MEMORY(type, name) type *name = reinterpret_cast<type *>(weft::simt::shared_memory())

#define threadIdx (weft::simt::position.thread)
#define blockIdx (weft::simt::position.block)
#define blockDim (weft::simt::position.block_dim)
#define gridDim (weft::simt::position.grid_dim)
#define warpSize 32

#pragma GCC visibility push(default)
namespace weft {

struct Call;

namespace simt {

using Body = void (*)(const Call &);

/** Where the running thread is. One object a host thread, set whenever another thread of the block goes on. */
struct Position {
    uint3 thread, block, block_dim, grid_dim;
};
extern __thread Position position __attribute__((tls_model("initial-exec")));

struct Registration {
    /**
     * @param calls how many weft::Call the parameter of the kernel consists of
     * @param static_bytes shared memory before the dynamic one, of kernels whose static memory is not thread-local
     * @param ahead what every thread does before it waits for the kernels ahead; nullptr for nothing
     */
    Registration(const char *name, int threads, Body body, int calls = 1, unsigned static_bytes = 0, Body ahead = nullptr);
};

/** Dynamic shared memory of the block, 1024-byte aligned, filled with 0xFF when the block starts. */
void *shared_memory();

// ---- barriers of the block. All of its threads that have not returned must come to the same line.

enum class Barrier { SYNC, OR, AND, COUNT };
int barrier(Barrier kind, int predicate, int line);
/** Barrier `id` (1..15) of `threads` threads, which need not be the whole block. */
void named_barrier(int id, int threads);

// ---- collectives of a warp. All lanes of the mask that have not returned must come with the same operation and mask.

enum class Collective { SYNC, SHUFFLE, VOTE, MATCH, LDMATRIX, MMA };
constexpr int MOST_WORDS = 10;

/** What the lanes brought, and what came of it; alive until the last of them has left. */
struct Meeting {
    unsigned word[32][MOST_WORDS];
    unsigned came;  // lanes
};

/**
 * Waits for the other lanes of the mask. The last to come carries out `finish` on the words, which may overwrite them.
 */
Meeting &meet(Collective what, unsigned mask, const unsigned *words, int count, void (*finish)(Meeting &) = nullptr);
void leave(Meeting &meeting);
unsigned lane();

/** The word of lane `from`, if it came; else a fault, since CUDA leaves open what is read. */
unsigned shuffle(unsigned mask, unsigned value, int from);
/** The lanes of the mask whose predicate is not 0. */
unsigned vote(unsigned mask, bool predicate);
/** The lanes of the mask with the same value. */
unsigned match(unsigned mask, unsigned value);

// ---- matrices of a whole warp, in the fragments of PTX

enum class Factor { BF16, F16, E4M3 };

/**
 * d += a b: 16 x 8, with 16 columns and rows in between, 32 of E4M3. The products are exact; they and the old d are added
 * in binary64, the products in ascending order first, and the sum is rounded once. What the hardware does is not
 * specified; its sums have fewer bits and another order.
 */
void multiply(Factor format, float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1);
/** ldmatrix: `count` matrices of 8 x 8 16-bit elements; lane i gives the address of row i % 8 of matrix i / 8. */
void load_matrices(unsigned *out, int count, bool transposed, const void *row);

// ---- cp.async

/** `bytes` of 4, 8 or 16, of which the first `valid` are read and the others become zero. */
void begin_copy(void *to, const void *from, unsigned bytes, unsigned valid);
void commit_copies();
void wait_copies(int pending);

// ---- prefetches to the second level cache: nothing is copied, but the block must read what it prefetches

/** cp.async.bulk.prefetch.L2: address and bytes are multiples of 16, in one allocation. */
void prefetch_run(const void *from, unsigned bytes);
/** prefetch.global.L2 */
void prefetch_sector(const void *from);
/** A kernel with prefetches begins whose loads are all noted. */
void expect_prefetches();
void note_load(const void *from, unsigned bytes);

/** Lets blocks of other host threads go on. If one of the launch has failed, which a device would end, this one ends too. */
void pause();

/** Of a clock that only goes forward. */
unsigned long long nanoseconds();

/** Ends the launch unless the image is for exactly this chip (sm_90a): others are compiled without such code. */
void require_own_features();

/** Reports a fault under this name and ends the launch. */
[[noreturn]] void die(const char *rule, const char *detail);

}  // namespace simt
}  // namespace weft
#pragma GCC visibility pop

inline void __syncthreads(int line = __builtin_LINE()) {
    weft::simt::barrier(weft::simt::Barrier::SYNC, 0, line);
}
inline int __syncthreads_or(int predicate, int line = __builtin_LINE()) {
    return weft::simt::barrier(weft::simt::Barrier::OR, predicate, line);
}
inline int __syncthreads_and(int predicate, int line = __builtin_LINE()) {
    return weft::simt::barrier(weft::simt::Barrier::AND, predicate, line);
}
inline int __syncthreads_count(int predicate, int line = __builtin_LINE()) {
    return weft::simt::barrier(weft::simt::Barrier::COUNT, predicate, line);
}
inline void __syncwarp(unsigned mask = 0xffffffffu) {
    weft::simt::leave(weft::simt::meet(weft::simt::Collective::SYNC, mask, nullptr, 0));
}
inline void __threadfence() {
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}
inline void __threadfence_block() {}
inline void __nanosleep(unsigned) {
    weft::simt::pause();
}

inline unsigned __ballot_sync(unsigned mask, int predicate) {
    return weft::simt::vote(mask, predicate != 0);
}
inline int __any_sync(unsigned mask, int predicate) {
    return weft::simt::vote(mask, predicate != 0) != 0;
}
inline int __all_sync(unsigned mask, int predicate) {
    return weft::simt::vote(mask, predicate == 0) == 0;
}
inline unsigned __match_any_sync(unsigned mask, unsigned value) {
    return weft::simt::match(mask, value);
}

namespace weft::simt {

template <class T>
inline T shuffle_value(unsigned mask, T value, int from) {
    static_assert(sizeof(T) == 4 || sizeof(T) == 8, "a shuffle moves 4 or 8 bytes");
    unsigned words[sizeof(T) / 4];
    __builtin_memcpy(words, &value, sizeof value);
    for (unsigned &word : words) {
        word = shuffle(mask, word, from);
    }
    __builtin_memcpy(&value, words, sizeof value);
    return value;
}

}  // namespace weft::simt

template <class T>
inline T __shfl_sync(unsigned mask, T value, int from, int width = 32) {
    int lane = static_cast<int>(weft::simt::lane());
    return weft::simt::shuffle_value(mask, value, (lane & -width) | (from & (width - 1)));
}
template <class T>
inline T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32) {
    int lane = static_cast<int>(weft::simt::lane()), from = lane ^ bits;
    return weft::simt::shuffle_value(mask, value, from > (lane | (width - 1)) ? lane : from);
}
template <class T>
inline T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32) {
    int lane = static_cast<int>(weft::simt::lane()), from = lane + static_cast<int>(delta);
    return weft::simt::shuffle_value(mask, value, from > (lane | (width - 1)) ? lane : from);
}
template <class T>
inline T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32) {
    int lane = static_cast<int>(weft::simt::lane()), from = lane - static_cast<int>(delta);
    return weft::simt::shuffle_value(mask, value, from < (lane & -width) ? lane : from);
}

#include "weft/cuda/simt_math.h"

#endif
