#include "numeric.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <string>

#include "op.h"

namespace emu {

namespace {

/** A small binary float: sign, exponent, mantissa. */
struct Mini {
    int bits, mantissa, bias;
    double largest;    // largest finite value
    bool infinity;     // the highest exponent is infinity and NaN, as in IEEE
    uint32_t nan;      // 0: none
};

const Mini* mini(aclDataType dtype) {
    static const Mini f16{16, 10, 15, 65504, true, 0x7E00}, e5m2{8, 2, 15, 57344, true, 0x7F},
        e4m3{8, 3, 7, 448, false, 0x7F}, e2m1{4, 1, 1, 6, false, 0}, e1m2{4, 2, 1, 1.75, false, 0};
    switch (dtype) {
        case ACL_FLOAT16:
            return &f16;
        case ACL_FLOAT8_E5M2:
            return &e5m2;
        case ACL_FLOAT8_E4M3FN:
            return &e4m3;
        case ACL_FLOAT4_E2M1:
            return &e2m1;
        case ACL_FLOAT4_E1M2:
            return &e1m2;
        default:
            return nullptr;
    }
}

double decode_mini(const Mini& f, uint32_t bits) {
    uint32_t sign = bits >> (f.bits - 1) & 1, magnitude = bits & ((1U << (f.bits - 1)) - 1);
    uint32_t exponent = magnitude >> f.mantissa, fraction = magnitude & ((1U << f.mantissa) - 1);
    uint32_t top = (1U << (f.bits - 1 - f.mantissa)) - 1;
    double value;
    if (f.infinity && exponent == top) {
        value = fraction ? std::numeric_limits<double>::quiet_NaN() : std::numeric_limits<double>::infinity();
    } else if (f.nan && !f.infinity && magnitude == f.nan) {
        value = std::numeric_limits<double>::quiet_NaN();
    } else if (exponent == 0) {
        value = std::ldexp(fraction, 1 - f.bias - f.mantissa);
    } else {
        value = std::ldexp(fraction + (1U << f.mantissa), static_cast<int>(exponent) - f.bias - f.mantissa);
    }
    return sign ? -value : value;
}

uint32_t encode_mini(const Mini& f, double value, bool saturate) {
    uint32_t sign = std::signbit(value) ? 1U << (f.bits - 1) : 0;
    double magnitude = std::fabs(value);
    if (std::isnan(value)) {
        return f.nan ? sign | f.nan : 0;
    }
    int exponent = magnitude == 0 ? 1 - f.bias : std::max(std::ilogb(std::min(magnitude, 1e30)), 1 - f.bias);
    double quantum = std::ldexp(1.0, exponent - f.mantissa);
    double rounded = magnitude > 1e30 ? magnitude : std::nearbyint(magnitude / quantum) * quantum;
    if (rounded > f.largest) {
        if (f.infinity && !saturate) {
            return sign | (((1U << (f.bits - 1 - f.mantissa)) - 1) << f.mantissa);
        }
        rounded = f.largest;
    }
    if (rounded == 0) {
        return sign;
    }
    exponent = std::max(std::ilogb(rounded), 1 - f.bias);
    uint32_t units = static_cast<uint32_t>(std::ldexp(rounded, f.mantissa - exponent));
    // a normal number carries its leading 1 into the exponent field; a subnormal has none to carry
    return sign | ((static_cast<uint32_t>(exponent + f.bias - 1) << f.mantissa) + units);
}

template <typename T>
T load(const uint8_t* base, int64_t index) {
    T v;
    std::memcpy(&v, base + index * static_cast<int64_t>(sizeof(T)), sizeof(T));
    return v;
}

template <typename T, typename V>
void save(uint8_t* base, int64_t index, V value) {
    T v = static_cast<T>(value);
    std::memcpy(base + index * static_cast<int64_t>(sizeof(T)), &v, sizeof(T));
}

uint32_t nibble(const uint8_t* base, int64_t index) {
    return index % 2 ? base[index / 2] >> 4 : base[index / 2] & 15;
}

void set_nibble(uint8_t* base, int64_t index, uint32_t v) {
    uint8_t& byte = base[index / 2];
    byte = static_cast<uint8_t>(index % 2 ? (byte & 0x0F) | v << 4 : (byte & 0xF0) | v);
}

template <typename T>
T clamp_round(double value) {
    double rounded = std::isnan(value) ? 0 : std::nearbyint(value);
    if (rounded <= static_cast<double>(std::numeric_limits<T>::min())) {
        return std::numeric_limits<T>::min();
    }
    return rounded >= static_cast<double>(std::numeric_limits<T>::max()) ? std::numeric_limits<T>::max()
                                                                         : static_cast<T>(rounded);
}

template <typename T>
T clamp(int64_t v) {
    if constexpr (sizeof(T) < 8) {
        return static_cast<T>(std::min<int64_t>(std::max<int64_t>(v, std::numeric_limits<T>::min()),
                                                std::numeric_limits<T>::max()));
    } else {
        return static_cast<T>(v);
    }
}

[[noreturn]] void no_codec(aclDataType dtype) {
    throw std::logic_error(std::string("no element codec for ") + dtype_name(dtype));
}

}  // namespace

int dtype_bits(aclDataType dtype) {
    switch (dtype) {
        case ACL_DOUBLE:
        case ACL_INT64:
        case ACL_UINT64:
        case ACL_COMPLEX64:
            return 64;
        case ACL_COMPLEX128:
            return 128;
        case ACL_FLOAT:
        case ACL_INT32:
        case ACL_UINT32:
        case ACL_COMPLEX32:
            return 32;
        case ACL_FLOAT16:
        case ACL_BF16:
        case ACL_INT16:
        case ACL_UINT16:
            return 16;
        case ACL_INT8:
        case ACL_UINT8:
        case ACL_BOOL:
        case ACL_HIFLOAT8:
        case ACL_FLOAT8_E5M2:
        case ACL_FLOAT8_E4M3FN:
        case ACL_FLOAT8_E8M0:
            return 8;
        case ACL_FLOAT6_E3M2:
        case ACL_FLOAT6_E2M3:
            return 6;
        case ACL_INT4:
        case ACL_FLOAT4_E2M1:
        case ACL_FLOAT4_E1M2:
            return 4;
        case ACL_UINT1:
            return 1;
        default:
            return 0;
    }
}

const char* dtype_name(aclDataType dtype) {
    static const char* names[] = {"FLOAT",  "FLOAT16", "INT8",   "INT32",  "UINT8",  "?5",       "INT16",
                                  "UINT16", "UINT32",  "INT64",  "UINT64", "DOUBLE", "BOOL",     "STRING",
                                  "?14",    "?15",     "COMPLEX64", "COMPLEX128", "?18", "?19", "?20",
                                  "?21",    "?22",     "?23",    "?24",    "?25",    "?26",      "BF16",
                                  "?28",    "INT4",    "UINT1",  "?31",    "?32",    "COMPLEX32", "HIFLOAT8",
                                  "FLOAT8_E5M2", "FLOAT8_E4M3FN", "FLOAT8_E8M0", "FLOAT6_E3M2", "FLOAT6_E2M3",
                                  "FLOAT4_E2M1", "FLOAT4_E1M2"};
    int i = static_cast<int>(dtype);
    return i >= 0 && i < static_cast<int>(std::size(names)) ? names[i] : "UNDEFINED";
}

double decode(aclDataType dtype, const uint8_t* base, int64_t index) {
    switch (dtype) {
        case ACL_FLOAT:
            return load<float>(base, index);
        case ACL_DOUBLE:
            return load<double>(base, index);
        case ACL_BF16:
            return std::bit_cast<float>(static_cast<uint32_t>(load<uint16_t>(base, index)) << 16);
        case ACL_FLOAT8_E8M0: {
            uint8_t e = base[index];
            return e == 0xFF ? std::numeric_limits<double>::quiet_NaN() : std::ldexp(1.0, e - 127);
        }
        case ACL_FLOAT16:
            return decode_mini(*mini(dtype), load<uint16_t>(base, index));
        case ACL_FLOAT8_E5M2:
        case ACL_FLOAT8_E4M3FN:
            return decode_mini(*mini(dtype), base[index]);
        case ACL_FLOAT4_E2M1:
        case ACL_FLOAT4_E1M2:
            return decode_mini(*mini(dtype), nibble(base, index));
        default:
            return static_cast<double>(decode_integer(dtype, base, index));
    }
}

void encode(aclDataType dtype, uint8_t* base, int64_t index, double value) {
    switch (dtype) {
        case ACL_FLOAT:
            return save<float>(base, index, value);
        case ACL_DOUBLE:
            return save<double>(base, index, value);
        case ACL_BF16: {
            uint32_t bits = std::bit_cast<uint32_t>(static_cast<float>(value));
            bool nan = (bits & 0x7FFFFFFF) > 0x7F800000;
            return save<uint16_t>(base, index, nan ? 0x7FC0 : (bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
        }
        case ACL_FLOAT8_E8M0:
            base[index] = value > 0 ? static_cast<uint8_t>(std::clamp(std::ilogb(value) + 127, 0, 254)) : 0xFF;
            return;
        case ACL_FLOAT16:
            return save<uint16_t>(base, index, encode_mini(*mini(dtype), value, false));
        case ACL_FLOAT8_E5M2:
        case ACL_FLOAT8_E4M3FN:
            base[index] = static_cast<uint8_t>(encode_mini(*mini(dtype), value, true));
            return;
        case ACL_FLOAT4_E2M1:
        case ACL_FLOAT4_E1M2:
            return set_nibble(base, index, encode_mini(*mini(dtype), value, true));
        case ACL_INT8:
            return save<int8_t>(base, index, clamp_round<int8_t>(value));
        case ACL_UINT8:
            return save<uint8_t>(base, index, clamp_round<uint8_t>(value));
        case ACL_INT16:
            return save<int16_t>(base, index, clamp_round<int16_t>(value));
        case ACL_UINT16:
            return save<uint16_t>(base, index, clamp_round<uint16_t>(value));
        case ACL_INT32:
            return save<int32_t>(base, index, clamp_round<int32_t>(value));
        case ACL_UINT32:
            return save<uint32_t>(base, index, clamp_round<uint32_t>(value));
        case ACL_INT64:
            return save<int64_t>(base, index, clamp_round<int64_t>(value));
        case ACL_UINT64:
            return save<uint64_t>(base, index, clamp_round<uint64_t>(value));
        case ACL_BOOL:
            return save<uint8_t>(base, index, value != 0);
        case ACL_INT4:
            return encode_integer(dtype, base, index, clamp_round<int8_t>(value));
        default:
            no_codec(dtype);
    }
}

int64_t decode_integer(aclDataType dtype, const uint8_t* base, int64_t index) {
    switch (dtype) {
        case ACL_INT8:
            return load<int8_t>(base, index);
        case ACL_UINT8:
        case ACL_BOOL:
            return load<uint8_t>(base, index);
        case ACL_INT16:
            return load<int16_t>(base, index);
        case ACL_UINT16:
            return load<uint16_t>(base, index);
        case ACL_INT32:
            return load<int32_t>(base, index);
        case ACL_UINT32:
            return load<uint32_t>(base, index);
        case ACL_INT64:
            return load<int64_t>(base, index);
        case ACL_UINT64:
            return static_cast<int64_t>(load<uint64_t>(base, index));
        case ACL_INT4: {
            int v = static_cast<int>(nibble(base, index));
            return v < 8 ? v : v - 16;
        }
        case ACL_FLOAT:
        case ACL_DOUBLE:
        case ACL_BF16:
        case ACL_FLOAT16:
            return static_cast<int64_t>(decode(dtype, base, index));
        default:
            no_codec(dtype);
    }
}

void encode_integer(aclDataType dtype, uint8_t* base, int64_t index, int64_t value) {
    switch (dtype) {
        case ACL_INT8:
            return save<int8_t>(base, index, clamp<int8_t>(value));
        case ACL_UINT8:
            return save<uint8_t>(base, index, clamp<uint8_t>(value));
        case ACL_BOOL:
            return save<uint8_t>(base, index, value != 0);
        case ACL_INT16:
            return save<int16_t>(base, index, clamp<int16_t>(value));
        case ACL_UINT16:
            return save<uint16_t>(base, index, clamp<uint16_t>(value));
        case ACL_INT32:
            return save<int32_t>(base, index, clamp<int32_t>(value));
        case ACL_UINT32:
            return save<uint32_t>(base, index, clamp<uint32_t>(value));
        case ACL_INT64:
        case ACL_UINT64:
            return save<int64_t>(base, index, value);
        case ACL_INT4:
            return set_nibble(base, index,
                              static_cast<uint32_t>(std::min<int64_t>(7, std::max<int64_t>(-8, value))) & 15);
        default:
            encode(dtype, base, index, static_cast<double>(value));
    }
}

float half_to_float(uint16_t bits) {
    return static_cast<float>(decode_mini(*mini(ACL_FLOAT16), bits));
}

uint16_t float_to_half(float value) {
    return static_cast<uint16_t>(encode_mini(*mini(ACL_FLOAT16), value, false));
}

}  // namespace emu
