// What the tests of matrix products share: matrices in every format with their exact values, results between guard bytes,
// and sums in double to hold them against.
#ifndef WEFT_GEMM_FIXTURE_H
#define WEFT_GEMM_FIXTURE_H

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "weft/weft.h"

namespace {

constexpr int64_t ACTIVATIONS[] = {WEFT_F32, WEFT_BF16, WEFT_F8_E4M3};
constexpr int64_t WEIGHTS[] = {WEFT_F32, WEFT_BF16, WEFT_F8_E4M3, WEFT_F4_E2M1};

int failures = 0;
std::string context;

void check(bool holds, const std::string &what) {
    if (!holds && ++failures <= 20) {
        std::printf("FAILED %s: %s\n", context.c_str(), what.c_str());
    }
}

// ---- formats, from their definitions ----

double e8m0(uint8_t code) {
    return code == 255 ? NAN : std::ldexp(1.0, code - 127);
}

double e4m3(uint8_t code) {
    int exponent = code >> 3 & 15;
    int mantissa = code & 7;
    double magnitude = exponent == 0 ? std::ldexp(mantissa, -9) : std::ldexp(8 + mantissa, exponent - 10);
    if ((code & 0x7F) == 0x7F) {
        magnitude = NAN;
    }
    return code & 0x80 ? -magnitude : magnitude;
}

double e2m1(uint8_t code) {
    const double magnitudes[8] = {0, 0.5, 1, 1.5, 2, 3, 4, 6};
    return code & 8 ? -magnitudes[code & 7] : magnitudes[code & 7];
}

float bf16(uint16_t code) {
    uint32_t bits = uint32_t(code) << 16;
    float value;
    std::memcpy(&value, &bits, 4);
    return value;
}

/** Half a unit in the last place of BF16, relative. */
constexpr double BF16_ROUNDING = 1.0 / 256;

/** A row-major matrix in one of the formats, with its exact values. */
struct Matrix {
    int64_t dtype, rows, columns, pitch, scale_rows = 0, scale_columns = 0;
    std::vector<uint8_t> data, scales;

    Matrix(int64_t dtype, int64_t rows, int64_t columns, int64_t pitch, bool weight)
        : dtype(dtype), rows(rows), columns(columns), pitch(pitch) {
        if (dtype == WEFT_F4_E2M1) {
            scale_rows = 1, scale_columns = 32;
        } else if (dtype == WEFT_F8_E4M3) {
            scale_rows = weight ? 128 : 1, scale_columns = 128;
        }
        data.resize(size_t(bytes(rows * pitch)));
        if (scale_rows != 0) {
            scales.resize(size_t((rows + scale_rows - 1) / scale_rows * tiles()));
        }
    }

    int64_t bytes(int64_t elements) const {
        const int64_t nibbles = dtype == WEFT_F32 ? 8 : dtype == WEFT_BF16 ? 4 : dtype == WEFT_F8_E4M3 ? 2 : 1;
        return elements * nibbles / 2;
    }

    int64_t tiles() const { return (columns + scale_columns - 1) / scale_columns; }

    void randomise(std::mt19937 &random) {
        std::normal_distribution<float> normal;
        for (int64_t i = 0; i < rows * pitch; i++) {
            float value = normal(random);
            uint32_t bits;
            std::memcpy(&bits, &value, 4);
            if (dtype == WEFT_F32) {
                std::memcpy(&data[size_t(4 * i)], &bits, 4);
            } else if (dtype == WEFT_BF16) {
                std::memcpy(&data[size_t(2 * i)], reinterpret_cast<char *>(&bits) + 2, 2);
            } else if (dtype == WEFT_F8_E4M3) {
                uint8_t code = uint8_t(random());
                data[size_t(i)] = (code & 0x7F) == 0x7F ? 0 : code;
            } else if (i % 2 == 0) {
                data[size_t(i / 2)] = uint8_t(random());
            }
        }
        for (uint8_t &scale : scales) {
            scale = uint8_t(122 + random() % 6);
        }
    }

