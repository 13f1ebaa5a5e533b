// Tensors with guard bytes, and calls of one kernel that compare its results.
#ifndef WEFT_OPS_HARNESS_H
#define WEFT_OPS_HARNESS_H

#include <cmath>
#include <functional>
#include <limits>
#include <random>

#include "kernel_test.h"

namespace {

std::mt19937 generator(7);
constexpr uint8_t GUARD = 0xA5;
constexpr int64_t GUARD_BYTES = 64;
const float INF = std::numeric_limits<float>::infinity();

// ---- formats, from their definitions ----

uint16_t bf16(float value) {
    uint32_t bits = to_bits(value);
    return uint16_t(value != value ? bits >> 16 | 0x40 : (bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

inline float rounded(int64_t dtype, float value) {
    return dtype == WEFT_BF16 ? from_bits(uint32_t(bf16(value)) << 16) : value;
}

inline float e8m0(uint8_t code) {
    return code == 255 ? NAN : std::ldexp(1.0f, code - 127);
}

float decode(int64_t dtype, uint8_t code) {
    const int mantissa_bits = dtype == WEFT_F8_E4M3 ? 3 : 1;
    const int bias = dtype == WEFT_F8_E4M3 ? 7 : 1;
    const int magnitude = code & (dtype == WEFT_F8_E4M3 ? 0x7F : 7);
    const int exponent = magnitude >> mantissa_bits;
    const int mantissa = magnitude & ((1 << mantissa_bits) - 1);
    float value = exponent == 0 ? std::ldexp(float(mantissa), 1 - bias - mantissa_bits)
                                : std::ldexp(float((1 << mantissa_bits) + mantissa), exponent - bias - mantissa_bits);
    if (dtype == WEFT_F8_E4M3 && magnitude == 0x7F) {
        return NAN;
    }
    return code & (dtype == WEFT_F8_E4M3 ? 0x80 : 8) ? -value : value;
}

/** The nearest code by search; of two equally near ones the even one. */
inline uint8_t encode(int64_t dtype, float value) {
    const int codes = dtype == WEFT_F8_E4M3 ? 0x7F : 8;
    int best = 0;
    for (int code = 1; code < codes; code++) {
        double gain = std::fabs(std::fabs(double(value)) - decode(dtype, uint8_t(best))) -
                      std::fabs(std::fabs(double(value)) - decode(dtype, uint8_t(code)));
        best = gain > 0 || (gain == 0 && code % 2 == 0) ? code : best;
    }
    return uint8_t(best | (std::signbit(value) ? (dtype == WEFT_F8_E4M3 ? 0x80 : 8) : 0));
}

int64_t bits_of(int64_t dtype) {
    return dtype == WEFT_F32 || dtype == WEFT_I32 ? 32 : dtype == WEFT_BF16 ? 16 : dtype == WEFT_F4_E2M1 ? 4 : 8;
}

// ---- tensors ----

struct Tensor {
    int64_t dtype;
    std::vector<int64_t> dims;
    int64_t pitch, scale_rows = 0, scale_columns = 0;
    std::vector<uint8_t> memory, scale_memory;

    Tensor(int64_t dtype, std::vector<int64_t> extents, int64_t gap = 0, int64_t scale_rows = 0, int64_t block = 0)
        : dtype(dtype), dims(extents), scale_rows(scale_rows), scale_columns(block) {
        pitch = dims.size() == 1 ? 1 : inner() + gap;
        memory.assign(size_t(2 * GUARD_BYTES + dims[0] * pitch * bits_of(dtype) / 8), GUARD);
        scale_memory.assign(size_t(2 * GUARD_BYTES + scale_count()), GUARD);
    }

    int64_t inner() const {
        int64_t n = 1;
        for (size_t axis = 1; axis < dims.size(); axis++) {
            n *= dims[axis];
        }
        return n;
    }

    int64_t columns() const { return dims.back(); }
    int64_t rows() const { return dims.size() == 1 ? 1 : dims[0] * inner() / columns(); }

    int64_t scale_count() const {
        if (scale_rows == 0) {
            return 0;
        }
        int64_t height = dims.size() == 1 ? 1 : dims[dims.size() - 2];
        return rows() / std::max<int64_t>(1, height) * ((height + scale_rows - 1) / scale_rows) * blocks();
    }

    int64_t blocks() const { return (columns() + scale_columns - 1) / scale_columns; }
    uint8_t *data() { return memory.data() + GUARD_BYTES; }
    uint8_t *scales() { return scale_memory.data() + GUARD_BYTES; }

    int64_t element(int64_t row, int64_t column) const {
        if (dims.size() == 1) {
            return column;
        }
        int64_t per = inner() / columns();
        return row / per * pitch + row % per * columns() + column;
    }

    uint32_t code(int64_t row, int64_t column) {
        int64_t at = element(row, column);
        uint32_t value = 0;
        if (dtype == WEFT_F4_E2M1) {
            return data()[at / 2] >> (at % 2 * 4) & 15;
        }
        int64_t size = bits_of(dtype) / 8;
        std::memcpy(&value, data() + at * size, size_t(size));
        return value;
    }

    float at(int64_t row, int64_t column) {
        uint32_t value = code(row, column);
        return dtype == WEFT_I32 ? float(int32_t(value)) : from_bits(dtype == WEFT_BF16 ? value << 16 : value);
    }

    int32_t integer(int64_t row, int64_t column) { return int32_t(code(row, column)); }

    void set(int64_t row, int64_t column, float value) {
        int64_t at = element(row, column);
        if (dtype == WEFT_BF16) {
            uint16_t narrow = bf16(value);
            std::memcpy(data() + at * 2, &narrow, 2);
        } else if (dtype == WEFT_I32) {
            int32_t whole = int32_t(value);
            std::memcpy(data() + at * 4, &whole, 4);
        } else {
            std::memcpy(data() + at * 4, &value, 4);
        }
    }

    Tensor &fill(const std::function<float(int64_t, int64_t)> &f) {
        for (int64_t i = 0; i < rows(); i++) {
            for (int64_t j = 0; j < columns(); j++) {
                set(i, j, f(i, j));
            }
        }
        return *this;
    }

    Tensor &normal(float spread = 1) {
        std::normal_distribution<float> distribution(0, spread);
        return fill([&](int64_t, int64_t) { return distribution(generator); });
    }

    Tensor &random_codes() {
        for (int64_t i = 0; i < dims[0] * pitch * bits_of(dtype) / 8; i++) {
            uint8_t byte = uint8_t(generator());
            bool gap = i * 8 / bits_of(dtype) % pitch >= inner();
            data()[i] = gap ? GUARD : dtype == WEFT_F8_E4M3 && (byte & 0x7F) == 0x7F ? 0 : byte;
        }
        for (int64_t i = 0; i < scale_count(); i++) {
            scales()[i] = uint8_t(120 + generator() % 10);
        }
        return *this;
    }

    /** Indices [first, first + count) of axis 0. */
    weft_operand operand(int64_t first, int64_t count) {
        weft_operand o = {data() + first * pitch * bits_of(dtype) / 8, scale_rows == 0 ? nullptr : scales(), dtype,
                          scale_rows << 32 | scale_columns, int64_t(dims.size()), pitch, {}};
        std::copy(dims.begin(), dims.end(), o.dims);
        o.dims[0] = count;
        if (scale_rows != 0 && first > 0) {
            o.scale = scales() + first * (inner() / columns()) * blocks();
        }
        return o;
    }

    /** Whether the bytes around the elements, gaps between rows included, are as they were. */
    bool guarded() {
        auto is_guard = [](uint8_t byte) { return byte == GUARD; };
        bool whole = std::all_of(memory.begin(), memory.begin() + GUARD_BYTES, is_guard) &&
                     std::all_of(memory.end() - GUARD_BYTES, memory.end(), is_guard) &&
                     std::all_of(scale_memory.begin(), scale_memory.begin() + GUARD_BYTES, is_guard) &&
                     std::all_of(scale_memory.end() - GUARD_BYTES, scale_memory.end(), is_guard);
        for (int64_t i = 0; dims.size() > 1 && i < dims[0]; i++) {
            int64_t size = bits_of(dtype);
            whole = whole && std::all_of(data() + (i * pitch + inner()) * size / 8, data() + (i + 1) * pitch * size / 8,
                                         is_guard);
        }
        return whole;
    }
};

// ---- calls ----

struct Call {
    int64_t op;
    std::vector<int64_t> attributes;
    std::vector<Tensor> tensors;  // operands, then results
    size_t results;               // index of the first result

    Tensor &result(size_t i = 0) { return tensors[results + i]; }

    void run(int32_t threads) {
        std::vector<weft_operand> operands;
        for (Tensor &t : tensors) {
            operands.push_back(t.operand(0, t.dims[0]));
        }
        run_command(op, attributes, operands, threads);
        for (Tensor &t : tensors) {
            check(t.guarded(), "nothing is written outside of the elements");
        }
    }

    /** Every row alone, for the tensors that share axis 0 with the result, must give the bytes of the whole call. */
    void check_rows(const std::vector<bool> &shared) {
        std::vector<Tensor> before = tensors;
        run(3);
        std::vector<Tensor> whole = tensors;
        tensors = before;
        run(1);
        for (size_t t = results; t < tensors.size(); t++) {
            check(tensors[t].memory == whole[t].memory, "the same bits with another number of threads");
        }
        tensors = before;
        for (int64_t i = 0; i < tensors[results].dims[0]; i++) {
            std::vector<weft_operand> operands;
            for (size_t t = 0; t < tensors.size(); t++) {
                bool split = t >= results || shared[t];
                operands.push_back(tensors[t].operand(split ? i : 0, split ? 1 : tensors[t].dims[0]));
            }
            run_command(op, attributes, operands, 1);
        }
        for (size_t t = results; t < tensors.size(); t++) {
            check(tensors[t].memory == whole[t].memory && tensors[t].scale_memory == whole[t].scale_memory,
                  "a row alone has the bits it has among others");
        }
    }

    /**
     * Compares the first result; `units` are halves of the last place of BF16 or millionths for F32, relative to values
     * of at least `least`, which stands for the size of the terms where they cancel.
     */
    void expect(double units, const std::function<double(int64_t, int64_t)> &f, double least = 1e-3) {
        Tensor &y = result();
        double unit = units * (y.dtype == WEFT_BF16 ? 1.0 / 256 : 1e-6);
        for (int64_t i = 0; i < y.rows(); i++) {
            for (int64_t j = 0; j < y.columns(); j++) {
                double found = y.at(i, j), expected = f(i, j);
                bool same = found == expected || (std::isnan(found) && std::isnan(expected));
                check(same || std::fabs(found - expected) <= unit * std::max(std::fabs(expected), least),
                      "row " + std::to_string(i) + " column " + std::to_string(j) + ": found " + std::to_string(found) +
                          ", expected " + std::to_string(expected));
            }
        }
    }
};

}  // namespace

#endif
