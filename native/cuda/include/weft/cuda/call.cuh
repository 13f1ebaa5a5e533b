// What a kernel of the CUDA backend is given. The same text is compiled by nvcc, by NVRTC (so: nothing is included but
// files of this folder) and, for the tests, by the host's C++ compiler against the SIMT emulator (native/cuda-emulator).
#ifndef WEFT_CUDA_CALL_CUH
#define WEFT_CUDA_CALL_CUH

#ifdef WEFT_CUDA_EMULATOR
#include "weft/cuda/simt.h"
#else
// A kernel: its name as the driver looks it up, the largest number of threads of a block, and, where registers matter, how many
// blocks a multiprocessor shall hold. Every thread first waits for the kernels ahead to end, so that each kernel may be launched
// before the one ahead has ended (programmatic dependent launch): then the next one is told that it may be launched.
#define WEFT_KERNEL(name, ...) WEFT_KERNEL_TEXT(name, weft::nothing_ahead, Call, call, __VA_ARGS__)
// A kernel that calls ahead(call) before it waits. Memory may not hold what the kernels ahead write then: `ahead` reads nothing but
// the parameter. It prefetches what the block will read, which gives no value that a result could depend on.
#define WEFT_KERNEL_AHEAD(name, ahead, ...) WEFT_KERNEL_TEXT(name, ahead, Call, call, __VA_ARGS__)
// The same for kernels that compute several calls.
#define WEFT_KERNEL_OF_CALLS(name, ...) WEFT_KERNEL_TEXT(name, weft::nothing_ahead, Calls, calls, __VA_ARGS__)
#define WEFT_KERNEL_OF_CALLS_AHEAD(name, ahead, ...) WEFT_KERNEL_TEXT(name, ahead, Calls, calls, __VA_ARGS__)

#define WEFT_KERNEL_TEXT(name, ahead, Type, parameter, ...)                                                                \
    static __device__ __forceinline__ void name##_body(const weft::Type &parameter);                                       \
    extern "C" __global__ void __launch_bounds__(__VA_ARGS__) name(const __grid_constant__ weft::Type parameter) {         \
        ahead(parameter);                                                                                                  \
        weft::wait_for_kernels_ahead();                                                                                    \
        weft::let_next_kernel_start();                                                                                     \
        name##_body(parameter);                                                                                            \
    }                                                                                                                      \
    static __device__ __forceinline__ void name##_body([[maybe_unused]] const weft::Type &parameter)
// Dynamic shared memory of the block, aligned for every access: WEFT_SHARED_MEMORY(float, row) declares float *row.
#define WEFT_SHARED_MEMORY(type, name)                          \
    extern __shared__ __align__(1024) unsigned char weft_smem[]; \
    type *name = reinterpret_cast<type *>(weft_smem)
#endif

namespace weft {

#ifdef __CUDACC__

// Until the kernels ahead have ended and what they wrote is seen. Does nothing where the launch does not ask for an early start.
__device__ __forceinline__ void wait_for_kernels_ahead() {
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

// The next kernel may start once all blocks have come here or ended.
__device__ __forceinline__ void let_next_kernel_start() {
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

#endif

using i8 = signed char;
using u8 = unsigned char;
using i16 = short;
using u16 = unsigned short;
using i32 = int;
using u32 = unsigned int;
using i64 = long long;
using u64 = unsigned long long;

// Ordinals of dev.weft.DType.
enum DType : i64 {
    F32 = 0,
    BF16 = 1,
    F16 = 2,
    F8_E4M3 = 3,
    F8_E5M2 = 4,
    F8_E8M0 = 5,
    F4_E2M1 = 6,
    I8 = 7,
    U8 = 8,
    I16 = 9,
    I32 = 10,
    I64 = 11
};

// Same words as dev.weft.spi.KernelArguments.
struct Operand {
    void *data;   // first element; codes for quantised formats, two FP4 codes a byte, the lower nibble first
    void *scale;  // E8M0 bytes, row-major and tight; null if unscaled
    i64 dtype;    // DType
    i64 scaling;  // block rows << 32 | block columns; 0 for none
    i64 rank;
    i64 pitch;    // elements between consecutive indices of axis 0; the other axes are tight
    i64 dims[4];
};

constexpr int MAX_OPERANDS = 13;
constexpr int MAX_ATTRIBUTES = 16;
constexpr int MAX_TABLES = 4;

// The one parameter of every kernel, by value: 8-byte words only, written by Java (dev.weft.backend.cuda.CallLayout).
struct Call {
    Operand at[MAX_OPERANDS];          // operands, then results
    i64 attribute[MAX_ATTRIBUTES];     // what the operator's Way says, then the words of the launch
    void *table[MAX_TABLES];           // constant tables on the device (rotary frequencies, for example)
    void *workspace;                   // scratch of the call
};

// What a kernel is given that computes several calls side by side or one after another, each in the part of the grid that its
// last attribute words name. A part of no kind is the end of the list, unless the list is full.
constexpr int MOST_CALLS = 12;

enum PartWord { PART_COLUMNS = MAX_ATTRIBUTES - 5, PART_HEIGHT, PART_FIRST, PART_END, PART_KIND };

// The table of a part that is none: 16 bytes of its own which are zero before each launch and which it must leave so, for its blocks to
// find out how far the others are.
constexpr int PART_COUNTERS = MAX_TABLES - 1;

struct Calls {
    Call part[MOST_CALLS];
};

#ifdef __CUDACC__

template <class T>
__device__ __forceinline__ void nothing_ahead(const T &) {}

#endif

}  // namespace weft

#endif
