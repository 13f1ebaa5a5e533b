// Elementwise operators and copies: one thread per element of the result.
#include "weft/cuda/rows.cuh"

using namespace weft;

namespace {

constexpr int THREADS = 256;

// Calls f(row, column) for the thread's element of y.
template <class F>
__device__ __forceinline__ void each_element(const Rows &y, const F &f) {
    const i64 element = global_thread();
    if (element < y.count * y.columns) {
        f(element / y.columns, element % y.columns);
    }
}

// Copies the bits of an element.
__device__ __forceinline__ void copy_element(const Rows &y, i64 i, i64 c, const Rows &x, i64 j, i64 d) {
    if (bytes_of(y.dtype) == 4) {
        y.row<u32>(i)[c] = x.row<u32>(j)[d];
    } else {
        y.row<u16>(i)[c] = x.row<u16>(j)[d];
    }
}

}  // namespace

// y[i, ...] = table[index[i], ...]; an index out of range gives NaN.
WEFT_KERNEL(gather, THREADS) {
    const Rows table = rows_of(call.at[0]);
    const i32 *index = static_cast<const i32 *>(call.at[1].data);
    const Rows y = rows_of(call.at[2]);
    const i64 entries = call.at[0].dims[0];
    each_element(y, [&](i64 i, i64 c) {
        const i32 entry = index[i / y.inner];
        const bool valid = entry >= 0 && entry < entries;
        y.store(i, c, valid ? table.load(entry * table.inner + i % y.inner, c) : not_a_number());
    });
}

// y[i, j, :] = x[i, :].
WEFT_KERNEL(expand, THREADS) {
    const Rows x = rows_of(call.at[0]);
    const Rows y = rows_of(call.at[1]);
    each_element(y, [&](i64 i, i64 c) { copy_element(y, i, c, x, i / y.inner, c); });
}

WEFT_KERNEL(add, THREADS) {
    const Rows a = rows_of(call.at[0]);
    const Rows b = rows_of(call.at[1]);
    const Rows y = rows_of(call.at[2]);
    each_element(y, [&](i64 i, i64 c) { y.store(i, c, a.load(i, c) + b.load(i, c)); });
}

WEFT_KERNEL(mul, THREADS) {
    const Rows a = rows_of(call.at[0]);
    const Rows b = rows_of(call.at[1]);
    const Rows y = rows_of(call.at[2]);
    each_element(y, [&](i64 i, i64 c) { y.store(i, c, a.load(i, c) * b.load(i, c)); });
}

// Attribute: factor.
WEFT_KERNEL(scale, THREADS) {
    const Rows x = rows_of(call.at[0]);
    const Rows y = rows_of(call.at[1]);
    const float factor = static_cast<float>(real(call.attribute[0]));
    each_element(y, [&](i64 i, i64 c) { y.store(i, c, x.load(i, c) * factor); });
}

WEFT_KERNEL(cast, THREADS) {
    const Rows x = rows_of(call.at[0]);
    const Rows y = rows_of(call.at[1]);
    each_element(y, [&](i64 i, i64 c) { y.store(i, c, x.load(i, c)); });
}

// y[..., :n] = a, y[..., n:] = b.
WEFT_KERNEL(concat, THREADS) {
    const Rows a = rows_of(call.at[0]);
    const Rows b = rows_of(call.at[1]);
    const Rows y = rows_of(call.at[2]);
    each_element(y, [&](i64 i, i64 c) {
        if (c < a.columns) {
            copy_element(y, i, c, a, i, c);
        } else {
            copy_element(y, i, c, b, i, c - a.columns);
        }
    });
}

// y[..., c] = x[..., from + c]. Attribute: from.
WEFT_KERNEL(slice, THREADS) {
    const Rows x = rows_of(call.at[0]);
    const Rows y = rows_of(call.at[1]);
    const i64 from = call.attribute[0];
    each_element(y, [&](i64 i, i64 c) { copy_element(y, i, c, x, i, from + c); });
}

// y = x bit for bit: what a collective does on one rank. Attribute: which of the operands is y.
WEFT_KERNEL(copy, THREADS) {
    const Rows x = rows_of(call.at[0]);
    const Rows y = rows_of(call.at[call.attribute[0]]);
    each_element(y, [&](i64 i, i64 c) { copy_element(y, i, c, x, i, c); });
}
