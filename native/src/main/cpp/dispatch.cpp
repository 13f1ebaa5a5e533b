// The functions of weft/weft.h: chooses the level and forwards to its kernels.
#include <string.h>

#include <atomic>
#include <new>

#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

#include "kernel.h"
#include "packing.h"
#include "pager.h"
#include "processors.h"
#include "trace.h"

namespace weft {

#define WEFT_DECLARE_LEVEL(level)                                                        \
    namespace level {                                                                    \
    const KernelEntry *kernels();                                                        \
    int64_t limit(Pool &pool, int64_t kind, const void *data, int64_t amount);           \
    bool has_limit(int64_t kind);                                                        \
    }

WEFT_DECLARE_LEVEL(baseline)
WEFT_DECLARE_LEVEL(avx2)
WEFT_DECLARE_LEVEL(avx512)
WEFT_DECLARE_LEVEL(avx512bf16)
WEFT_DECLARE_LEVEL(neon)
WEFT_DECLARE_LEVEL(neonbf16)

namespace {

struct Level {
    const char *name;
    bool (*usable)();
    const KernelEntry *(*kernels)();
    int64_t (*limit)(Pool &pool, int64_t kind, const void *data, int64_t amount);
    bool (*has_limit)(int64_t kind);
};

#if defined(__x86_64__)
// __builtin_cpu_supports also asks whether the system saves the wide registers
bool has_avx2() {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c") &&
           __builtin_cpu_supports("bmi2");
}

bool has_avx512() {
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
}

bool has_avx512bf16() {
    return has_avx512() && __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bf16") &&
           __builtin_cpu_supports("avx512vbmi");
}
#elif defined(__aarch64__)
// bits of AT_HWCAP and AT_HWCAP2 from the kernel's interface; named here because old headers lack some
bool has_neon() {
    constexpr unsigned long fphp = 1ul << 9, asimdhp = 1ul << 10, asimddp = 1ul << 20, asimdfhm = 1ul << 23;
    constexpr unsigned long needed = fphp | asimdhp | asimddp | asimdfhm;
    return (getauxval(AT_HWCAP) & needed) == needed;
}

bool has_neonbf16() {
    constexpr unsigned long i8mm = 1ul << 13, bf16 = 1ul << 14;
    constexpr unsigned long needed = i8mm | bf16;
    return has_neon() && (getauxval(AT_HWCAP2) & needed) == needed;
}
#endif

const Level LEVELS[] = {
    {"baseline", [] { return true; }, baseline::kernels, baseline::limit, baseline::has_limit},
#if defined(WEFT_HAVE_AVX2)
    {"avx2", has_avx2, avx2::kernels, avx2::limit, avx2::has_limit},
#endif
#if defined(WEFT_HAVE_AVX512)
    {"avx512", has_avx512, avx512::kernels, avx512::limit, avx512::has_limit},
#endif
#if defined(WEFT_HAVE_AVX512BF16)
    {"avx512bf16", has_avx512bf16, avx512bf16::kernels, avx512bf16::limit, avx512bf16::has_limit},
#endif
#if defined(WEFT_HAVE_NEON)
    {"neon", has_neon, neon::kernels, neon::limit, neon::has_limit},
#endif
#if defined(WEFT_HAVE_NEONBF16)
    {"neonbf16", has_neonbf16, neonbf16::kernels, neonbf16::limit, neonbf16::has_limit},
#endif
};

constexpr int32_t LEVEL_COUNT = int32_t(sizeof LEVELS / sizeof LEVELS[0]);

bool exists(int32_t isa) {
    return isa >= 0 && isa < LEVEL_COUNT;
}

/** The table of a level, null if it does not exist or the processor cannot run it. */
const KernelEntry *table(int32_t isa) {
    return exists(isa) && LEVELS[isa].usable() ? LEVELS[isa].kernels() : nullptr;
}

/** The kernel of an operator, null if there is none. */
const KernelEntry *find(const KernelEntry *table, int64_t op) {
    return table != nullptr && op >= 0 && op < WEFT_OP_COUNT && table[op].run != nullptr ? &table[op] : nullptr;
}

std::atomic<int32_t> kernel_mode{WEFT_KERNELS_RUN};

}  // namespace

}  // namespace weft

using namespace weft;

/** A pool with the loops of the last list that was recorded. */
struct weft_pool {
    Pool *threads;
    Trace trace;
};

static weft_pool *wrap(Pool *pool) {
    weft_pool *wrapped = pool == nullptr ? nullptr : new (std::nothrow) weft_pool{pool, {}};
    if (wrapped == nullptr) {
        Pool::destroy(pool);
    }
    return wrapped;
}

/** Runs the commands, with a mark in the trace before each. */
static int64_t run(weft_pool *pool, const KernelEntry *kernels, const weft_command *commands, int64_t count,
                   Trace *trace) {
    for (int64_t i = 0; i < count; i++) {
        const KernelEntry *entry = find(kernels, commands[i].op);
        if (entry == nullptr) {
            return i + 1;
        }
        if (trace != nullptr) {
            trace->next_command();
        }
        if (!provide_weights(commands[i], *pool->threads)) {
            return -1 - i;
        }
        entry->run(commands[i], *pool->threads);
    }
    return 0;
}