    double at(int64_t row, int64_t column) const {
        int64_t i = row * pitch + column;
        double scale = scale_rows == 0 ? 1 : e8m0(scales[size_t(row / scale_rows * tiles() + column / scale_columns)]);
        switch (dtype) {
            case WEFT_F32: {
                float value;
                std::memcpy(&value, &data[size_t(4 * i)], 4);
                return value;
            }
            case WEFT_BF16: {
                uint16_t code;
                std::memcpy(&code, &data[size_t(2 * i)], 2);
                return bf16(code);
            }
            case WEFT_F8_E4M3:
                return e4m3(data[size_t(i)]) * scale;
            default:
                return e2m1(data[size_t(i / 2)] >> (i % 2 * 4) & 15) * scale;
        }
    }

    weft_operand operand() {
        void *scale = scales.empty() ? nullptr : scales.data();
        return {data.data(), scale, dtype, scale_rows << 32 | scale_columns, 2, pitch, {rows, columns, 0, 0}};
    }
};

/** Memory at a multiple of 64 bytes. */
struct Aligned {
    std::vector<uint8_t> memory;
    explicit Aligned(int64_t bytes) : memory(size_t(bytes) + 64) {}
    uint8_t *data() { return memory.data() + (64 - reinterpret_cast<uintptr_t>(memory.data()) % 64) % 64; }
};

Aligned pack(int32_t isa, Matrix &w, int64_t matrices = 1) {
    weft_operand all = w.operand();
    all.dims[0] /= matrices;
    int64_t bytes = weft_packed_bytes(isa, &all);
    check(bytes >= 0 && bytes % 64 == 0, "packed size is a multiple of 64");
    Aligned packed(bytes * matrices);
    for (int64_t i = 0; i < matrices; i++) {
        weft_operand one = all;
        one.data = w.data.data() + w.bytes(i * all.dims[0] * w.pitch);
        one.scale = w.scales.empty() ? nullptr : w.scales.data() + int64_t(w.scales.size()) / matrices * i;
        check(weft_pack(isa, &one, packed.data() + bytes * i) == 0, "pack");
    }
    return packed;
}

constexpr uint8_t GUARD = 0xA5;

/** A result surrounded by guard bytes, with a gap behind each row. */
struct Result {
    int64_t dtype, rows, columns, pitch, size;
    std::vector<uint8_t> memory;
    static constexpr int64_t MARGIN = 64;

    Result(int64_t dtype, int64_t rows, int64_t columns, int64_t gap)
        : dtype(dtype), rows(rows), columns(columns), pitch(columns + gap), size(dtype == WEFT_F32 ? 4 : 2),
          memory(size_t(rows * pitch * size + 2 * MARGIN), GUARD) {}

    const uint8_t *row(int64_t r) const { return memory.data() + MARGIN + r * pitch * size; }

    double at(int64_t r, int64_t c) const {
        if (dtype == WEFT_F32) {
            float value;
            std::memcpy(&value, row(r) + 4 * c, 4);
            return value;
        }
        uint16_t code;
        std::memcpy(&code, row(r) + 2 * c, 2);
        return bf16(code);
    }

    weft_operand operand() {
        return {memory.data() + MARGIN, nullptr, dtype, 0, 2, pitch, {rows, columns, 0, 0}};
    }

    void check_guards() const {
        bool intact = true;
        for (int64_t i = 0; i < int64_t(memory.size()); i++) {
            int64_t inside = i - MARGIN;
            bool written = inside >= 0 && inside < rows * pitch * size && inside % (pitch * size) < columns * size;
            intact &= written || memory[size_t(i)] == GUARD;
        }
        check(intact, "bytes outside of the result were written");
    }
};

/** One pool per number of threads, made when first asked for. */
class Pools {
public:
    Pools() = default;
    Pools(const Pools &) = delete;
    Pools &operator=(const Pools &) = delete;

    ~Pools() {
        for (weft_pool *pool : pools_) {
            weft_pool_destroy(pool);
        }
    }

