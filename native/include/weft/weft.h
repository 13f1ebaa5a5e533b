// C interface between the Java CPU backend and the native kernels.
//
// All structures consist of 64-bit words, so that Java writes them without padding rules. A step is an array of
// weft_command; weft_run executes it in order on a thread pool and returns once. Nothing here throws or aborts.
#ifndef WEFT_WEFT_H
#define WEFT_WEFT_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WEFT_API __attribute__((visibility("default")))

// Raised with every incompatible change of this file; Java refuses another value.
#define WEFT_ABI_VERSION 4

// Ordinals of dev.weft.DType.
enum weft_dtype {
    WEFT_F32 = 0,
    WEFT_BF16 = 1,
    WEFT_F16 = 2,
    WEFT_F8_E4M3 = 3,
    WEFT_F8_E5M2 = 4,
    WEFT_F8_E8M0 = 5,
    WEFT_F4_E2M1 = 6,
    WEFT_I8 = 7,
    WEFT_U8 = 8,
    WEFT_I16 = 9,
    WEFT_I32 = 10,
    WEFT_I64 = 11
};

// Same words as dev.weft.spi.KernelArguments.
typedef struct weft_operand {
    void *data;       // first element; codes for quantised formats
    void *scale;      // E8M0 bytes, row-major and tight; null if unscaled or packed
    int64_t dtype;    // weft_dtype
    int64_t scaling;  // block rows << 32 | block columns; 0 for none
    int64_t rank;
    int64_t pitch;    // elements between consecutive indices of axis 0; other axes are tight
    int64_t dims[4];
} weft_operand;

// Operators with a native kernel. Contracts: the records of dev.weft.op. The comment lists the attribute words; (d) marks
// a word that holds the bits of a double, (p) an address. A rotary table is three words: dim, inverse frequencies (p,
// float[dim/2]), spare.
enum weft_op {
    WEFT_GATHER = 0,             // -
    WEFT_EXPAND = 1,             // copies
    WEFT_RMS_NORM = 2,           // eps(d)
    WEFT_HEAD_NORM = 3,          // eps(d)
    WEFT_ROTARY = 4,             // rotary table x3, inverse
    WEFT_QUANTIZE = 5,           // - (dtype and scaling of the result operand)
    WEFT_DEQUANTIZE = 6,         // -
    WEFT_FAKE_QUANTIZE = 7,      // weft_dtype, block, lanes
    WEFT_HADAMARD = 8,           // -
    WEFT_GEMM = 9,               // - ; operand 1 is packed (weft_pack)
    WEFT_GROUPED_GEMM = 10,      // - ; operand 1 is packed, one packed matrix per group
    WEFT_EXPERT_GEMM = 11,       // - ; operand 1 is packed, one packed matrix per expert
    WEFT_SPARSE_ATTENTION = 12,  // window, ratio, reach (0 window, 1 all, 2 picked), scale(d)
    WEFT_COMPRESS = 13,          // ratio, overlap, rotary table x3, eps(d), form (ordinal of EntryForm)
    WEFT_LIGHTNING_INDEX = 14,   // topK, ratio
    WEFT_RING_WRITE = 15,        // -
    WEFT_MOE_GATE = 16,          // topK, score (ordinal of MoeGate.Score), hashed, routeScale(d)
    WEFT_MOE_DISPATCH = 17,      // experts, first
    WEFT_SWIGLU = 18,            // limit(d), weighted
    WEFT_MOE_COMBINE = 19,       // -
    WEFT_HYPER_PRE = 20,         // streams, iterations, normEps(d), eps(d)
    WEFT_HYPER_POST = 21,        // -
    WEFT_HYPER_HEAD = 22,        // streams, normEps(d), eps(d)
    WEFT_ADD = 23,               // -
    WEFT_MUL = 24,               // -
    WEFT_SCALE = 25,             // factor(d)
    WEFT_CAST = 26,              // -
    WEFT_CONCAT = 27,            // -
    WEFT_SLICE = 28,             // from, to
    WEFT_SOFTMAX = 29,           // -
    WEFT_TOP_K = 30,             // k
    WEFT_MOE_PLACES = 31,        // places (p, int32[experts]), slots
    WEFT_UNSORT = 32,            // -
    // several operators in one: two products of the same rows, WEFT_SWIGLU of both, and WEFT_QUANTIZE of that if quantised.
    // Operands: x, w of gate, (experts: offsets,) gate, w of up, up, (weighted: weights of rows,) activation, (quantised:
    // codes). Gate and up, and an activation that is quantised, have extents but no memory.
    WEFT_GATED_GEMM = 33,         // limit(d), weighted, quantised
    WEFT_GATED_EXPERT_GEMM = 34,  // limit(d), weighted, quantised
    // From one sublayer into the next: WEFT_HYPER_POST if leaving, WEFT_HYPER_PRE, WEFT_RMS_NORM of its first result, and
    // WEFT_QUANTIZE of that if quantised. Operands: (leaving: y, x, post, comb,) streams, fn, scale, base, y, post, comb,
    // weight of the norm, its result, (quantised: codes). y has no memory; the norm's result may have none if quantised.
    WEFT_HYPER_STEP = 35,         // streams, iterations, normEps(d), eps(d), eps of the norm(d), leaving, quantised
    WEFT_OP_COUNT = 36
};