static int64_t record(weft_pool *pool, const KernelEntry *kernels, const weft_command *commands, int64_t count) {
    pool->trace.clear();
    pool->threads->trace(&pool->trace);
    int64_t failed = run(pool, kernels, commands, count, &pool->trace);
    pool->threads->trace(nullptr);
    return failed;
}

extern "C" {

int32_t weft_abi_version(void) {
    return WEFT_ABI_VERSION;
}

int32_t weft_isa_count(void) {
    return LEVEL_COUNT;
}

const char *weft_isa_name(int32_t isa) {
    return exists(isa) ? LEVELS[isa].name : nullptr;
}

int32_t weft_isa_usable(int32_t isa) {
    return exists(isa) && LEVELS[isa].usable();
}

weft_pool *weft_pool_create(int32_t threads) {
    return wrap(Pool::create(threads, nullptr, 0));
}

weft_pool *weft_pool_create_pinned(int32_t threads, const int32_t *processors, int32_t count) {
    return wrap(Pool::create(threads, processors, count));
}

void weft_pool_destroy(weft_pool *pool) {
    if (pool != nullptr) {
        Pool::destroy(pool->threads);
        delete pool;
    }
}

int32_t weft_pool_processor(weft_pool *pool, int32_t thread) {
    return pool->threads->processor(thread);
}

int32_t weft_processors(int32_t *processors, int32_t capacity) {
    return usable_processors(processors, capacity);
}

int32_t weft_memory_nodes(void) {
    return memory_nodes();
}

int32_t weft_interleave(void *memory, int64_t bytes) {
    return interleave(memory, bytes) ? 0 : 1;
}

void weft_set_kernel_mode(int32_t mode) {
    kernel_mode.store(mode);
}

const char *weft_unsupported(int32_t isa, int64_t op, const int64_t *attributes, const weft_operand *operands,
                             int64_t operand_count) {
    if (!exists(isa)) {
        return "no such instruction-set level in this library";
    }
    if (!weft_isa_usable(isa)) {
        return "the processor lacks this instruction-set level";
    }
    const KernelEntry *entry = find(table(isa), op);
    if (entry == nullptr) {
        return "no native kernel for this operator";
    }
    return entry->unsupported == nullptr ? nullptr : entry->unsupported(attributes, operands, operand_count);
}

const char *weft_kernel_name(int32_t isa, int64_t op, const weft_operand *operands, int64_t operand_count) {
    const KernelEntry *entry = find(table(isa), op);
    if (entry == nullptr) {
        return nullptr;
    }
    return entry->variant == nullptr ? entry->name : entry->variant(operands, operand_count);
}

int64_t weft_workspace(int32_t isa, int64_t op, const int64_t *attributes, const weft_operand *operands,
                       int64_t operand_count, int32_t threads) {
    const KernelEntry *entry = find(table(isa), op);
    if (entry == nullptr || entry->workspace == nullptr) {
        return 0;
    }
    return entry->workspace(attributes, operands, operand_count, threads);
}

int64_t weft_packed_bytes(int32_t isa, const weft_operand *w) {
    if (!exists(isa) || packing::unsupported(*w) != nullptr) {
        return -1;
    }
    return packing::matrix_bytes(w->dtype, w->dims[0], w->dims[1]);
}

const char *weft_pack_id(int32_t isa, const weft_operand *w) {
    return exists(isa) && packing::unsupported(*w) == nullptr ? packing::id(w->dtype) : nullptr;
}

int32_t weft_pack(int32_t isa, const weft_operand *w, void *target) {
    if (!exists(isa) || packing::unsupported(*w) != nullptr) {
        return 1;
    }
    packing::pack(*w, static_cast<uint8_t *>(target));
    return 0;
}

int64_t weft_run(weft_pool *pool, int32_t isa, const weft_command *commands, int64_t count) {
    const KernelEntry *kernels = table(isa);
    int64_t failed = 0;
    pool->threads->begin_step();
    switch (kernel_mode.load(std::memory_order_relaxed)) {
        case WEFT_KERNELS_RECORD:
            failed = record(pool, kernels, commands, count);
            break;
        case WEFT_KERNELS_EMPTY:
            failed = pool->trace.repeat(*pool->threads, count) ? 0 : 1;
            break;
        default:
            failed = run(pool, kernels, commands, count, nullptr);
    }
    pool->threads->end_step();
    return failed;
}

int32_t weft_has_limit(int32_t isa, int64_t kind) {
    return weft_isa_usable(isa) && LEVELS[isa].has_limit(kind);
}

int64_t weft_limit(weft_pool *pool, int32_t isa, int64_t kind, const void *data, int64_t amount) {
    if (!weft_isa_usable(isa)) {
        return 0;
    }
    pool->threads->begin_step();
    const int64_t done = LEVELS[isa].limit(*pool->threads, kind, data, amount);
    pool->threads->end_step();
    return done;
}

}  // extern "C"