    weft_pool *with(int32_t threads) {
        while (int32_t(pools_.size()) < threads) {
            pools_.push_back(weft_pool_create(int32_t(pools_.size()) + 1));
        }
        return pools_[size_t(threads) - 1];
    }

private:
    std::vector<weft_pool *> pools_;
};

void run(int32_t isa, int64_t op, std::vector<weft_operand> operands, int32_t threads) {
    static Pools pools;
    weft_pool *pool = pools.with(threads);
    auto count = int64_t(operands.size());
    const char *reason = weft_unsupported(isa, op, nullptr, operands.data(), count);
    check(reason == nullptr, reason == nullptr ? "" : reason);
    Aligned workspace(weft_workspace(isa, op, nullptr, operands.data(), count, threads));
    std::memset(workspace.data(), 0xFF, workspace.memory.size() - 64);  // NaN where nothing was written
    weft_command command = {op, nullptr, operands.data(), workspace.data()};
    check(weft_run(pool, isa, &command, 1) == 0, "run");
}

/** Sums in double of rows of x times rows [first, first + n) of w. */
struct Expected {
    int64_t n;
    std::vector<double> sums;
    double greatest = 0;

    Expected(const Matrix &x, const Matrix &w, int64_t first_x, int64_t rows, int64_t first_w, int64_t n)
        : n(n), sums(size_t(rows * n)) {
        std::vector<double> left(static_cast<size_t>(rows * w.columns));
        for (int64_t i = 0; i < rows * w.columns; i++) {
            left[size_t(i)] = x.at(first_x + i / w.columns, i % w.columns);
        }
        std::vector<double> right(static_cast<size_t>(w.columns));
        for (int64_t j = 0; j < n; j++) {
            for (int64_t k = 0; k < w.columns; k++) {
                right[size_t(k)] = w.at(first_w + j, k);
            }
            for (int64_t i = 0; i < rows; i++) {
                double sum = 0;
                for (int64_t k = 0; k < w.columns; k++) {
                    sum += left[size_t(i * w.columns + k)] * right[size_t(k)];
                }
                sums[size_t(i * n + j)] = sum;
                greatest = std::fmax(greatest, std::fabs(sum));
            }
        }
    }

    void compare(const Result &result, int64_t first_row, int64_t rows, int64_t first_column = 0) const {
        double worst = 0;
        for (int64_t i = 0; i < rows; i++) {
            for (int64_t j = 0; j < n; j++) {
                double want = sums[size_t(i * n + j)];
                double error = std::fabs(result.at(first_row + i, first_column + j) - want);
                error -= result.dtype == WEFT_BF16 ? BF16_ROUNDING * std::fabs(want) : 0;
                worst = std::isnan(error) ? INFINITY : std::fmax(worst, error);
            }
        }
        check(worst <= 1e-6 * greatest, "error " + std::to_string(worst / greatest) + " of the greatest value");
    }
};

const char *name(int64_t dtype) {
    return dtype == WEFT_F32 ? "f32" : dtype == WEFT_BF16 ? "bf16" : dtype == WEFT_F8_E4M3 ? "f8" : "f4";
}

void compare_rows(const Result &all, const Result &some, int64_t first_row) {
    bool equal = true;
    for (int64_t r = 0; r < some.rows; r++) {
        equal &= std::memcmp(all.row(first_row + r), some.row(r), size_t(some.columns * some.size)) == 0;
    }
    check(equal, std::to_string(some.rows) + " rows from " + std::to_string(first_row) + " on: other bits than among " +
                     std::to_string(all.rows));
}

/** Runs f(level) at every level the processor has, says how each went, and returns main's exit code. */
template <class F>
int at_every_level(const F &f) {
    for (int32_t isa = 0; isa < weft_isa_count(); isa++) {
        if (!weft_isa_usable(isa)) {
            std::printf("%s: not usable on this processor\n", weft_isa_name(isa));
            continue;
        }
        const int before = failures;
        f(isa);
        std::printf("%s: %s\n", weft_isa_name(isa), failures == before ? "ok" : "FAILED");
    }
    std::printf("%d failures\n", failures);
    return failures == 0 ? 0 : 1;
}

}  // namespace

#endif