typedef struct weft_command {
    int64_t op;                  // weft_op
    const int64_t *attributes;
    const weft_operand *operands;  // operands, then results
    void *workspace;             // weft_workspace bytes, 64-byte aligned; null if none are needed
} weft_command;

typedef struct weft_pool weft_pool;

WEFT_API int32_t weft_abi_version(void);

// Instruction-set levels compiled into this library, lowest first: "baseline", "avx2", "avx512", "avx512bf16" on x86-64;
// "baseline", "neon", "neonbf16" on aarch64. A level may run only where weft_isa_usable says 1.
WEFT_API int32_t weft_isa_count(void);
WEFT_API const char *weft_isa_name(int32_t isa);
WEFT_API int32_t weft_isa_usable(int32_t isa);

// A pool of `threads` workers, the calling thread of weft_run being one of them. One weft_run at a time per pool.
WEFT_API weft_pool *weft_pool_create(int32_t threads);
WEFT_API void weft_pool_destroy(weft_pool *pool);

// Null if the kernel of the level can run the call, else a sentence that says why not. Extents are upper bounds; a negative
// extent is unknown. Addresses are ignored.
WEFT_API const char *weft_unsupported(int32_t isa, int64_t op, const int64_t *attributes, const weft_operand *operands,
                                      int64_t operand_count);

// Name for placement tables; static storage.
WEFT_API const char *weft_kernel_name(int32_t isa, int64_t op, const weft_operand *operands, int64_t operand_count);

// Scratch bytes of a call at the given extents.
WEFT_API int64_t weft_workspace(int32_t isa, int64_t op, const int64_t *attributes, const weft_operand *operands,
                                int64_t operand_count, int32_t threads);

// Bytes of one packed matrix w [N, K] (dtype and scaling from the operand). The layout belongs to the level; weft_pack_id
// names it, and levels that give the same name share packed matrices.
WEFT_API int64_t weft_packed_bytes(int32_t isa, const weft_operand *w);
WEFT_API const char *weft_pack_id(int32_t isa, const weft_operand *w);
// Packs row-major w with its scales to `target` (64-byte aligned). May be called from several threads.
WEFT_API int32_t weft_pack(int32_t isa, const weft_operand *w, void *target);

// Runs the commands in order. 0; 1 + the index of the command that has no kernel; or -1 - the index of the command whose
// weights could not be read (weft_pager_failure says why). Nothing runs from that command on.
WEFT_API int64_t weft_run(weft_pool *pool, int32_t isa, const weft_command *commands, int64_t count);

// Ceilings of the machine, as far as a level's instructions reach them. The first two exist at every level.
enum weft_limit_kind {
    WEFT_LIMIT_READ = 0,      // bytes read from memory
    WEFT_LIMIT_F32_FMA = 1,   // operations; a multiplication and an addition are two
    WEFT_LIMIT_BF16_DOT = 2,  // operations of the BF16 pair dot with F32 sums
    WEFT_LIMIT_INT8_DOT = 3,  // operations of the 8-bit dot with 32-bit sums
    WEFT_LIMIT_COUNT = 4
};

// Whether the level has the unit.
WEFT_API int32_t weft_has_limit(int32_t isa, int64_t kind);
// Does nothing but work of one kind on all threads of the pool: reads `amount` bytes at `data` once, or computes at least
// `amount` operations in registers (`data` is ignored). Returns the bytes or operations done, which over the time the
// call took is the ceiling; 0 if the level has no such unit or `amount` is not positive. As weft_run, one at a time per
// pool.
WEFT_API int64_t weft_limit(weft_pool *pool, int32_t isa, int64_t kind, const void *data, int64_t amount);

