// The decoding in registers of fragments.cuh against the codecs of small_floats.cuh, bit for bit, over all codes and scale
// bytes, and its order of K against the table of fragments.cuh.
#include <cstdio>
#include <vector>

#include "weft/cuda/fragments.cuh"

using namespace weft;

namespace {

int failures = 0;

void check(bool holds, const char *what, unsigned at) {
    if (!holds && failures++ < 10) {
        std::fprintf(stderr, "%s: wrong at 0x%x\n", what, at);
    }
}

u32 half(const Chunk &chunk, int i) {
    return chunk.pair[i / 2] >> (i % 2 * 16) & 0xFFFFu;
}

bool same(float found, float expected) {
    return is_nan(expected) ? is_nan(found) : bits_of(found) == bits_of(expected);
}

// Where the value i of eight comes in a chunk.
constexpr int E2M1_ORDER[] = {0, 4, 1, 5, 2, 6, 3, 7};
constexpr int STRAIGHT[] = {0, 1, 2, 3, 4, 5, 6, 7};

bool is_e4m3_nan(u32 code) {
    return (code & 0x7Fu) == 0x7Fu;
}

// Every code at every place among codes that are its neighbours.
void e4m3() {
    for (u32 code = 0; code < 256; code++) {
        u32 codes[8];
        bool has_nan = false;
        for (u32 i = 0; i < 8; i++) {
            codes[i] = (code + 37 * i) & 0xFFu;
            has_nan |= is_e4m3_nan(codes[i]);
        }
        const u32 low = codes[0] | codes[1] << 8 | codes[2] << 16 | codes[3] << 24;
        const u32 high = codes[4] | codes[5] << 8 | codes[6] << 16 | codes[7] << 24;
        const Chunk wide = e4m3_chunk<BF16>(low, high);
        const Chunk narrow = e4m3_chunk<F16>(low, high);
        const Chunk bits = e4m3_chunk_of_bits(low, high);
        bool found_nan = false;
        for (int i = 0; i < 8; i++) {
            const float value = e4m3_to_float(codes[i]);
            check(same(bf16_to_float(half(wide, i)), value), "E4M3 as BF16", code);
            check(same(f16_to_float(half(narrow, i)), value), "E4M3 as binary16", code);
            found_nan |= is_nan(bf16_to_float(half(bits, i)));
            check(has_nan || same(bf16_to_float(half(bits, i)), value), "E4M3 by bits", code);
        }
        check(found_nan == has_nan, "NaN of E4M3 by bits", code);
    }
}

// Every code at every place with every scale byte: code times scale as BF16 has it, which is exact but for overflow.
void e2m1() {
    for (u32 scale = 0; scale < 256; scale++) {
        for (u32 code = 0; code < 16; code++) {
            u32 word = 0;
            for (u32 i = 0; i < 8; i++) {
                word |= ((code + 5 * i) & 15u) << 4 * i;
            }
            Chunk chunk = scaled(e2m1_chunk(word), e2m1_factor(scale));
            if (scale > MOST_E2M1_SCALE) {
                chunk = scaled(chunk, e2m1_second_factor(scale));
            }
            for (int i = 0; i < 8; i++) {
                const float value = e2m1_to_float(word >> 4 * E2M1_ORDER[i] & 15u) * e8m0_to_float(scale);
                check(same(bf16_to_float(half(chunk, i)), value), "E2M1", scale << 8 | code);
            }
        }
    }
}

template <DType W>
constexpr const int *order() {
    return W == F4_E2M1 ? E2M1_ORDER : STRAIGHT;
}

template <DType W>
void activations_in_order() {
    u32 bf16[4];
    for (u32 i = 0; i < 4; i++) {
        bf16[i] = (0x3F80u + 2 * i) | (0x3F81u + 2 * i) << 16;
    }
    const Chunk wide = activations<BF16, W>(bf16);
    const u32 e4m3[2] = {0x33323130u, 0x37363534u};
    const Chunk narrow = activations<F8_E4M3, W>(e4m3);
    for (int i = 0; i < 8; i++) {
        const u32 k = static_cast<u32>(order<W>()[i]);
        check(half(wide, i) == 0x3F80u + k, "order of BF16 activations", static_cast<u32>(i));
        check(same(bf16_to_float(half(narrow, i)), e4m3_to_float(0x30u + k)), "order of E4M3 activations", static_cast<u32>(i));
    }
}

// Every value of a block of K is in exactly one lane's load.
template <DType W>
void loads_cover() {
    std::vector<int> seen(K_BLOCK);
    for (int v = 0; v < block_loads<W>; v++) {
        for (int c = 0; c < 4; c++) {
            for (int i = 0; i < lane_values<W>; i++) {
                seen[static_cast<size_t>(first_value<W>(v, c) + i)]++;
            }
        }
    }
    for (size_t k = 0; k < seen.size(); k++) {
        check(seen[k] == 1, "loads of a block", static_cast<unsigned>(k));
    }
}

// Both factors are normal and give the power of two of the two scale bytes, 2^-252 at least.
void powers() {
    for (u32 a = 0; a < 256; a++) {
        for (u32 b = 0; b < 256; b++) {
            const Power power = power_of(scale_exponent(a) + scale_exponent(b));
            const double expected = fmax(static_cast<double>(e8m0_to_float(a)) * e8m0_to_float(b), 0x1p-252);
            const double found = static_cast<double>(power.first) * power.second;
            const bool nan = a == 255 || b == 255;
            check(nan ? found != found : found == expected, "power", a << 8 | b);
            check(nan || (fabsf(power.first) >= 0x1p-126f && fabsf(power.second) >= 0x1p-126f), "normal power", a << 8 | b);
        }
    }
}

}  // namespace

int main() {
    e4m3();
    e2m1();
    activations_in_order<F4_E2M1>();
    activations_in_order<F8_E4M3>();
    activations_in_order<BF16>();
    loads_cover<F4_E2M1>();
    loads_cover<F8_E4M3>();
    loads_cover<BF16>();
    powers();
    return failures == 0 ? 0 : 1;
}
