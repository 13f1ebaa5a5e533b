// SparseAttention of BF16 rows on tensor cores.
#include "weft/cuda/attention_block.cuh"

using namespace weft;
using namespace weft::attention;

// Grid: rows, groups of heads, splits of the list or 1. Attributes: window, ratio, reach, scale, stages, splits.
#define WEFT_SPARSE_ATTENTION(width, head_tiles)                                        \
    WEFT_KERNEL(sparse_attention_##width##_##head_tiles, THREADS, 1) {                  \
        using Kernel = Block<width, head_tiles, false>;                                 \
        WEFT_SHARED_MEMORY(Kernel::Shared, shared);                                     \
        Kernel(call, nullptr, *shared).run();                                           \
    }
WEFT_SPARSE_ATTENTION(512, 4)
WEFT_SPARSE_ATTENTION(512, 1)
WEFT_SPARSE_ATTENTION(192, 4)
WEFT_SPARSE_ATTENTION(192, 1)
WEFT_SPARSE_ATTENTION(64, 4)
WEFT_SPARSE_ATTENTION(64, 1)

// Grid: rows, heads. A thread for every two columns.
WEFT_KERNEL(sparse_attention_combine, THREADS) {
    combine_head(call, blockIdx.x, blockIdx.y);
}
