// Block quantisation and back. The simple kernels give one thread to a block of values.
#include "weft/cuda/quantize.cuh"
#include "weft/cuda/rows.cuh"

using namespace weft;

namespace {

constexpr int THREADS = 256;

// Scale byte of columns [from, from + block) of row i.
__device__ __forceinline__ u32 scale_of_block(const Rows &x, i64 i, i64 from, i64 block, bool e4m3) {
    u32 greatest = 0;
    for (i64 c = from; c < from + block; c++) {
        greatest = max(greatest, magnitude_bits(x.load(i, c)));
    }
    return block_scale(greatest, e4m3);
}

}  // namespace

WEFT_KERNEL(quantize_simple, THREADS) {
    const Rows x = rows_of(call.at[0]);
    const Operand &result = call.at[1];
    const Rows y = rows_of(result);
    const bool e4m3 = y.dtype == F8_E4M3;
    const i64 block = result.scaling & 0xFFFFFFFF;
    const i64 blocks = x.columns / block;
    const i64 i = global_thread() / blocks;
    const i64 from = global_thread() % blocks * block;
    if (i >= x.count) {
        return;
    }
    const u32 scale = scale_of_block(x, i, from, block, e4m3);
    static_cast<u8 *>(result.scale)[scale_at(result, i, from)] = static_cast<u8>(scale);
    u8 *codes = static_cast<u8 *>(y.data) + (y.at(i) + from) / (e4m3 ? 1 : 2);
    if (e4m3) {
        for (i64 c = 0; c < block; c++) {
            codes[c] = static_cast<u8>(quantize(x.load(i, from + c), scale, true));
        }
    } else {
        for (i64 c = 0; c < block; c += 2) {
            const u32 low = quantize(x.load(i, from + c), scale, false);
            codes[c / 2] = static_cast<u8>(quantize(x.load(i, from + c + 1), scale, false) << 4 | low);
        }
    }
}

// y = code * scale: one thread per element.
WEFT_KERNEL(dequantize, THREADS) {
    const Rows x = rows_of(call.at[0]);
    const Rows y = rows_of(call.at[1]);
    const i64 element = global_thread();
    if (element < y.count * y.columns) {
        const i64 i = element / y.columns;
        const i64 c = element % y.columns;
        y.store(i, c, load_scaled(call.at[0], x, i, c));
    }
}

// The first lanes of each row quantised and decoded, the others copied: one thread per block or other lane.
// Attributes: format (DType), block, lanes.
WEFT_KERNEL(fake_quantize_simple, THREADS) {
    const Rows x = rows_of(call.at[0]);
    const Rows y = rows_of(call.at[1]);
    const bool e4m3 = call.attribute[0] == F8_E4M3;
    const i64 block = call.attribute[1];
    const i64 lanes = call.attribute[2];
    const i64 blocks = lanes / block;
    const i64 items = blocks + x.columns - lanes;
    const i64 i = global_thread() / items;
    const i64 item = global_thread() % items;
    if (i >= x.count) {
        return;
    }
    if (item >= blocks) {
        const i64 c = lanes + item - blocks;
        y.store(i, c, x.load(i, c));
        return;
    }
    const i64 from = item * block;
    const u32 scale = scale_of_block(x, i, from, block, e4m3);
    for (i64 c = from; c < from + block; c++) {
        y.store(i, c, fake_quantize(x.load(i, c), scale, e4m3));
    }
}