// Processors this process may use, ascending: writes the first `capacity` and returns how many there are, 0 if unknown.
WEFT_API int32_t weft_processors(int32_t *processors, int32_t capacity);

// A pool whose threads 1, 2, ... run on one processor each: thread i on processors[i % count]. The calling thread of
// weft_run, thread 0, stays as it is. Null if the system gives no thread or refuses a processor.
WEFT_API weft_pool *weft_pool_create_pinned(int32_t threads, const int32_t *processors, int32_t count);
// The only processor that thread `thread` >= 1 of a pool may run on; -1 if there are several.
WEFT_API int32_t weft_pool_processor(weft_pool *pool, int32_t thread);

// Memory nodes this process may use; 0 if unknown.
WEFT_API int32_t weft_memory_nodes(void);
// Spreads pages that nobody has touched yet evenly over all memory nodes. 0, or 1 if the system refuses.
WEFT_API int32_t weft_interleave(void *memory, int64_t bytes);

// What weft_run does from now on, on every pool: for measuring overhead.
enum weft_kernel_mode {
    WEFT_KERNELS_RUN = 0,     // runs the commands
    WEFT_KERNELS_RECORD = 1,  // runs them and notes their parallel loops with the pool
    // runs, for each command, the loops last noted with nothing in them; refuses a list of another length
    WEFT_KERNELS_EMPTY = 2
};
WEFT_API void weft_set_kernel_mode(int32_t mode);

// ---- weights that are read from their files when a kernel needs them ----
//
// A pager owns slots of equal size. A paged weight is a list of equal matrices, each kept at home (read once, stays) or in
// a slot (the least recently used one gives way). An operand names a paged weight by its `scale` word; weft_run reads what
// the command's offsets or ids ask for, in parallel, before the kernel runs. Bytes come by pread: a file that was
// shortened is an error, not a fault. The matrices have the bits that weft_pack gives.
//
// Operators that take paged weights: WEFT_GATHER (operand 0, row-major, at home; a matrix is a block of rows), WEFT_GEMM,
// WEFT_GROUPED_GEMM, WEFT_EXPERT_GEMM (operand 1, packed) and both gated products; slots for experts only.
typedef struct weft_pager weft_pager;
typedef struct weft_paged weft_paged;

// Where one matrix lies: descriptors and positions of its elements and scales (0, 0 if unscaled).
typedef struct weft_origin {
    int64_t data_file;
    int64_t data_offset;
    int64_t scale_file;
    int64_t scale_offset;
} weft_origin;

enum weft_page_error {
    WEFT_PAGE_OK = 0,
    WEFT_PAGE_IO = 1,         // detail: errno
    WEFT_PAGE_SHORT = 2,      // detail: file offset at which the file ends
    WEFT_PAGE_NAN_SCALE = 3,  // detail: index of the matrix' first scale byte that is 255
    WEFT_PAGE_NO_SLOT = 4,    // detail: slots there are
    WEFT_PAGE_NO_MEMORY = 5
};

// Opens a file for reading: a descriptor, or -errno.
WEFT_API int64_t weft_file_open(const char *path);
WEFT_API int64_t weft_file_bytes(int64_t file);
WEFT_API void weft_file_close(int64_t file);

// `slots` is slot_count * slot_bytes bytes, 64-byte aligned, which must outlive the pager. Null if there is no memory.
WEFT_API weft_pager *weft_pager_create(void *slots, int64_t slot_bytes, int64_t slot_count);
WEFT_API void weft_pager_destroy(weft_pager *pager);

// Adds `matrices` of the type of *matrix; `origins` has one entry each. Matrix i is kept at home + i * stride, or in slots
// if home is null. `packed` 0 keeps them row-major. Null if there is no memory or a slot is too small.
WEFT_API weft_paged *weft_pager_add(weft_pager *pager, const weft_operand *matrix, int64_t packed, int64_t matrices,
                                    int64_t stride, void *home, const weft_origin *origins);

// Words: matrices found in memory, matrices read, bytes read, matrices that gave way.
WEFT_API void weft_pager_counters(const weft_pager *pager, int64_t counters[4]);

// Words: weft_page_error of the last failing command, then weft_paged *, index of the matrix, detail.
WEFT_API void weft_pager_failure(const weft_pager *pager, int64_t failure[4]);

#ifdef __cplusplus
}
#endif

#endif
