// Inputs of a step, which the host has left in pinned memory: one launch in place of a copy for each.
#include "weft/cuda/rows.cuh"

using namespace weft;

namespace {

constexpr int THREADS = 256;

}  // namespace

// Operand y has a row of the grid: `scale` is where its bytes are on the host, their number is the first of `dims`. A thread
// copies a word, or a byte behind the last whole word, so that all bytes are under way at once.
WEFT_KERNEL(feed, THREADS) {
    const Operand &input = call.at[blockIdx.y];
    const u8 *from = static_cast<const u8 *>(input.scale);
    u8 *to = static_cast<u8 *>(input.data);
    const bool in_words = (reinterpret_cast<u64>(from) | reinterpret_cast<u64>(to)) % 4 == 0;
    const i64 words = in_words ? input.dims[0] / 4 : 0;
    const i64 i = static_cast<i64>(blockIdx.x) * THREADS + threadIdx.x;
    if (i < words) {
        reinterpret_cast<u32 *>(to)[i] = reinterpret_cast<const u32 *>(from)[i];
    } else if (i + 3 * words < input.dims[0]) {
        to[i + 3 * words] = from[i + 3 * words];
    }
}
