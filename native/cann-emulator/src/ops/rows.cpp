#include "rows.h"

#include <cmath>
#include <cstring>
#include <map>
#include <stdexcept>

#include "numeric.h"

namespace emu {

namespace {

float bf16_value(uint16_t bits) {
    const uint32_t wide = static_cast<uint32_t>(bits) << 16;
    float value;
    std::memcpy(&value, &wide, sizeof value);
    return value;
}

/** Values of all codes of the one-byte and four-bit formats, made once; null for other dtypes. */
const float* code_table(aclDataType dtype) {
    static const auto tables = [] {
        std::map<aclDataType, std::vector<float>> all;
        for (aclDataType type : {ACL_INT8, ACL_UINT8, ACL_FLOAT8_E5M2, ACL_FLOAT8_E4M3FN, ACL_FLOAT8_E8M0, ACL_INT4,
                                 ACL_FLOAT4_E2M1, ACL_FLOAT4_E1M2}) {
            for (int code = 0; code < 1 << dtype_bits(type); code++) {
                const auto byte = static_cast<uint8_t>(code);
                all[type].push_back(static_cast<float>(decode(type, &byte, 0)));
            }
        }
        return all;
    }();
    const auto found = tables.find(dtype);
    return found == tables.end() ? nullptr : found->second.data();
}

}  // namespace

void decode_row(const void* base, aclDataType dtype, int64_t index, int64_t stride, int64_t count, float* out) {
    const auto* bytes = static_cast<const uint8_t*>(base);
    const int bits = dtype_bits(dtype);
    if (dtype == ACL_BF16) {
        for (int64_t i = 0; i < count; i++) {
            uint16_t element;
            std::memcpy(&element, bytes + 2 * (index + i * stride), 2);
            out[i] = bf16_value(element);
        }
    } else if (dtype == ACL_FLOAT && stride == 1) {
        std::memcpy(out, bytes + 4 * index, static_cast<size_t>(4 * count));
    } else if (const float* table = code_table(dtype)) {  // few codes: one look-up instead of a conversion
        for (int64_t i = 0; i < count; i++) {
            const int64_t at = index + i * stride;
            const uint8_t byte = bytes[bits == 8 ? at : at / 2];
            out[i] = table[bits == 8 ? byte : at % 2 == 0 ? byte & 0xF : byte >> 4];
        }
    } else {
        for (int64_t i = 0; i < count; i++) {
            out[i] = static_cast<float>(decode(dtype, bytes, index + i * stride));
        }
    }
}

std::vector<float> dense_floats(Run& run, const Tensor& tensor) {
    if (!tensor.contiguous() || is_nz(tensor.format)) {
        return run.floats(tensor);
    }
    std::vector<float> values(static_cast<size_t>(tensor.numel()));
    decode_row(run.raw(tensor), tensor.dtype, 0, 1, tensor.numel(), values.data());
    return values;
}

float rounded(aclDataType dtype, float value) {
    if (dtype == ACL_FLOAT) {
        return value;
    }
    uint8_t bytes[8] = {};
    encode(dtype, bytes, 0, value);
    return static_cast<float>(decode(dtype, bytes, 0));
}

uint8_t code_of(aclDataType dtype, float value) {
    uint8_t byte = 0;
    encode(dtype, &byte, 0, value);
    return byte;
}

float largest(aclDataType dtype) {
    switch (dtype) {
        case ACL_INT8: return 127;
        case ACL_INT4: return 7;
        case ACL_FLOAT8_E4M3FN: return 448;
        case ACL_FLOAT8_E5M2: return 57344;
        case ACL_HIFLOAT8: return 32768;
        case ACL_FLOAT4_E2M1: return 6;
        case ACL_FLOAT4_E1M2: return 1.75F;
        default: throw std::logic_error(std::string("no quantiser writes ") + dtype_name(dtype));
    }
}

int floor_log2(float value) {
    return std::ilogb(value);
}

int ceil_log2(float value) {
    const int floor = std::ilogb(value);
    return std::ldexp(1.0F, floor) == value ? floor : floor + 1;
}

}  // namespace emu
