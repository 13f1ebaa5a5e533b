// The operands of Compress, the rows that an entry is made of, and what becomes of their weighted mean.
#ifndef WEFT_CUDA_COMPRESS_CUH
#define WEFT_CUDA_COMPRESS_CUH

#include "weft/cuda/quantize.cuh"
#include "weft/cuda/rotary.cuh"
#include "weft/cuda/sequences.cuh"

namespace weft {

namespace compressor {

enum At { K, Z, APE, NORM, K_RING, Z_RING, CACHE, POSITIONS, STARTS, SLOTS, PAGES };
enum Attribute { RATIO, OVERLAP, ROTARY_LANES, EPSILON, FORM, ATTRIBUTES };
enum Form { FORM_PLAIN, FORM_FP8, FORM_HADAMARD, FORM_HADAMARD_FP4 };

// An entry that ends in the step, and the rows that it is made of.
struct Entry {
    Sequence sequence;
    i32 slot;
    i32 index;
    i32 first;  // position of the first row
    i32 rows;
};

// The entry that a row of the step ends. For the whole block, for rows that end one; index -1 if the row is of no sequence.
__device__ __forceinline__ Entry entry_of_row(const Call &call, i64 row) {
    Entry e = {sequence_of(call.at[POSITIONS], call.at[STARTS], row), 0, -1, 0, 0};
    if (e.sequence.index < 0) {
        return e;
    }
    const i32 ratio = static_cast<i32>(call.attribute[RATIO]);
    e.slot = index_at(call.at[SLOTS], e.sequence.index);
    e.index = index_at(call.at[POSITIONS], row) / ratio;
    const i32 before = call.attribute[OVERLAP] != 0 && e.index > 0 ? 1 : 0;
    e.first = (e.index - before) * ratio;
    e.rows = (before + 1) * ratio;
    return e;
}

// Whether an entry ends with this row.
__device__ __forceinline__ bool ends_entry(const Call &call, i64 row) {
    return (index_at(call.at[POSITIONS], row) + 1) % call.attribute[RATIO] == 0;
}

// One row of an entry's softmax, at the first of its channels.
struct Source {
    const float *k;
    const float *z;
    const float *ape;
};

// An overlapping entry sees the block before through the low channels and its own through the high ones.
__device__ __forceinline__ Source source(const Call &call, const Entry &e, i32 t) {
    const i32 ratio = static_cast<i32>(call.attribute[RATIO]);
    const i32 position = e.first + t;
    const bool own = t >= e.rows - ratio;
    const i64 channel = call.attribute[OVERLAP] != 0 && own ? call.at[CACHE].dims[2] : 0;
    return {step_or_ring<float>(call.at[K], call.at[K_RING], e.sequence, e.slot, position) + channel,
            step_or_ring<float>(call.at[Z], call.at[Z_RING], e.sequence, e.slot, position) + channel,
            row_of<const float>(call.at[APE], position % ratio) + channel};
}

// ---- from the weighted mean to the entry: `entry` is in shared memory, a value per lane ----

// Rounds to the narrow format and back, in blocks of neighbouring lanes; a warp takes a block.
__device__ __forceinline__ void fake_quantize_lanes(float *entry, int lanes, int block, bool e4m3) {
    const int warps = static_cast<int>(blockDim.x) / WARP;
    for (int first = warp_id() * block; first < lanes; first += warps * block) {
        u32 greatest = 0;
        for (int c = first + lane_id(); c < first + block; c += WARP) {
            greatest = max(greatest, magnitude_bits(entry[c]));
        }
        for (int distance = WARP / 2; distance > 0; distance /= 2) {
            greatest = max(greatest, __shfl_xor_sync(ALL_LANES, greatest, distance));
        }
        const u32 scale = block_scale(greatest, e4m3);
        for (int c = first + lane_id(); c < first + block; c += WARP) {
            entry[c] = fake_quantize(entry[c], scale, e4m3);
        }
    }
}

__device__ __forceinline__ void hadamard(float *entry, int width) {
    for (int stride = 1; stride < width; stride *= 2) {
        for (int pair = static_cast<int>(threadIdx.x); pair < width / 2; pair += static_cast<int>(blockDim.x)) {
            float *low = entry + 2 * pair - (pair & (stride - 1));
            const float a = low[0];
            const float b = low[stride];
            low[0] = a + b;
            low[stride] = a - b;
        }
        __syncthreads();
    }
}

// Norm, rotation at the entry's first position, and the form; every step rounds to the cache's format.
template <class T>
__device__ __forceinline__ void finish(const Call &call, const Entry &e, float *entry) {
    const int width = static_cast<int>(call.at[CACHE].dims[2]);
    const int rotated = static_cast<int>(call.attribute[ROTARY_LANES]);
    const int form = static_cast<int>(call.attribute[FORM]);
    const int thread = static_cast<int>(threadIdx.x);
    const int threads = static_cast<int>(blockDim.x);
    float squares = 0;
    for (int c = thread; c < width; c += threads) {
        const float x = round_to<T>(entry[c]);
        squares = fmaf(x, x, squares);
    }
    const float eps = static_cast<float>(real(call.attribute[EPSILON]));
    const float factor = 1.0f / sqrtf(block_sum(squares) / static_cast<float>(width) + eps);
    const Operand &norm = call.at[NORM];
    for (int c = thread; c < width; c += threads) {
        entry[c] = round_to<T>(load_element(norm.data, norm.dtype, c) * (round_to<T>(entry[c]) * factor));
    }
    __syncthreads();
    const float *frequencies = static_cast<const float *>(call.table[0]);
    const i32 position = e.index * static_cast<i32>(call.attribute[RATIO]);
    for (int pair = thread; pair < rotated / 2; pair += threads) {
        float *lanes = entry + width - rotated + 2 * pair;
        rotate_pair(lanes[0], lanes[1], position, frequencies[pair], false);
        lanes[0] = round_to<T>(lanes[0]);
        lanes[1] = round_to<T>(lanes[1]);
    }
    __syncthreads();
    if (form == FORM_FP8) {
        fake_quantize_lanes(entry, width - rotated, 64, true);
        __syncthreads();
    }
    if (form == FORM_HADAMARD || form == FORM_HADAMARD_FP4) {
        hadamard(entry, width);
        const float normalised = 1.0f / sqrtf(static_cast<float>(width));
        for (int c = thread; c < width; c += threads) {
            entry[c] = round_to<T>(entry[c] * normalised);
        }
        __syncthreads();
    }
    if (form == FORM_HADAMARD_FP4) {
        fake_quantize_lanes(entry, width, 32, false);
        __syncthreads();
    }
    T *to = entry_of<T>(call.at[CACHE], row_of<const i32>(call.at[PAGES], e.sequence.index), e.index);
    for (int c = thread; c < width; c += threads) {
        store_to(to + c, entry[c]);
    }
}

__device__ __forceinline__ void finish(const Call &call, const Entry &e, float *entry) {
    if (call.at[CACHE].dtype == F32) {
        finish<float>(call, e, entry);
    } else {
        finish<bf16>(call, e, entry);
    }
}

}  // namespace compressor

}  // namespace weft

#endif
