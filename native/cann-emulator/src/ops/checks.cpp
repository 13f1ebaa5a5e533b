#include "checks.h"

#include <algorithm>

namespace emu {

std::string dims_text(const std::vector<int64_t>& dims) {
    std::string text = "[";
    for (size_t i = 0; i < dims.size(); i++) {
        text += (i == 0 ? "" : ", ") + (dims[i] < 0 ? std::string("*") : std::to_string(dims[i]));
    }
    return text + "]";
}

bool contiguous_after_first(const Tensor& tensor) {
    int64_t stride = 1;
    for (int i = tensor.rank() - 1; i >= 1; i--) {
        const auto axis = static_cast<size_t>(i);
        if (tensor.dims[axis] != 1 && tensor.strides[axis] != stride) {
            return false;
        }
        stride *= tensor.dims[axis];
    }
    return true;
}

void expect_dims(Call& call, const char* name, const Tensor& tensor, const std::vector<int64_t>& expected,
                 const char* cite) {
    bool fits = tensor.dims.size() == expected.size();
    for (size_t i = 0; fits && i < expected.size(); i++) {
        fits = expected[i] < 0 || tensor.dims[i] == expected[i];
    }
    if (!fits) {
        call.refuse(kInvalid,
                    std::string(name) + ": found shape " + dims_text(tensor.dims) + ", expected " +
                        dims_text(expected),
                    cite);
    }
}

void expect_optional(Call& call, const char* name, aclDataType dtype, const std::vector<int64_t>& expected,
                     const char* cite) {
    const Tensor* tensor = present(call, name);
    if (tensor != nullptr) {
        call.dtypes(name, {dtype}, cite);
        expect_dims(call, name, *tensor, expected, cite);
    }
}

void expect_one_of(Call& call, const char* name, int64_t value, std::initializer_list<int64_t> allowed, int status,
                   const char* cite) {
    if (std::find(allowed.begin(), allowed.end(), value) == allowed.end()) {
        call.refuse(status,
                    std::string(name) + ": found " + std::to_string(value) + ", expected one of " +
                        dims_text(std::vector<int64_t>(allowed)),
                    cite);
    }
}

void expect_range(Call& call, const char* name, int64_t value, int64_t low, int64_t high, int status,
                  const char* cite) {
    if (value < low || value > high) {
        call.refuse(status,
                    std::string(name) + ": found " + std::to_string(value) + ", expected " + std::to_string(low) +
                        ".." + std::to_string(high),
                    cite);
    }
}

void expect_contiguous(Call& call, const char* name, const char* cite) {
    const Tensor* tensor = call.tensor(name);
    if (tensor != nullptr && !tensor->contiguous()) {
        call.refuse(kInvalid, std::string(name) + ": non-contiguous strides " + dims_text(tensor->strides), cite);
    }
}

}  // namespace emu
