// SparseAttention of BF16 rows on tensor cores, whose blocks walk whole lists and rotate what they make.
#include "weft/cuda/attention_block.cuh"

using namespace weft;
using namespace weft::attention;

// Parts: SparseAttention and Rotary. Grid: rows, groups of heads. Attributes: window, ratio, reach, scale, stages, 0; those of
// the rotation.
#define WEFT_ROTATED_ATTENTION(width, head_tiles)                                          \
    WEFT_KERNEL_OF_CALLS(rotated_attention_##width##_##head_tiles, weft::attention::THREADS, 1) { \
        using Kernel = Block<width, head_tiles, true>;                                     \
        WEFT_SHARED_MEMORY(Kernel::Shared, shared);                                        \
        Kernel(calls.part[0], &calls.part[1], *shared).run();                              \
    }
WEFT_ROTATED_ATTENTION(512, 4)
WEFT_ROTATED_ATTENTION(512, 1)
WEFT_ROTATED_ATTENTION(192, 4)
WEFT_ROTATED_ATTENTION(192, 1)
WEFT_ROTATED_ATTENTION(64, 4)
WEFT_ROTATED_ATTENTION(64, 1)
