// Block quantisation of activations.
#include "weft/cuda/quantize_runs.cuh"

using namespace weft;

namespace {

constexpr int THREADS = 256;

}  // namespace

WEFT_KERNEL(quantize_runs, THREADS) {
    quantize_run(call, global_thread(), rows_of(call.at[0]).count);
}

// Attributes: format (DType), block, lanes.
WEFT_KERNEL(fake_quantize_runs, THREADS) {
    fake_quantize_run(call, global_thread(), rows_of(call.at[0]).count);
}
