// Several operators that work row by row in one launch. Parts with the same blocks follow one another there, so that one may read
// what another wrote for the same rows; parts with other blocks run beside them. What a part does to a row is the code of
// the operator's own kernel, with the same number of threads, so its bits are the same.
#include "weft/cuda/compress_row.cuh"
#include "weft/cuda/hyper_finish.cuh"
#include "weft/cuda/norm_rows.cuh"
#include "weft/cuda/parts.cuh"
#include "weft/cuda/quantize_runs.cuh"
#include "weft/cuda/ring.cuh"
#include "weft/cuda/rotary.cuh"
#include "weft/cuda/route_rows.cuh"
#include "weft/cuda/split_list.cuh"
#include "weft/cuda/swi_glu.cuh"

using namespace weft;

namespace {

constexpr int THREADS = 256;

// Ordinals of dev.weft.backend.cuda.kernel.RowPart.
enum Kind : i64 {
    NONE,
    RMS_NORM,
    HEAD_NORM,
    ROTARY,
    HADAMARD,
    QUANTIZE,
    FAKE_QUANTIZE,
    SWI_GLU,
    SCALE,
    RING_WRITE,
    COMPRESS,
    GATE,
    DISPATCH,
    ROUTE,
    HYPER_ROW,
    HYPER_COEFFICIENTS,
    COMBINE_SPLITS
};

// Rows of a block.
struct Span {
    i64 first;
    i64 end;
};

// f(row) for every row, by a warp each or by the block.
template <class F>
__device__ __forceinline__ void each_by_warp(const Span &span, const F &f) {
    for (i64 row = span.first + warp_id(); row < span.end; row += THREADS / WARP) {
        f(row);
    }
}

template <class F>
__device__ __forceinline__ void each_by_block(const Span &span, const F &f) {
    for (i64 row = span.first; row < span.end; row++) {
        f(row);
        __syncthreads();  // shared memory of the next row may be that of this one
    }
}

// f(row, run) for the runs of all rows, and of rows behind the last: every thread of a warp goes as far as the others.
template <class F>
__device__ __forceinline__ void each_run(const Span &span, i64 runs_of_row, const F &f) {
    const int runs = static_cast<int>(runs_of_row);
    const int count = static_cast<int>(span.end - span.first) * runs;
    const int thread = static_cast<int>(threadIdx.x);
    for (int begin = 0; begin < count; begin += THREADS) {
        f(span.first + (begin + thread) / runs, (begin + thread) % runs);
    }
}

__device__ __forceinline__ void norm(const Call &call, const Span &span, bool of_heads) {
    const bool wide = rows_of(call.at[0]).columns > WARP_COLUMNS;
    if (wide) {
        each_by_block(span, [&](i64 row) { of_heads ? head_norm<true>(call, row) : rms_norm<true>(call, row); });
    } else {
        each_by_warp(span, [&](i64 row) { of_heads ? head_norm<false>(call, row) : rms_norm<false>(call, row); });
    }
}

// Rotation of runs, each with angles of its own.
template <class T>
__device__ __forceinline__ void rotary(const Call &call, const Span &span) {
    const Rows x = rows_of(call.at[0]);
    const Rows y = rows_of(call.at[2]);
    const i64 first = x.columns - call.attribute[0];
    const i64 runs = x.columns / RUN;
    const i32 *positions = static_cast<const i32 *>(call.at[1].data);
    const float *frequencies = static_cast<const float *>(call.table[0]);
    each_run(span, runs, [&](i64 row, int run) {
        const i64 c = run * RUN;
        if (row >= span.end) {
            return;
        }
        const T *from = x.row<const T>(row) + c;
        float v[RUN];
        load_run(from, RUN, is_aligned(from, 16), v);
        if (c >= first) {
            const i32 position = positions[row / x.inner];
#pragma unroll
            for (int e = 0; e < RUN; e += 2) {
                rotate_pair(v[e], v[e + 1], position, frequencies[(c - first + e) / 2], call.attribute[1] != 0);
            }
        }
        T *to = y.row<T>(row) + c;
        store_run(to, RUN, is_aligned(to, 16), v);
    });
}

template <class T>
__device__ __forceinline__ void swi_glu(const Call &call, const Span &span) {
    const i64 runs = ceil_div(rows_of(call.at[0]).columns, SWI_GLU_RUN);
    each_run(span, runs, [&](i64 row, int run) {
        if (row < span.end) {
            swi_glu_run<T>(call, row, run * SWI_GLU_RUN);
        }
    });
}

template <class T>
__device__ __forceinline__ void scale(const Call &call, const Span &span) {
    const Rows x = rows_of(call.at[0]);
    const Rows y = rows_of(call.at[1]);
    const float factor = static_cast<float>(real(call.attribute[0]));
    each_run(span, x.columns, [&](i64 row, int c) {
        if (row < span.end) {
            store_to(y.row<T>(row) + c, to_float(x.row<const T>(row)[c]) * factor);
        }
    });
}

__device__ __forceinline__ void hyper(const Call &call, const Span &span, bool coefficients) {
    __shared__ float mix[MOST_SUMS];
    each_by_block(span, [&](i64 row) {
        add_chunks(call, row, static_cast<float>(real(call.attribute[1])), mix);
        if (!coefficients) {
            call.at[0].dtype == F32 ? finish_row<float>(call, row, mix) : finish_row<bf16>(call, row, mix);
        } else if (warp_id() == 0) {
            finish_coefficients(call, row, mix);
        }
    });
}

__device__ __forceinline__ void compute(const Call &call, const Span &span, void *memory) {
    const bool wide = call.at[0].dtype == F32;
    switch (call.attribute[PART_KIND]) {
        case RMS_NORM:
        case HEAD_NORM:
            norm(call, span, call.attribute[PART_KIND] == HEAD_NORM);
            return;
        case ROTARY:
            wide ? rotary<float>(call, span) : rotary<bf16>(call, span);
            return;
        case HADAMARD:
            each_by_warp(span, [&](i64 row) { hadamard_128(call, row); });
            return;
        case QUANTIZE: {
            const int block = static_cast<int>(call.at[1].scaling & 0xFFFFFFFF);
            each_run(span, RunPlace::runs_of_row(rows_of(call.at[0]), block),
                     [&](i64 row, int run) { quantize_run(call, row, run, span.end); });
            return;
        }
        case FAKE_QUANTIZE:
            each_run(span, RunPlace::runs_of_row(rows_of(call.at[0]), static_cast<int>(call.attribute[1])),
                     [&](i64 row, int run) { fake_quantize_run(call, row, run, span.end); });
            return;
        case SWI_GLU:
            wide ? swi_glu<float>(call, span) : swi_glu<bf16>(call, span);
            return;
        case SCALE:
            wide ? scale<float>(call, span) : scale<bf16>(call, span);
            return;
        case RING_WRITE:
            each_by_block(span, [&](i64 row) { ring::write_row(call, row); });
            return;
        case COMPRESS:
            each_by_block(span, [&](i64 row) { compressor::compress_row(call, row, static_cast<float *>(memory)); });
            return;
        case GATE:
            gate_rows(call, span.first, span.end, memory);
            return;
        case DISPATCH:
            dispatch_few(call, static_cast<i32 *>(memory));
            return;
        case HYPER_ROW:
        case HYPER_COEFFICIENTS:
            hyper(call, span, call.attribute[PART_KIND] == HYPER_COEFFICIENTS);
            return;
        case COMBINE_SPLITS: {
            const i64 heads = call.at[0].dims[1];
            each_by_block(span, [&](i64 row) { attention::combine_head(call, row / heads, row % heads); });
            return;
        }
        default:
            return;
    }
}

// Small operands that rows would wait for, one after the other.
__device__ __forceinline__ void ahead(const Calls &calls) {
#pragma unroll 1
    for (u32 parts = parts_of(calls); parts != 0; parts &= parts - 1) {
        const Call &call = calls.part[first_part(parts)];
        if (call.attribute[PART_COLUMNS] == 0) {
            continue;
        }
        switch (call.attribute[PART_KIND]) {
            case RMS_NORM:
                prefetch_norm(call);
                break;
            case GATE:  // and not ROUTE: which blocks choose is not known yet
                prefetch_gate(call);
                break;
            case HYPER_ROW:
            case HYPER_COEFFICIENTS:
                prefetch_finish(call, call.attribute[PART_KIND] == HYPER_COEFFICIENTS);
                break;
            default:
                break;
        }
    }
}

}  // namespace

// Attributes: those of each operator, then those of its part: rows in all, rows of a block, and which blocks. A route is a gate's
// call before that of a distribution, and its blocks have no other part.
WEFT_KERNEL_OF_CALLS_AHEAD(rows_together, ahead, THREADS) {
    WEFT_SHARED_MEMORY(u64, memory);
#pragma unroll 1
    for (u32 parts = parts_of(calls); parts != 0; parts &= parts - 1) {
        const int part = first_part(parts);
        const Call &call = calls.part[part];
        const i64 *word = call.attribute;
        if (word[PART_KIND] == ROUTE) {
            route_rows(call, calls.part[part + 1], memory);
            return;
        }
        const i64 first = (blockIdx.x - word[PART_FIRST]) * word[PART_HEIGHT];
        compute(call, {first, min(first + word[PART_HEIGHT], word[PART_COLUMNS])}, memory);
        __syncthreads();  // the next part reads what this one wrote
    }
}
