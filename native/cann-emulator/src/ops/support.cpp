#include "support.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <stdexcept>

#include "numeric.h"
#include "checks.h"

namespace emu {

bool is_float(aclDataType dtype) {
    return dtype == ACL_FLOAT || dtype == ACL_FLOAT16 || dtype == ACL_BF16 || dtype == ACL_DOUBLE ||
           is_narrow_float(dtype);
}

bool is_narrow_float(aclDataType dtype) {
    return dtype >= ACL_HIFLOAT8 && dtype <= ACL_FLOAT4_E1M2;
}

void same_shape(Call& call, const char* name, const Dims& expected, const char* cite) {
    call.shape(name, expected, cite);
}

void max_rank(Call& call, const char* name, int rank, const char* cite) {
    const Tensor* t = call.tensor(name);
    call.require(t == nullptr || t->rank() <= rank, kInvalid,
                 std::string(name) + " has more than " + std::to_string(rank) + " dimensions", cite);
}

int axis_of(Call& call, int64_t axis, int rank, const char* cite) {
    const int64_t extent = std::max(rank, 1);
    call.require(axis >= -extent && axis < extent, kInvalid,
                 "axis " + std::to_string(axis) + " of a tensor of rank " + std::to_string(rank), cite);
    return axis_of(axis, rank);
}

Dims broadcast(Call& call, const Tensor& a, const Tensor& b, const char* cite) {
    const size_t rank = std::max(a.dims.size(), b.dims.size());
    Dims out(rank, 1);
    for (const Tensor* t : {&a, &b}) {
        const size_t missing = rank - t->dims.size();
        for (size_t i = 0; i < t->dims.size(); i++) {
            int64_t& d = out[missing + i];
            call.require(d == 1 || t->dims[i] == 1 || d == t->dims[i], kInvalid,
                         describe(a) + " and " + describe(b) + " do not broadcast", cite);
            d = d == 1 ? t->dims[i] : d;
        }
    }
    return out;
}

Tensor expand(const Tensor& t, const Dims& dims) {
    Tensor view = t;
    view.dims = dims;
    view.strides.assign(dims.size(), 0);
    const size_t missing = dims.size() - t.dims.size();
    for (size_t i = 0; i < t.dims.size(); i++) {
        view.strides[missing + i] = t.dims[i] == 1 ? 0 : t.strides[i];
    }
    return view;
}

namespace {

/** Rank inside a family: a wider dtype holds what a narrower one does. */
int float_rank(aclDataType dtype) {
    switch (dtype) {
        case ACL_FLOAT16:
        case ACL_BF16:
            return 1;
        case ACL_FLOAT:
            return 2;
        case ACL_DOUBLE:
            return 3;
        default:
            return 0;
    }
}

}  // namespace

aclDataType promote(aclDataType a, aclDataType b) {
    if (a == b) {
        return a;
    }
    if (is_float(a) || is_float(b)) {
        const int ra = float_rank(a), rb = float_rank(b);
        if (ra == rb) {
            return ACL_FLOAT;  // FP16 with BF16: neither holds the other
        }
        return ra > rb ? a : b;
    }
    if (a == ACL_BOOL || b == ACL_BOOL) {
        return a == ACL_BOOL ? b : a;
    }
    if (dtype_bits(a) != dtype_bits(b)) {
        return dtype_bits(a) > dtype_bits(b) ? a : b;
    }
    return ACL_INT16;  // INT8 with UINT8
}

void convertible(Call& call, aclDataType from, const char* name, const char* cite) {
    const Tensor& out = call.need(name);
    bool fits = true;
    if (is_float(from)) {
        fits = is_float(out.dtype);
    } else if (from != ACL_BOOL) {
        fits = out.dtype != ACL_BOOL;
    }
    call.require(fits, kInvalid,
                 std::string(dtype_name(from)) + " results cannot be written to " + name + ", " + describe(out), cite);
}

Around::Around(const Dims& dims, int axis) {
    for (size_t i = 0; i < dims.size(); i++) {
        if (static_cast<int>(i) < axis) {
            outer *= dims[i];
        } else if (static_cast<int>(i) == axis) {
            extent = dims[i];
        } else {
            inner *= dims[i];
        }
    }
}

Tensor bits_of(const Tensor& t) {
    Tensor raw = t;
    switch (dtype_bits(t.dtype)) {
        case 4:
            raw.dtype = ACL_INT4;
            break;
        case 8:
            raw.dtype = ACL_UINT8;
            break;
        case 16:
            raw.dtype = ACL_UINT16;
            break;
        case 32:
            raw.dtype = ACL_UINT32;
            break;
        case 64:
            raw.dtype = ACL_INT64;
            break;
        default:
            throw std::logic_error("no integer as wide as " + describe(t));
    }
    return raw;
}

Tensor at(const Tensor& t, int axis, int64_t position) {
    Tensor view = t;
    view.offset += position * t.strides[static_cast<size_t>(axis)];
    view.dims.erase(view.dims.begin() + axis);
    view.strides.erase(view.strides.begin() + axis);
    return view;
}

void move(Run& run, const Tensor& from, const Tensor& to) {
    if (from.numel() > 0 && from.contiguous() && to.contiguous() && !is_nz(from.format) && !is_nz(to.format) &&
        dtype_bits(from.dtype) >= 8) {
        std::memcpy(run.raw(to), run.raw(from), static_cast<size_t>(from.numel() * dtype_bits(from.dtype) / 8));
        return;
    }
    run.store(bits_of(to), run.ints(bits_of(from)));
}

int64_t checked_index(Run& run, int64_t index, int64_t extent, bool negative_counts, const char* cite) {
    const int64_t position = index < 0 && negative_counts ? index + extent : index;
    if (position < 0 || position >= extent) {
        run.device_exception("index " + std::to_string(index) + " of " + std::to_string(extent) + " entries", cite);
    }
    return position;
}

Dims dense_strides(const Dims& dims) {
    Dims strides(dims.size());
    int64_t stride = 1;
    for (size_t i = dims.size(); i-- > 0;) {
        strides[i] = stride;
        stride *= dims[i];
    }
    return strides;
}

Tensor transposed(const Tensor& t) {
    Tensor view = t;
    const size_t n = t.dims.size();
    std::swap(view.dims[n - 1], view.dims[n - 2]);
    std::swap(view.strides[n - 1], view.strides[n - 2]);
    return view;
}

int64_t wrapped(aclDataType dtype, int64_t value) {
    switch (dtype) {
        case ACL_INT8:
            return static_cast<int8_t>(value);
        case ACL_UINT8:
            return static_cast<uint8_t>(value);
        case ACL_INT16:
            return static_cast<int16_t>(value);
        case ACL_UINT16:
            return static_cast<uint16_t>(value);
        case ACL_INT32:
            return static_cast<int32_t>(value);
        case ACL_UINT32:
            return static_cast<uint32_t>(value);
        case ACL_BOOL:
            return value != 0;
        default:
            return value;
    }
}

std::vector<int64_t> sum_order(Run& run, int64_t n) {
    std::vector<int64_t> order(static_cast<size_t>(n));
    std::iota(order.begin(), order.end(), 0);
    if (run.jitter()) {
        std::shuffle(order.begin(), order.end(), run.random());
    }
    return order;
}

}  // namespace emu
