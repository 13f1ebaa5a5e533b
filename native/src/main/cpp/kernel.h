// What the dispatcher and the kernels of one instruction-set level agree on.
//
// Rules for isa/*.cpp, which are compiled once per level with WEFT_ISA naming it:
//  - everything lives in namespace weft::WEFT_ISA or an anonymous namespace inside it. The linker merges equal inline
//    functions of different files and might otherwise keep the copy that needs the newest processor;
//  - for the same reason no std:: templates or inline functions: C headers, builtins and simd.h suffice;
//  - kernels neither allocate, nor throw, nor keep state but what the pool keeps for them (rotary_memo.h). Scratch
//    memory is the command's workspace or the stack;
//  - each element of a result is computed wholly by one item, by instructions that depend on neither the number of rows
//    nor the number of threads.
#ifndef WEFT_KERNEL_H
#define WEFT_KERNEL_H

#include <stdint.h>

#include "pool.h"
#include "weft/weft.h"

namespace weft {

using KernelFn = void (*)(const weft_command &command, Pool &pool);

/** One operator at one level. An entry without `run` has no native kernel. */
struct KernelEntry {
    KernelFn run;
    /** Name for placement tables, without the level. */
    const char *name;
    /** Null if the call can run, else why not. May be null: every call the contract allows can run. */
    const char *(*unsupported)(const int64_t *attributes, const weft_operand *operands, int64_t count);
    /** Scratch bytes at the given extents. May be null: none. */
    int64_t (*workspace)(const int64_t *attributes, const weft_operand *operands, int64_t count, int32_t threads);
    /** A name that depends on the operand formats. May be null: `name`. */
    const char *(*variant)(const weft_operand *operands, int64_t count);
};

}  // namespace weft

#ifdef WEFT_ISA
#define WEFT_STRING_(x) #x
#define WEFT_STRING(x) WEFT_STRING_(x)

namespace weft::WEFT_ISA {

/** WEFT_OP_COUNT entries. Call only where the processor has the level. */
const KernelEntry *kernels();

// weft_limit and weft_has_limit of the level.
int64_t limit(Pool &pool, int64_t kind, const void *data, int64_t amount);
bool has_limit(int64_t kind);

// Each fills the entries of its operators.
void register_gemm(KernelEntry *table);
void register_gated(KernelEntry *table);
void register_plain(KernelEntry *table);
void register_norm(KernelEntry *table);
void register_attention(KernelEntry *table);
void register_compress(KernelEntry *table);
void register_index(KernelEntry *table);
void register_moe(KernelEntry *table);
void register_hyper(KernelEntry *table);
void register_hyper_step(KernelEntry *table);

}  // namespace weft::WEFT_ISA
#endif

#endif
