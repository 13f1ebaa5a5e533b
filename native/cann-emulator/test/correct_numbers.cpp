// Element encodings and storage layouts, against values written down by hand.
#include <cmath>
#include <cstring>

#include "harness.h"
#include "numeric.h"
#include "op.h"

using namespace test;

namespace {

double code(aclDataType dtype, uint8_t bits) {
    return emu::decode(dtype, &bits, 0);
}

uint8_t rounded(aclDataType dtype, double value) {
    uint8_t bits = 0;
    emu::encode(dtype, &bits, 0, value);
    return bits;
}

TEST(small_floats, [] {
    CHECK(code(ACL_FLOAT8_E4M3FN, 0x7E) == 448 && code(ACL_FLOAT8_E4M3FN, 0x01) == std::ldexp(1, -9));
    CHECK(std::isnan(code(ACL_FLOAT8_E4M3FN, 0x7F)) && std::isnan(code(ACL_FLOAT8_E4M3FN, 0xFF)));
    CHECK(code(ACL_FLOAT8_E5M2, 0x7B) == 57344 && std::isinf(code(ACL_FLOAT8_E5M2, 0x7C)));
    CHECK(code(ACL_FLOAT8_E8M0, 127) == 1 && std::isnan(code(ACL_FLOAT8_E8M0, 255)));
    const double e2m1[] = {0, 0.5, 1, 1.5, 2, 3, 4, 6};
    for (uint8_t i = 0; i < 8; i++) {
        CHECK(code(ACL_FLOAT4_E2M1, i) == e2m1[i] && code(ACL_FLOAT4_E2M1, i | 8) == -e2m1[i]);
    }
    for (int i = 0; i < 256; i++) {
        for (aclDataType dtype : {ACL_FLOAT8_E4M3FN, ACL_FLOAT8_E5M2, ACL_FLOAT8_E8M0}) {
            double v = code(dtype, static_cast<uint8_t>(i));
            CHECK(!std::isfinite(v) || rounded(dtype, v) == i);
        }
    }
    EQUAL(rounded(ACL_FLOAT8_E4M3FN, 1000), 0x7E);   // saturates
    EQUAL(rounded(ACL_FLOAT8_E4M3FN, -1000), 0xFE);
    EQUAL(rounded(ACL_FLOAT8_E4M3FN, 17), 0x58);     // between 16 and 18: to the even one
    EQUAL(rounded(ACL_FLOAT8_E4M3FN, 19), 0x5A);
    EQUAL(rounded(ACL_FLOAT4_E2M1, 2.5) & 15, 4);    // between 2 and 3
    EQUAL(rounded(ACL_FLOAT4_E2M1, 100) & 15, 7);
    EQUAL(emu::float_to_half(65520), 0x7C00);        // beyond the largest half: infinity
    EQUAL(emu::float_to_half(65519), 0x7BFF);
    EQUAL(rounded(ACL_INT8, 2.5), 2);
    EQUAL(rounded(ACL_INT8, 300), 127);
});

TEST(two_elements_a_byte, [] {
    uint8_t byte = 0;
    emu::encode(ACL_FLOAT4_E2M1, &byte, 0, 6);
    emu::encode(ACL_FLOAT4_E2M1, &byte, 1, -0.5);
    EQUAL(byte, 0x97);  // the even element in the low half
    byte = 0x8F;
    EQUAL(emu::decode_integer(ACL_INT4, &byte, 0), -1);
    EQUAL(emu::decode_integer(ACL_INT4, &byte, 1), -8);
});

TEST(brain_float_rounding, [] {
    uint16_t bits[3];
    uint8_t* at = reinterpret_cast<uint8_t*>(bits);
    emu::encode(ACL_BF16, at, 0, 1 + std::ldexp(1, -8));      // halfway between 1 and the next: 1 is even
    emu::encode(ACL_BF16, at, 1, 1 + 3 * std::ldexp(1, -8));  // halfway: up to even
    emu::encode(ACL_BF16, at, 2, std::nan(""));
    EQUAL(bits[0], 0x3F80);
    EQUAL(bits[1], 0x3F82);
    EQUAL(bits[2], 0x7FC0);
});

/** Weights of 32 x 48 in NZ storage with blocks of 16: element (k, n) must come out whichever way it is viewed. */
TEST(fractal_weights, [] {
    constexpr int64_t rows = 32, columns = 48;
    std::vector<float> storage(rows * columns);
    for (int64_t k = 0; k < rows; k++) {
        for (int64_t n = 0; n < columns; n++) {
            storage[n / 16 * (rows * 16) + k * 16 + n % 16] = static_cast<float>(1000 * k + n);
        }
    }
    void* data = device_bytes(storage.size() * 4);
    upload(data, storage);
    int64_t dims[] = {rows, columns}, fractal[] = {columns / 16, rows / 16, 16, 16};
    int64_t swapped[] = {columns, rows}, strides[] = {1, columns};
    aclTensor* plain = aclCreateTensor(dims, 2, ACL_FLOAT, nullptr, 0, ACL_FORMAT_FRACTAL_NZ, fractal, 4, data);
    aclTensor* transposed = aclCreateTensor(swapped, 2, ACL_FLOAT, strides, 0, ACL_FORMAT_FRACTAL_NZ, fractal, 4, data);
    Buffer out({rows, columns}), turned({columns, rows});
    OK(aclnnMuls(nullptr, 0, muls_executor(plain, 1, out.tensor), nullptr));
    OK(aclnnMuls(nullptr, 0, muls_executor(transposed, 1, turned.tensor), nullptr));
    OK(aclrtSynchronizeStream(nullptr));
    std::vector<float> a = download(out.data, rows * columns), b = download(turned.data, rows * columns);
    for (int64_t k = 0; k < rows; k++) {
        for (int64_t n = 0; n < columns; n++) {
            CHECK(a[k * columns + n] == 1000 * k + n && b[n * rows + k] == 1000 * k + n);
        }
    }
    OK(aclDestroyTensor(plain));
    OK(aclDestroyTensor(transposed));
    OK(aclrtFree(data));
    out.release();
    turned.release();
});

}  // namespace
