#include "elements.h"

#include <bit>
#include <cstring>
#include <stdexcept>

#include "device_memory.h"
#include "numeric.h"

namespace emu {

ElementWalk::ElementWalk(const Tensor& t) : tensor_(t), fractal_(is_nz(t.format) && t.storage.size() >= 4) {
    run_ = t.dims.empty() ? 1 : std::max<int64_t>(t.dims.back(), 1);
    step_ = t.dims.empty() ? 1 : t.strides.back();
    if (!fractal_) {
        return;
    }
    if (t.rank() < 2) {
        throw std::logic_error("a fractal tensor needs two dimensions: " + describe(t));
    }
    // storage (.., column blocks, row blocks, 16, block) of a matrix whose columns are contiguous in the ND layout;
    // a transposed view has them on its last but one axis
    transposed_ = t.strides.back() != 1 && t.strides[t.strides.size() - 2] == 1;
    size_t n = t.storage.size();
    block_ = t.storage[n - 1];
    rows_ = t.storage[n - 3] * t.storage[n - 2];
    matrix_ = t.storage[n - 4] * rows_ * block_;
    run_ = 1;
}

int64_t ElementWalk::index(const std::vector<int64_t>& at) const {
    if (fractal_) {
        return fractal_index(at);
    }
    int64_t index = tensor_.offset;
    for (size_t i = 0; i < at.size(); i++) {
        index += at[i] * tensor_.strides[i];
    }
    return index;
}

int64_t ElementWalk::fractal_index(const std::vector<int64_t>& at) const {
    size_t n = at.size();
    int64_t batch = 0;
    for (size_t i = 0; i + 2 < n; i++) {
        batch = batch * tensor_.dims[i] + at[i];
    }
    int64_t row = at[n - 2], column = at[n - 1];
    if (transposed_) {
        std::swap(row, column);
    }
    return tensor_.offset + batch * matrix_ + column / block_ * rows_ * block_ + row * block_ + column % block_;
}

namespace {

/** body(element number in row-major order, storage index) */
template <typename Body>
void each(const Tensor& t, Body body) {
    ElementWalk walk(t);
    if (walk.fractal()) {
        std::vector<int64_t> at(t.dims.size(), 0);
        int64_t total = t.numel();
        for (int64_t element = 0; element < total; element++) {
            body(element, walk.index(at));
            for (int axis = t.rank() - 1; axis >= 0; axis--) {
                if (++at[axis] < t.dims[axis]) {
                    break;
                }
                at[axis] = 0;
            }
        }
        return;
    }
    walk.rows([&](int64_t element, const std::vector<int64_t>& at) {
        int64_t index = walk.index(at);
        for (int64_t i = 0; i < walk.run(); i++) {
            body(element + i, index + i * walk.step());
        }
    });
}

uint8_t* base_of(const Tensor& t) {
    return static_cast<uint8_t*>(device_pointer(t.address));
}

template <typename T>
void check_count(const Tensor& t, const std::vector<T>& values) {
    if (static_cast<int64_t>(values.size()) != t.numel()) {
        throw std::logic_error("store() of " + std::to_string(values.size()) + " values to " + describe(t));
    }
}

}  // namespace

std::vector<float> Run::floats(const Tensor& t) const {
    std::vector<float> out(static_cast<size_t>(t.numel()));
    if (out.empty()) {
        return out;
    }
    const uint8_t* base = base_of(t);
    if (t.dtype == ACL_FLOAT && t.contiguous() && !is_nz(t.format)) {
        std::memcpy(out.data(), base + t.offset * 4, out.size() * 4);
    } else if (t.dtype == ACL_BF16) {
        each(t, [&](int64_t i, int64_t at) {
            uint16_t bits;
            std::memcpy(&bits, base + at * 2, 2);
            out[i] = std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
        });
    } else if (dtype_bits(t.dtype) <= 8 && dtype_bits(t.dtype) >= 4) {
        float table[256];  // one decoded value per code
        int bits = dtype_bits(t.dtype);
        for (int code = 0; code < 1 << bits; code++) {
            uint8_t byte = static_cast<uint8_t>(code);
            table[code] = static_cast<float>(decode(t.dtype, &byte, 0));
        }
        each(t, [&](int64_t i, int64_t at) {
            out[i] = table[bits == 8 ? base[at] : at % 2 ? base[at / 2] >> 4 : base[at / 2] & 15];
        });
    } else {
        each(t, [&](int64_t i, int64_t at) { out[i] = static_cast<float>(decode(t.dtype, base, at)); });
    }
    return out;
}

std::vector<int64_t> Run::ints(const Tensor& t) const {
    std::vector<int64_t> out(static_cast<size_t>(t.numel()));
    if (!out.empty()) {
        const uint8_t* base = base_of(t);
        each(t, [&](int64_t i, int64_t at) { out[i] = decode_integer(t.dtype, base, at); });
    }
    return out;
}

void Run::store(const Tensor& t, const std::vector<float>& values) {
    check_count(t, values);
    if (values.empty()) {
        return;
    }
    uint8_t* base = base_of(t);
    if (t.dtype == ACL_FLOAT && t.contiguous() && !is_nz(t.format)) {
        std::memcpy(base + t.offset * 4, values.data(), values.size() * 4);
        return;
    }
    each(t, [&](int64_t i, int64_t at) { encode(t.dtype, base, at, values[i]); });
}

void Run::store(const Tensor& t, const std::vector<int64_t>& values) {
    check_count(t, values);
    if (values.empty()) {
        return;
    }
    uint8_t* base = base_of(t);
    each(t, [&](int64_t i, int64_t at) { encode_integer(t.dtype, base, at, values[i]); });
}

// ---- extents

namespace {

uint64_t bytes(int64_t elements, aclDataType dtype) {
    return (static_cast<uint64_t>(elements) * static_cast<uint64_t>(dtype_bits(dtype)) + 7) / 8;
}

}  // namespace

uint64_t view_end_bytes(const Tensor& t) {
    if (t.numel() == 0) {
        return 0;
    }
    if (is_nz(t.format)) {
        return storage_bytes(t);
    }
    int64_t last = t.offset;
    for (size_t i = 0; i < t.dims.size(); i++) {
        last += (t.dims[i] - 1) * t.strides[i];
    }
    return bytes(last + 1, t.dtype);
}

uint64_t storage_bytes(const Tensor& t) {
    int64_t elements = 1;
    for (int64_t d : t.storage) {
        elements *= d;
    }
    return bytes(elements, t.dtype);
}

std::vector<ByteRange> touched(const Tensor& t) {
    constexpr int64_t most_rows = 4096;  // beyond that one enclosing range; only precision is lost
    uint64_t end = view_end_bytes(t);
    if (end == 0) {
        return {};
    }
    uint64_t begin = static_cast<uint64_t>(t.offset * dtype_bits(t.dtype) / 8);
    if (is_nz(t.format) || t.contiguous() || t.dims.empty()) {
        return {{t.address + begin, t.address + end}};
    }
    ElementWalk walk(t);
    if (walk.step() != 1 || t.numel() / walk.run() > most_rows) {
        return {{t.address + begin, t.address + end}};
    }
    std::vector<ByteRange> ranges;
    walk.rows([&](int64_t, const std::vector<int64_t>& at) {
        int64_t index = walk.index(at);
        uint64_t from = t.address + static_cast<uint64_t>(index * dtype_bits(t.dtype) / 8);
        uint64_t to = t.address + bytes(index + walk.run(), t.dtype);
        if (!ranges.empty() && ranges.back().end == from) {
            ranges.back().end = to;
        } else {
            ranges.push_back({from, to});
        }
    });
    std::sort(ranges.begin(), ranges.end(), [](const ByteRange& a, const ByteRange& b) { return a.begin < b.begin; });
    std::vector<ByteRange> merged;
    for (const ByteRange& r : ranges) {
        if (!merged.empty() && r.begin <= merged.back().end) {
            merged.back().end = std::max(merged.back().end, r.end);
        } else {
            merged.push_back(r);
        }
    }
    return merged;
}

}  // namespace emu
