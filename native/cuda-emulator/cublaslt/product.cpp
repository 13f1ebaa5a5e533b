// What products are supported, by the library's documentation, and what they give.
#include "product.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

using CUdeviceptr = unsigned long long;
extern "C" int cuMemcpyDtoH_v2(void *to, CUdeviceptr from, size_t bytes);
extern "C" int cuMemcpyHtoD_v2(CUdeviceptr to, const void *from, size_t bytes);

namespace weft::cublaslt {

namespace {

constexpr uint64_t BLOCK = 128, FP8_UNIT = 16, SCALED_UNIT = 4;

size_t bytes_of(int type) {
    return type == R_32F ? 4 : type == R_16BF ? 2 : 1;
}

uint64_t blocks(uint64_t elements) {
    return (elements + BLOCK - 1) / BLOCK;
}

/** Blocks of K of a scale matrix of 128 x 128 blocks, as they lie in memory. */
uint64_t padded_blocks(uint64_t inputs) {
    return (blocks(inputs) + 3) / 4 * 4;
}

/** FP8 with the block scales that Hopper has: their modes, the form of the product, extents and alignments in multiples of 16. */
bool is_supported_fp8(const Product &p, const Preference &preference, int sm) {
    const Attributes &op = p.operation;
    bool aligned = true;
    for (int alignment : {MIN_ALIGNMENT_A, MIN_ALIGNMENT_B, MIN_ALIGNMENT_C, MIN_ALIGNMENT_D}) {
        aligned &= preference.get(alignment, 256) >= FP8_UNIT;
    }
    for (int64_t pitch : {p.a.pitch, p.b.pitch, p.d.pitch}) {
        aligned &= pitch % static_cast<int64_t>(FP8_UNIT) == 0;
    }
    return aligned && p.inputs() % FP8_UNIT == 0 && p.outputs() % FP8_UNIT == 0 && op.get(TRANSA) == OP_T &&
           op.get(TRANSB) == OP_N && op.get(A_SCALE_MODE) == SCALE_BLK128x128 && op.get(B_SCALE_MODE) == SCALE_VEC128 &&
           op.get(A_SCALE_POINTER) != 0 && op.get(B_SCALE_POINTER) != 0 && sm == 90 &&
           std::stoull(world().settings["version"]) >= 120900;
}

/** With scales of blocks M and N are multiples of 4, and scales are as aligned as operands: what else is no valid product. */
bool breaks_rule_of_scales(const Product &p) {
    const Attributes &op = p.operation;
    bool has_scales = op.get(A_SCALE_MODE) == SCALE_BLK128x128 || op.get(B_SCALE_MODE) == SCALE_VEC128;
    return has_scales && (p.tokens() % SCALED_UNIT != 0 || p.outputs() % SCALED_UNIT != 0 ||
                          op.get(A_SCALE_POINTER) % FP8_UNIT != 0 || op.get(B_SCALE_POINTER) % FP8_UNIT != 0);
}

float from_bf16(uint16_t bits) {
    uint32_t wide = static_cast<uint32_t>(bits) << 16;
    float value;
    std::memcpy(&value, &wide, sizeof value);
    return value;
}

uint16_t to_bf16(float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    return std::isnan(value) ? 0x7FFF : static_cast<uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

/** Sign, 4 bits of exponent with bias 7, 3 of fraction; NaN where all but the sign are set, no infinity. */
float from_e4m3(uint8_t code) {
    int exponent = code >> 3 & 15, fraction = code & 7;
    float magnitude = (code & 0x7F) == 0x7F ? NAN
                      : exponent == 0       ? std::ldexp(static_cast<float>(fraction), -9)
                                            : std::ldexp(static_cast<float>(8 + fraction), exponent - 10);
    return code & 0x80 ? -magnitude : magnitude;
}

void require(int code, const char *what, uint64_t address, uint64_t bytes) {
    if (code != 0) {
        Lock lock(world().mutex);
        fault("illegal-address", std::string(what) + " of " + std::to_string(bytes) + " bytes at " +
              std::to_string(address) + ": the driver answers " + std::to_string(code));
    }
}

template <class T>
std::vector<T> read(uint64_t address, uint64_t count) {
    std::vector<T> data(count);
    require(cuMemcpyDtoH_v2(data.data(), address, count * sizeof(T)), "read", address, count * sizeof(T));
    return data;
}

void write(uint64_t address, const void *data, uint64_t bytes) {
    require(cuMemcpyHtoD_v2(address, data, bytes), "write", address, bytes);
}

/** A matrix, column by column, without what lies between them. */
std::vector<float> matrix(const Layout &m, uint64_t address) {
    std::vector<float> values;
    for (uint64_t column = 0; column < m.columns; column++) {
        uint64_t from = address + column * static_cast<uint64_t>(m.pitch) * bytes_of(m.type);
        if (m.type == R_16BF) {
            for (uint16_t bits : read<uint16_t>(from, m.rows)) {
                values.push_back(from_bf16(bits));
            }
        } else {
            for (uint8_t code : read<uint8_t>(from, m.rows)) {
                values.push_back(from_e4m3(code));
            }
        }
    }
    return values;
}

void store(const Layout &m, uint64_t address, uint64_t column, const std::vector<float> &values) {
    uint64_t to = address + column * static_cast<uint64_t>(m.pitch) * bytes_of(m.type);
    if (m.type == R_32F) {
        write(to, values.data(), values.size() * sizeof(float));
        return;
    }
    std::vector<uint16_t> rounded;
    std::transform(values.begin(), values.end(), std::back_inserter(rounded), to_bf16);
    write(to, rounded.data(), rounded.size() * sizeof(uint16_t));
}

/** Scales of blocks of 128 x 128, padding and all; a library that loads the padding must not meet a NaN there. */
std::vector<float> block_scales(const Product &p, uint64_t address) {
    uint64_t stride = padded_blocks(p.inputs());
    std::vector<float> scales = read<float>(address, stride * blocks(p.outputs()));
    for (uint64_t i = 0; i < scales.size(); i++) {
        if (i % stride >= blocks(p.inputs()) && !std::isfinite(scales[i])) {
            Lock lock(world().mutex);
            fault("scale-padding", "scale " + std::to_string(i) + " belongs to no block and is not finite");
            break;
        }
    }
    return scales;
}

}  // namespace

uint64_t Product::identity() const {
    uint64_t hash = 14695981039346656037ull;
    auto mix = [&](uint64_t number) { hash = (hash ^ number) * 1099511628211ull; };
    for (const Layout &m : {a, b, d}) {
        for (uint64_t number : {static_cast<uint64_t>(m.type), m.rows, m.columns, static_cast<uint64_t>(m.pitch)}) {
            mix(number);
        }
    }
    for (int attribute : {TRANSA, TRANSB, A_SCALE_MODE, B_SCALE_MODE}) {
        mix(operation.get(attribute));
    }
    return hash;
}

int choose(const Product &p, const Preference &preference, int sm, Algorithm &out) {
    if (breaks_rule_of_scales(p)) {
        return INVALID_VALUE;
    }
    bool is_fp8 = p.a.type == R_8F_E4M3 && p.b.type == R_8F_E4M3 && is_supported_fp8(p, preference, sm);
    bool is_bf16 = p.a.type == R_16BF && p.b.type == R_16BF && p.operation.get(A_SCALE_MODE) == 0 && p.operation.get(B_SCALE_MODE) == 0;
    bool has_result = p.d.type == R_16BF || p.d.type == R_32F;
    bool refused = world().settings["refuse"] == std::to_string(p.tokens());
    if (!(is_fp8 || is_bf16) || !has_result || p.compute != COMPUTE_32F || p.scale != R_32F || refused) {
        return NOT_SUPPORTED;
    }
    uint64_t wanted = (p.outputs() * p.tokens() * sizeof(float) + 255) / 256 * 256;
    out = {MAGIC, p.identity(), std::min(wanted, preference.get(MAX_WORKSPACE_BYTES)), 0, {}};
    int operand = 0;
    for (int alignment : {MIN_ALIGNMENT_A, MIN_ALIGNMENT_B, MIN_ALIGNMENT_C, MIN_ALIGNMENT_D}) {
        out.alignments |= preference.get(alignment, 256) << 16 * operand++;
    }
    return SUCCESS;
}

/** Sums of parts of K, as many as the number of tokens says: a library may choose another order for another number. */
void carry_out(const Product &p, const Algorithm &algorithm, const Places &at, float alpha) {
    std::vector<float> a = matrix(p.a, at.a), b = matrix(p.b, at.b);
    std::vector<float> a_scales, b_scales;
    if (p.is_fp8()) {
        a_scales = block_scales(p, at.a_scales);
        b_scales = read<float>(at.b_scales, blocks(p.inputs()) * p.tokens());
    }
    std::vector<char> scribble(algorithm.workspace, static_cast<char>(0xA5));
    write(at.workspace, scribble.data(), scribble.size());
    uint64_t k = p.inputs(), parts = 1 + p.tokens() % 3, stride = padded_blocks(k);
    bool a_transposed = p.operation.get(TRANSA) == OP_T, b_transposed = p.operation.get(TRANSB) == OP_T;
    for (uint64_t token = 0; token < p.tokens(); token++) {
        std::vector<float> column(p.outputs());
        for (uint64_t output = 0; output < p.outputs(); output++) {
            float sum = 0;
            for (uint64_t part = 0; part < parts; part++) {
                double of_part = 0;
                for (uint64_t i = k * part / parts; i < k * (part + 1) / parts; i++) {
                    double x = a[a_transposed ? output * p.a.rows + i : i * p.a.rows + output];
                    double y = b[b_transposed ? i * p.b.rows + token : token * p.b.rows + i];
                    double scale = p.is_fp8() ? static_cast<double>(a_scales[output / BLOCK * stride + i / BLOCK]) *
                                                    b_scales[i / BLOCK * p.tokens() + token]
                                              : 1;
                    of_part += x * y * scale;
                }
                sum += static_cast<float>(of_part);
            }
            column[output] = alpha * sum;
        }
        store(p.d, at.d, token, column);
    }
}

}  // namespace weft::cublaslt
