// What kernels that were translated from PTX (native/src/build/TranslatePtx.java) are compiled against: each instruction as
// the PTX ISA describes it. Written without looking at the wrappers of native/cuda/include, which these kernels check.
#ifndef WEFT_CUDA_PTX_H
#define WEFT_CUDA_PTX_H

#include "weft/cuda/call.cuh"
#include "weft/cuda/ptx_floats.h"
#include "weft/cuda/ptx_integers.h"
#include "weft/cuda/ptx_products.h"

namespace weft::ptx {

[[noreturn]] inline void trap() {
    simt::die("trap", "the compiler left a trap here");
}

// ---- memory. Addresses are the host's; the translator has added where shared memory lies.

inline u64 address(const void *p) {
    return reinterpret_cast<u64>(p);
}

template <class T, int COUNT>
struct alignas(sizeof(T) * COUNT) Vector {
    T at[COUNT];
};

/** The place of an access, which must be a multiple of its size. */
template <class T>
inline T *place(u64 address) {
    if (__builtin_expect(address % sizeof(T) != 0, 0)) {
        __builtin_trap();
    }
    return reinterpret_cast<T *>(address);
}

template <class T>
inline T load(u64 address) {
    return *place<const T>(address);
}

/** Of global memory, in a kernel with prefetches. */
template <class T>
inline T load_noted(u64 address) {
    simt::note_load(place<const T>(address), sizeof(T));
    return load<T>(address);
}

template <class T>
inline void store(u64 address, T value) {
    *place<T>(address) = value;
}

/** To shared memory that products of warpgroups read. */
template <class T>
inline void store_for_products(u64 address, T value) {
    store(address, value);
    simt::mark_store(address, sizeof(T));
}

template <class T>
inline T atomic_add(u64 address, T value) {
    return __atomic_fetch_add(place<T>(address), value, __ATOMIC_SEQ_CST);
}

inline void copy_async(u64 to, u64 from, u32 bytes, u32 valid) {
    simt::begin_copy(reinterpret_cast<void *>(to), reinterpret_cast<const void *>(from), bytes, valid);
}

// ---- a warp

enum class Shuffle { UP, DOWN, BUTTERFLY, INDEX };

/** shfl.sync: `limits` has in bits 0-4 the clamp and in bits 8-12 the bits that part the warp into segments. */
inline u32 shuffle(Shuffle mode, u32 value, u32 b, u32 limits, u32 members, bool &is_inside) {
    const int lane = static_cast<int>(simt::lane()), delta = static_cast<int>(b & 31);
    const int segment = static_cast<int>(limits >> 8 & 31), clamp = static_cast<int>(limits & 31);
    const int least = lane & segment, most = least | (clamp & ~segment);
    int from = mode == Shuffle::UP          ? lane - delta
               : mode == Shuffle::DOWN      ? lane + delta
               : mode == Shuffle::BUTTERFLY ? lane ^ delta
                                            : least | (delta & ~segment);
    is_inside = mode == Shuffle::UP ? from >= most : from <= most;
    return simt::shuffle(members, value, is_inside ? from : lane);
}

inline void sync_warp(u32 members) {
    simt::leave(simt::meet(simt::Collective::SYNC, members, nullptr, 0));
}

/** ldmatrix: matrices of 8 x 8 values of 16 bits, the row of lane i given by lane i. */
inline void ldmatrix(u32 *out, int count, bool is_transposed, u64 row) {
    simt::load_matrix_rows(out, count, is_transposed, reinterpret_cast<const void *>(row));
}

}  // namespace weft::ptx

#endif
