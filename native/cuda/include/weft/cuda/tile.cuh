// Rows of BF16 in shared memory as matrices that ldmatrix reads without bank conflicts.
#ifndef WEFT_CUDA_TILE_CUH
#define WEFT_CUDA_TILE_CUH

#include "weft/cuda/async.cuh"
#include "weft/cuda/mma.cuh"
#include "weft/cuda/rows.cuh"

namespace weft {

// Elements that move together: 16 bytes.
constexpr int CHUNK = 8;

// Rows of WIDTH elements. Chunks of a row are exchanged by its number, so that a column of chunks lies in all banks.
template <int WIDTH>
struct Tile {
    static constexpr int CHUNKS = WIDTH / CHUNK;
    static constexpr int MASK = CHUNKS < 8 ? CHUNKS - 1 : 7;
    static_assert(WIDTH % 16 == 0 && (MASK & (MASK + 1)) == 0 && CHUNKS % (MASK + 1) == 0);

    u16 *data;

    // Starts the copy of a chunk from global memory; zeros if there is no source. Rows with odd pitches are copied at once.
    __device__ __forceinline__ void fetch(int row, int chunk, const bf16 *source) const {
        u16 *to = data + row * WIDTH + (chunk ^ (row & MASK)) * CHUNK;
        if (source == nullptr) {
            *reinterpret_cast<uint4 *>(to) = make_uint4(0, 0, 0, 0);
            return;
        }
        const bf16 *from = source + chunk * CHUNK;
        if (reinterpret_cast<u64>(from) % 16 == 0) {
            copy_async_16(to, from);
            return;
        }
        for (int i = 0; i < CHUNK; i++) {
            to[i] = from[i].code;
        }
    }

    // The fragments below begin at a row that is a multiple of 8 and at an even chunk.

    // A of a product: 16 rows and 16 columns.
    __device__ __forceinline__ void rows_by_columns(u32 (&a)[4], int row, int chunk) const {
        ldmatrix_x4(a, lane_address(row, chunk, lane_id() % 16, lane_id() / 16));
    }

    // B of two products with the tile's transpose: 8 rows each, 16 columns.
    __device__ __forceinline__ void columns_by_rows(u32 (&b)[4], int row, int chunk) const {
        const int lane = lane_id();
        ldmatrix_x4(b, lane_address(row, chunk, lane % 8 + lane / 16 * 8, lane / 8 % 2));
    }

    // B of two products with the tile itself: 16 rows, 8 columns each.
    __device__ __forceinline__ void rows_as_depth(u32 (&b)[4], int row, int chunk) const {
        ldmatrix_x4_trans(b, lane_address(row, chunk, lane_id() % 16, lane_id() / 16));
    }

private:
    // Where the lane's row of 8 elements lies. What depends on the lane is kept apart from what the compiler knows: an
    // address for each fragment of an unrolled loop would not fit the registers.
    __device__ __forceinline__ u16 *lane_address(int row, int chunk, int lane_row, int lane_chunk) const {
        const int lane = lane_row * WIDTH + (lane_chunk ^ (lane_row & MASK)) * CHUNK;
        return data + (lane ^ (chunk & MASK) * CHUNK) + row * WIDTH + (chunk & ~MASK) * CHUNK;
    }
};

}  // namespace weft

#endif
