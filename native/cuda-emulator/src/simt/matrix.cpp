// mma.sync and ldmatrix: the last lane to come does the work of the warp.
#include <cmath>
#include <cstdint>
#include <cstring>

#include "block.h"
#include "weft/cuda/ptx_floats.h"

namespace weft::simt {

namespace {

constexpr int rows = 16, columns = 8, most_depth = 32;
constexpr int result_words = 4, a_words = 4, b_words = 2;

float as_float(uint32_t bits) {
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

float bf16(uint32_t code) {
    return as_float(code << 16);
}

float f16(uint32_t code) {
    int exponent = static_cast<int>(code >> 10 & 31);
    auto mantissa = static_cast<float>(code & 1023);
    float magnitude = exponent == 31  ? (mantissa == 0 ? INFINITY : NAN)
                      : exponent == 0 ? std::ldexp(mantissa, -24)
                                      : std::ldexp(mantissa + 1024, exponent - 25);
    return code & 0x8000 ? -magnitude : magnitude;
}

float e4m3(uint32_t code) {
    int exponent = static_cast<int>(code >> 3 & 15);
    auto mantissa = static_cast<float>(code & 7);
    float magnitude = (code & 127) == 127 ? NAN
                      : exponent == 0     ? std::ldexp(mantissa, -9)
                                          : std::ldexp(mantissa + 8, exponent - 10);
    return code & 0x80 ? -magnitude : magnitude;
}

/** Values of a format by code. */
template <int BITS, float (*DECODE)(uint32_t)>
const float *values() {
    static const float *const table = [] {
        auto *made = new float[size_t{1} << BITS];
        for (uint32_t code = 0; code < 1u << BITS; code++) {
            made[code] = DECODE(code);
        }
        return made;
    }();
    return table;
}

struct Bf16 {
    static constexpr int bits = 16;
    float operator()(uint32_t code) const { return bf16(code); }
};
struct F16 {
    static constexpr int bits = 16;
    const float *table = values<16, f16>();
    float operator()(uint32_t code) const { return table[code]; }
};
struct E4m3 {
    static constexpr int bits = 8;
    const float *table = values<8, e4m3>();
    float operator()(uint32_t code) const { return table[code]; }
};

// Each lane brought its part of d, a and b, and takes its part of d. Lane 4g + t has of a the rows g and g + 8 (register
// by register), of b the column g, each with the values t of a register's worth, and of d those rows and columns 2t, 2t + 1.
template <class Format>
void multiply_all(Meeting &m) {
    constexpr int per_word = 32 / Format::bits, depth = 8 * per_word;
    const Format decode;
    double a[rows][most_depth], b[most_depth][columns];
    for (int lane = 0; lane < 32; lane++) {
        const unsigned *word = m.word[lane] + result_words;
        int group = lane / 4, first = lane % 4 * per_word;
        for (int i = 0; i < a_words; i++) {
            for (int j = 0; j < per_word; j++) {
                a[group + i % 2 * 8][i / 2 * depth / 2 + first + j] =
                    static_cast<double>(decode(word[i] >> (j * Format::bits) & ((1u << Format::bits) - 1)));
            }
        }
        for (int i = 0; i < b_words; i++) {
            for (int j = 0; j < per_word; j++) {
                b[i * depth / 2 + first + j][group] =
                    static_cast<double>(decode(word[a_words + i] >> (j * Format::bits) & ((1u << Format::bits) - 1)));
            }
        }
    }
    for (int row = 0; row < rows; row++) {
        double sum[columns] = {};
        for (int k = 0; k < depth; k++) {
            for (int column = 0; column < columns; column++) {
                sum[column] += a[row][k] * b[k][column];
            }
        }
        for (int column = 0; column < columns; column++) {
            unsigned &word = m.word[row % 8 * 4 + column / 2][row / 8 * 2 + column % 2];
            const float result = ptx::canonical(static_cast<float>(sum[column] + static_cast<double>(as_float(word))));
            std::memcpy(&word, &result, sizeof word);
        }
    }
}

template <int COUNT, bool TRANSPOSED>
void load_all(Meeting &m) {
    uint16_t matrix[COUNT][8][8];
    for (int lane = 0; lane < 8 * COUNT; lane++) {
        uintptr_t address = static_cast<uintptr_t>(m.word[lane][1]) << 32 | m.word[lane][0];
        if (address % 16 != 0) {
            this_block->fail(716, "misaligned-matrix", "ldmatrix: the row of lane " + std::to_string(lane) +
                                                           " does not begin at a multiple of 16 bytes");
        }
        std::memcpy(matrix[lane / 8][lane % 8], reinterpret_cast<const void *>(address), 16);
    }
    for (int lane = 0; lane < 32; lane++) {
        int row = lane / 4, column = lane % 4 * 2;
        for (int i = 0; i < COUNT; i++) {
            unsigned low = TRANSPOSED ? matrix[i][column][row] : matrix[i][row][column];
            unsigned high = TRANSPOSED ? matrix[i][column + 1][row] : matrix[i][row][column + 1];
            m.word[lane][i] = low | high << 16;
        }
    }
}

void (*finisher(int count, bool transposed))(Meeting &) {
    switch (count) {
        case 1:
            return transposed ? load_all<1, true> : load_all<1, false>;
        case 2:
            return transposed ? load_all<2, true> : load_all<2, false>;
        default:
            return transposed ? load_all<4, true> : load_all<4, false>;
    }
}

}  // namespace

void multiply(Factor format, float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
    unsigned words[result_words + a_words + b_words];
    std::memcpy(words, d, sizeof d);
    std::memcpy(words + result_words, a, sizeof a);
    words[result_words + a_words] = b0;
    words[result_words + a_words + 1] = b1;
    auto finish = format == Factor::BF16  ? multiply_all<Bf16>
                  : format == Factor::F16 ? multiply_all<F16>
                                          : multiply_all<E4m3>;
    Meeting &m = meet(Collective::MMA, 0xffffffffu, words, static_cast<int>(std::size(words)), finish);
    std::memcpy(d, m.word[lane()], sizeof d);
    leave(m);
}

void load_matrices(unsigned *out, int count, bool transposed, const void *row) {
    auto address = reinterpret_cast<uintptr_t>(row);
    unsigned words[] = {static_cast<unsigned>(address), static_cast<unsigned>(address >> 32)};
    Meeting &m = meet(Collective::LDMATRIX, 0xffffffffu, words, 2, finisher(count, transposed));
    std::memcpy(out, m.word[lane()], static_cast<size_t>(count) * sizeof *out);
    leave(m);
}

}  // namespace weft::simt
