// Block quantisation of activations; runs are numbered over all rows.
#include "weft/cuda/quantize_runs.cuh"

using namespace weft;

namespace {

constexpr int THREADS = 256;

}  // namespace

WEFT_KERNEL(quantize_runs, THREADS) {
    const Rows x = rows_of(call.at[0]);
    const i64 runs = RunPlace::runs_of_row(x, static_cast<int>(call.at[1].scaling & 0xFFFFFFFF));
    quantize_run(call, global_thread() / runs, global_thread() % runs, x.count);
}

// Attributes: format (DType), block, lanes.
WEFT_KERNEL(fake_quantize_runs, THREADS) {
    const Rows x = rows_of(call.at[0]);
    const i64 runs = RunPlace::runs_of_row(x, static_cast<int>(call.attribute[1]));
    fake_quantize_run(call, global_thread() / runs, global_thread() % runs, x.count);
}
