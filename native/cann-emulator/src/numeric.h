// Encodings of single elements, exact by construction: a decoded value is the value the bits stand for, an encoded one
// is rounded to nearest even once.
#pragma once

#include <cstdint>

#include "acl/acl_base.h"

namespace emu {

/** The element `index` elements from `base`. Two 4-bit elements share a byte, the even one in the low half. */
double decode(aclDataType dtype, const uint8_t* base, int64_t index);

/** Saturates to the largest finite value where the dtype has no infinity, to the range for integers. */
void encode(aclDataType dtype, uint8_t* base, int64_t index, double value);

int64_t decode_integer(aclDataType dtype, const uint8_t* base, int64_t index);
void encode_integer(aclDataType dtype, uint8_t* base, int64_t index, int64_t value);

float half_to_float(uint16_t bits);
uint16_t float_to_half(float value);

inline bool is_integer(aclDataType dtype) {
    switch (dtype) {
        case ACL_INT8:
        case ACL_INT16:
        case ACL_INT32:
        case ACL_INT64:
        case ACL_UINT8:
        case ACL_UINT16:
        case ACL_UINT32:
        case ACL_UINT64:
        case ACL_BOOL:
        case ACL_INT4:
            return true;
        default:
            return false;
    }
}

}  // namespace emu
