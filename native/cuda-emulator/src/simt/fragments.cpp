// mma.sync and ldmatrix for kernels translated from PTX, by the figures of the PTX ISA; matrix.cpp has those of the wrappers.
#include <cstdint>
#include <cstring>

#include "block.h"
#include "weft/cuda/ptx_floats.h"
#include "weft/cuda/ptx_products.h"

namespace weft::simt {

namespace {

struct Bf16 {
    static constexpr int bits = 16;
    static float decode(unsigned code) { return ptx::from_bf16(code); }
};
struct F16 {
    static constexpr int bits = 16;
    static float decode(unsigned code) { return ptx::from_f16(static_cast<uint16_t>(code)); }
};
struct E4m3 {
    static constexpr int bits = 8;
    static float decode(unsigned code) { return ptx::from_e4m3(code); }
};

// Fragments, with group = lane / 4 and member = lane % 4, and w values in a word (2 of 16 bits, 4 of 8):
//   a: value i of word j: row group, or group + 8 in words 1 and 3; column w member + i, in words 2 and 3 half the depth further
//   b: value i of word j: row w member + i, in word 1 half the depth further; column group
//   d: word j: row group, or group + 8 in words 2 and 3; column 2 member + j % 2
template <class Format>
void multiply_warp(Meeting &m) {
    constexpr int w = 32 / Format::bits, depth = 8 * w;
    double a[16][depth], b[8][depth];
    for (int lane = 0; lane < 32; lane++) {
        const int group = lane / 4, member = lane % 4;
        const unsigned *word = m.word[lane];
        for (int i = 0; i < w; i++) {
            const auto value = [&](int j) {
                return static_cast<double>(Format::decode(word[j] >> Format::bits * i & (0xffffffffu >> (32 - Format::bits))));
            };
            a[group][w * member + i] = value(4);
            a[group + 8][w * member + i] = value(5);
            a[group][w * member + i + depth / 2] = value(6);
            a[group + 8][w * member + i + depth / 2] = value(7);
            b[group][w * member + i] = value(8);
            b[group][w * member + i + depth / 2] = value(9);
        }
    }
    for (int lane = 0; lane < 32; lane++) {
        for (int j = 0; j < 4; j++) {
            const double *row = a[lane / 4 + (j >= 2 ? 8 : 0)], *column = b[lane % 4 * 2 + j % 2];
            double sum = 0;
            for (int k = 0; k < depth; k++) {
                sum += row[k] * column[k];
            }
            unsigned &d = m.word[lane][j];
            d = ptx::bits<unsigned>(static_cast<float>(sum + static_cast<double>(ptx::bits<float>(d))));
        }
    }
}

template <int COUNT, bool IS_TRANSPOSED>
void load_rows(Meeting &m) {
    uint16_t matrix[COUNT][8][8];
    for (int lane = 0; lane < 8 * COUNT; lane++) {
        const auto address = static_cast<uintptr_t>(m.word[lane][1]) << 32 | m.word[lane][0];
        if (address % 16 != 0) {
            this_block->fail(716, "misaligned-matrix", "ldmatrix: a row does not begin at a multiple of 16 bytes");
        }
        std::memcpy(matrix[lane / 8][lane % 8], reinterpret_cast<const void *>(address), 16);
    }
    for (int lane = 0; lane < 32; lane++) {
        for (int i = 0; i < COUNT; i++) {
            unsigned value[2];
            for (int j = 0; j < 2; j++) {
                const int row = lane / 4, column = lane % 4 * 2 + j;
                value[j] = IS_TRANSPOSED ? matrix[i][column][row] : matrix[i][row][column];
            }
            m.word[lane][i] = value[0] | value[1] << 16;
        }
    }
}

}  // namespace

void multiply_fragments(Factor format, float *d, const unsigned *a, const unsigned *b) {
    unsigned words[10];
    std::memcpy(words, d, 16);
    std::memcpy(words + 4, a, 16);
    std::memcpy(words + 8, b, 8);
    auto finish = format == Factor::BF16  ? multiply_warp<Bf16>
                  : format == Factor::F16 ? multiply_warp<F16>
                                          : multiply_warp<E4m3>;
    Meeting &m = meet(Collective::MMA, 0xffffffffu, words, 10, finish);
    std::memcpy(d, m.word[lane()], 16);
    leave(m);
}

void load_matrix_rows(unsigned *out, int count, bool is_transposed, const void *row) {
    const auto address = reinterpret_cast<uintptr_t>(row);
    const unsigned words[] = {static_cast<unsigned>(address), static_cast<unsigned>(address >> 32)};
    auto finish = count == 1   ? (is_transposed ? load_rows<1, true> : load_rows<1, false>)
                  : count == 2 ? (is_transposed ? load_rows<2, true> : load_rows<2, false>)
                               : (is_transposed ? load_rows<4, true> : load_rows<4, false>);
    Meeting &m = meet(Collective::LDMATRIX, 0xffffffffu, words, 2, finish);
    std::memcpy(out, m.word[lane()], static_cast<size_t>(count) * 4);
    leave(m);
}

}  // namespace weft::simt
