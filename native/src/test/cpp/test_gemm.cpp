// Matrix products at every level the processor has: against sums in double, and bit for bit across numbers of rows,
// positions of a row and numbers of threads. Exits with 1 at the first failures.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "weft/weft.h"

namespace {

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

void test_gemm(int32_t isa, int64_t xd, int64_t wd, int64_t out, int64_t n, int64_t k, std::mt19937 &random) {
    constexpr int64_t most = 45;
    context = std::string(weft_isa_name(isa)) + " gemm " + name(xd) + " x " + name(wd) + " -> " + name(out) +
              " n=" + std::to_string(n) + " k=" + std::to_string(k);
    Matrix x(xd, most, k, k + 5, false);
    Matrix w(wd, n, k, k, true);
    x.randomise(random);
    w.randomise(random);
    Aligned packed = pack(isa, w);
    weft_operand wo = w.operand();
    wo.data = packed.data();
    wo.scale = nullptr;  // packed with the codes
    Expected expected(x, w, 0, most, 0, n);
    Result all(out, most, n, 3);
    run(isa, WEFT_GEMM, {x.operand(), wo, all.operand()}, 1);
    expected.compare(all, 0, most);
    all.check_guards();
    for (int64_t rows : std::vector<int64_t>{0, 1, 2, 3, 7, 8, 9, most}) {
        for (int32_t threads = 1; threads <= 3; threads++) {
            int64_t first = rows == most ? 0 : threads * 5;
            weft_operand xo = x.operand();
            xo.data = x.data.data() + x.bytes(first * x.pitch);
            xo.scale = x.scales.empty() ? nullptr : x.scales.data() + first * x.tiles();
            xo.dims[0] = rows;
            Result some(out, rows, n, threads - 1);
            run(isa, WEFT_GEMM, {xo, wo, some.operand()}, threads);
            compare_rows(all, some, first);
            some.check_guards();
        }
    }
}

/** x [A, B, K] with a gap behind each B x K block equals the flat product. */
void test_rank3(int32_t isa, int64_t xd, std::mt19937 &random) {
    constexpr int64_t a = 5, b = 3, n = 33, k = 128;
    context = std::string(weft_isa_name(isa)) + " gemm of rank 3, x " + name(xd);
    Matrix x(xd, a, b * k, b * k + 128, false);
    x.scales.resize(xd == WEFT_F8_E4M3 ? a * b : 0);
    Matrix w(WEFT_F8_E4M3, n, k, k, true);
    x.randomise(random);
    w.randomise(random);
    Aligned packed = pack(isa, w);
    weft_operand wo = w.operand();
    wo.data = packed.data();
    wo.scale = nullptr;  // packed with the codes
    weft_operand xo = x.operand();
    xo.rank = 3;
    xo.dims[1] = b;
    xo.dims[2] = k;
    for (int32_t threads = 1; threads <= 2; threads++) {
        Result y(WEFT_F32, a, b * n, 11 * (threads - 1));
        weft_operand yo = y.operand();
        yo.rank = 3;
        yo.dims[1] = b;
        yo.dims[2] = n;
        run(isa, WEFT_GEMM, {xo, wo, yo}, threads);
        for (int64_t i = 0; i < a; i++) {
            for (int64_t j = 0; j < b; j++) {
                Matrix part(xd, 1, k, k, false);
                std::memcpy(part.data.data(), x.data.data() + x.bytes(i * x.pitch + j * k), part.data.size());
                if (!part.scales.empty()) {
                    part.scales[0] = x.scales[size_t(i * b + j)];
                }
                Expected(part, w, 0, 1, 0, n).compare(y, i, 1, j * n);
            }
        }
        y.check_guards();
    }
}

void test_grouped(int32_t isa, int64_t xd, int64_t wd, std::mt19937 &random) {
    constexpr int64_t groups = 3, rows = 10, n = 128, k = 256;
    context = std::string(weft_isa_name(isa)) + " grouped gemm " + name(xd) + " x " + name(wd);
    Matrix x(xd, rows, groups * k, groups * k + 128, false);
    x.scales.resize(xd == WEFT_F8_E4M3 ? size_t(rows * groups * k / 128) : 0);
    Matrix w(wd, groups * n, k, k, true);
    x.randomise(random);
    w.randomise(random);
    Aligned packed = pack(isa, w, groups);
    weft_operand xo = x.operand();
    weft_operand wo = w.operand();
    xo.rank = wo.rank = 3;
    xo.dims[1] = groups;
    xo.dims[2] = wo.dims[2] = k;
    wo.data = packed.data();
    wo.scale = nullptr;  // packed with the codes
    wo.dims[0] = groups;
    wo.dims[1] = n;
    for (int32_t threads = 1; threads <= 3; threads++) {
        Result y(WEFT_F32, rows, groups * n, threads);
        weft_operand yo = y.operand();
        yo.rank = 3;
        yo.dims[1] = groups;
        yo.dims[2] = n;
        run(isa, WEFT_GROUPED_GEMM, {xo, wo, yo}, threads);
        for (int64_t g = 0; g < groups; g++) {
            Matrix part(xd, rows, k, k, false);
            for (int64_t r = 0; r < rows; r++) {
                std::memcpy(part.data.data() + part.bytes(r * k), x.data.data() + x.bytes(r * x.pitch + g * k),
                            size_t(part.bytes(k)));
                for (int64_t b = 0; b < k / 128 && xd == WEFT_F8_E4M3; b++) {
                    part.scales[size_t(r * k / 128 + b)] = x.scales[size_t((r * groups + g) * k / 128 + b)];
                }
            }
            Expected(part, w, 0, rows, g * n, n).compare(y, 0, rows, g * n);
        }
        y.check_guards();
    }
}

void test_experts(int32_t isa, int64_t xd, int64_t wd, std::mt19937 &random) {
    constexpr int64_t n = 48, k = 256;
    const std::vector<int32_t> offsets = {0, 0, 1, 14, 14, 16, 90};
    const auto experts = int64_t(offsets.size()) - 1;
    const int64_t rows = offsets.back();
    context = std::string(weft_isa_name(isa)) + " expert gemm " + name(xd) + " x " + name(wd);
    Matrix x(xd, rows, k, k, false);
    // tiles of 128 rows do not cross experts: give each its own scale rows
    Matrix w(wd, experts * 128, k, k, true);
    x.randomise(random);
    w.randomise(random);
    weft_operand wo = w.operand();
    wo.dims[0] = n;
    const int64_t bytes = weft_packed_bytes(isa, &wo);
    Aligned packed(bytes * experts);
    for (int64_t e = 0; e < experts; e++) {
        weft_operand one = wo;
        one.data = w.data.data() + w.bytes(e * 128 * k);
        one.scale = w.scales.empty() ? nullptr : w.scales.data() + int64_t(w.scales.size()) / experts * e;
        check(weft_pack(isa, &one, packed.data() + bytes * e) == 0, "pack");
    }
    wo = {packed.data(), nullptr, wd, wo.scaling, 3, n * k, {experts, n, k, 0}};
    weft_operand oo = {const_cast<int32_t *>(offsets.data()), nullptr, WEFT_I32, 0, 1, 1, {experts + 1, 0, 0, 0}};
    for (int32_t threads = 1; threads <= 3; threads++) {
        Result y(WEFT_F32, rows, n, 1);
        run(isa, WEFT_EXPERT_GEMM, {x.operand(), wo, oo, y.operand()}, threads);
        for (int64_t e = 0; e < experts; e++) {
            int64_t begin = offsets[size_t(e)];
            int64_t count = offsets[size_t(e) + 1] - begin;
            Expected(x, w, begin, count, e * 128, n).compare(y, begin, count);
        }
        y.check_guards();
    }
}

/** NaN codes and scales, infinities and the smallest scale. */
void test_special(int32_t isa, int64_t xd, int64_t wd) {
    constexpr int64_t n = 20, k = 128;
    context = std::string(weft_isa_name(isa)) + " special values " + name(xd) + " x " + name(wd);
    for (int64_t rows : {1, 9}) {
        Matrix x(xd, rows, k, k, false);
        Matrix w(wd, n, k, k, true);
        for (uint8_t &scale : x.scales) {
            scale = 254;
        }
        for (uint8_t &scale : w.scales) {
            scale = 0;
        }
        auto set = [](Matrix &m, int64_t row, int64_t column, uint32_t f32, uint8_t f8, uint8_t f4) {
            auto *at = m.data.data() + m.bytes(row * m.pitch + column);
            if (m.dtype == WEFT_F32) {
                std::memcpy(at, &f32, 4);
            } else if (m.dtype == WEFT_BF16) {
                std::memcpy(at, reinterpret_cast<char *>(&f32) + 2, 2);
            } else {
                *at = m.dtype == WEFT_F8_E4M3 ? f8 : f4;
            }
        };
        for (int64_t r = 0; r < rows; r++) {
            set(x, r, 0, 0x3F800000, 0x38, 0);
        }
        for (int64_t c = 0; c < n; c++) {
            set(w, c, 0, 0x3F800000, 0x38, 2);  // 1, the second FP4 value of the byte is 0
        }
        if (wd == WEFT_F4_E2M1) {
            w.scales[size_t(3 * k / 32 + 1)] = 255;  // of zero codes
        } else {
            set(w, 3, 64, 0x7FC00000, 0x7F, 0);
        }
        Aligned packed = pack(isa, w);
        weft_operand wo = w.operand();
        wo.data = packed.data();
        wo.scale = nullptr;  // packed with the codes
        Result y(WEFT_F32, rows, n, 0);
        run(isa, WEFT_GEMM, {x.operand(), wo, y.operand()}, 1);
        double want = (x.scales.empty() ? 1 : e8m0(254)) * (w.scales.empty() ? 1 : e8m0(0));
        bool right = true;
        for (int64_t i = 0; i < rows * n; i++) {
            double value = y.at(i / n, i % n);
            right &= i % n == 3 ? std::isnan(value) : value == want;
        }
        check(right, "NaN in column 3 only, else 2^-127 times 2^127");
        set(x, 0, 5, 0x7FC00000, 0x7F, 0);
        run(isa, WEFT_GEMM, {x.operand(), wo, y.operand()}, 1);
        right = true;
        for (int64_t c = 0; c < n; c++) {
            right &= std::isnan(y.at(0, c)) && (rows == 1 || c == 3 || y.at(1, c) == want);
        }
        check(right, "NaN of x stays in its row");
    }
}

/** Every code of one operand, times 1 in the other: results are the codes' values, however many rows there are. */
void test_codes(int32_t isa, int64_t xd, int64_t wd, bool of_x) {
    const int64_t tested = of_x ? xd : wd;
    const int64_t codes = tested == WEFT_F8_E4M3 ? 256 : 16;
    const int64_t k = 128;
    context = std::string(weft_isa_name(isa)) + " codes of " + (of_x ? "x, " : "w, ") + name(xd) + " x " + name(wd);
    auto set = [](Matrix &m, int64_t row, int64_t column, uint8_t code) {
        uint8_t *at = m.data.data() + m.bytes(row * m.pitch + column);
        *at = m.dtype == WEFT_F8_E4M3 ? code : uint8_t(column % 2 == 0 ? (*at & 0xF0) | code : (*at & 15) | code << 4);
    };
    auto one = [&](Matrix &m, int64_t row, int64_t column) {
        const uint16_t bf16_one = 0x3F80;
        if (m.dtype == WEFT_BF16) {
            std::memcpy(m.data.data() + m.bytes(row * m.pitch + column), &bf16_one, 2);
        } else {
            set(m, row, column, m.dtype == WEFT_F8_E4M3 ? 0x38 : 2);
        }
    };
    for (int64_t rows : {1, 2, 4, 8, 11, 45}) {
        for (int64_t first = 0; first < (of_x ? codes : 1); first += rows) {
            Matrix x(xd, rows, k, k, false);
            Matrix w(wd, of_x ? 16 : codes, k, k, true);
            x.scales.assign(x.scales.size(), 127);
            w.scales.assign(w.scales.size(), 127);
            for (int64_t r = 0; r < rows; r++) {
                const int64_t column = (r * 29 + first) % k;
                of_x ? set(x, r, column, uint8_t(first + r)) : one(x, r, column);
            }
            for (int64_t i = 0; i < w.rows * k; i++) {
                of_x ? one(w, i / k, i % k) : set(w, i / k, i % k, uint8_t(i / k));
            }
            Aligned packed = pack(isa, w);
            weft_operand wo = w.operand();
            wo.data = packed.data();
            wo.scale = nullptr;  // packed with the codes
            Result y(WEFT_F32, rows, w.rows, 0);
            run(isa, WEFT_GEMM, {x.operand(), wo, y.operand()}, 1);
            bool right = true;
            for (int64_t i = 0; i < rows * w.rows; i++) {
                const auto code = uint8_t(of_x ? first + i / w.rows : i % w.rows);
                const double want = tested == WEFT_F8_E4M3 ? e4m3(code) : e2m1(code);
                const double value = y.at(i / w.rows, i % w.rows);
                right &= std::isnan(want) ? std::isnan(value) : value == want;
            }
            check(right, "other values than those of the codes, " + std::to_string(rows) + " rows");
        }
    }
}

/** Rows whose scales are far from 1 leave the bits of the rows beside them as they are, and are right themselves. */
void test_extreme_scales(int32_t isa, int64_t wd, std::mt19937 &random) {
    constexpr int64_t n = 33, k = 256;
    const std::vector<uint8_t> scales = {124, 210, 125, 127, 255, 123, 20, 86, 87, 167, 168, 0, 122, 126};
    const auto rows = int64_t(scales.size());
    context = std::string(weft_isa_name(isa)) + " extreme scales x " + name(wd);
    Matrix x(WEFT_F8_E4M3, rows, k, k, false);
    Matrix w(wd, n, k, k, true);
    x.randomise(random);
    w.randomise(random);
    for (int64_t r = 0; r < rows; r++) {
        x.scales[size_t(2 * r + 1)] = scales[size_t(r)];
    }
    Aligned packed = pack(isa, w);
    weft_operand wo = w.operand();
    wo.data = packed.data();
    wo.scale = nullptr;  // packed with the codes
    Result all(WEFT_F32, rows, n, 1);
    run(isa, WEFT_GEMM, {x.operand(), wo, all.operand()}, 1);
    all.check_guards();
    for (int64_t r = 0; r < rows; r++) {
        weft_operand xo = x.operand();
        xo.data = x.data.data() + r * k;
        xo.scale = x.scales.data() + r * x.tiles();
        xo.dims[0] = 1;
        Result one(WEFT_F32, 1, n, 0);
        run(isa, WEFT_GEMM, {xo, wo, one.operand()}, 1);
        compare_rows(all, one, r);
        if (scales[size_t(r)] == 255) {
            check(std::isnan(one.at(0, 0)) && std::isnan(one.at(0, n - 1)), "a NaN scale gives NaN");
        } else {
            Expected(x, w, r, 1, 0, n).compare(one, 0, 1);
        }
    }
}

/** FP4 weights whose scales are far from 1: a row has the bits that it has alone, however many rows there are. */
void test_extreme_weights(int32_t isa, int64_t xd, std::mt19937 &random) {
    constexpr int64_t n = 33, k = 384, rows = 45;
    context = std::string(weft_isa_name(isa)) + " extreme weights, x " + name(xd);
    Matrix x(xd, rows, k, k, false);
    Matrix w(WEFT_F4_E2M1, n, k, k, true);
    x.randomise(random);
    w.randomise(random);
    const int64_t blocks = k / 32;
    const std::vector<uint8_t> codes = {86, 87, 167, 168};
    std::copy(codes.begin(), codes.end(), w.scales.begin() + 17 * blocks + 4);
    // products with row 3 are below the least normal number; those with row 32 are large
    std::fill_n(w.scales.begin() + 3 * blocks, blocks, 6);
    w.scales[32 * blocks] = 200;
    // a NaN scale of zeros
    w.scales[20 * blocks + 2] = 255;
    std::fill_n(w.data.begin() + w.bytes(20 * k + 64), w.bytes(32), uint8_t(0));
    Aligned packed = pack(isa, w);
    weft_operand wo = w.operand();
    wo.data = packed.data();
    wo.scale = nullptr;  // packed with the codes
    Result all(WEFT_F32, rows, n, 1);
    run(isa, WEFT_GEMM, {x.operand(), wo, all.operand()}, 1);
    for (int64_t r = 0; r < rows; r++) {
        weft_operand xo = x.operand();
        xo.data = x.data.data() + x.bytes(r * k);
        xo.scale = x.scales.empty() ? nullptr : x.scales.data() + r * x.tiles();
        xo.dims[0] = 1;
        Result one(WEFT_F32, 1, n, 0);
        run(isa, WEFT_GEMM, {xo, wo, one.operand()}, 1);
        compare_rows(all, one, r);
        bool right = true;
        for (int64_t c = 0; c < n; c++) {
            right &= std::isnan(one.at(0, c)) == (c == 20);
        }
        check(right, "a NaN scale makes its row NaN, no other");
    }
}

void test_interface() {
    context = "interface";
    check(weft_abi_version() == WEFT_ABI_VERSION, "version");
    check(weft_isa_usable(0) == 1 && std::strcmp(weft_isa_name(0), "baseline") == 0, "baseline always runs");
    check(weft_isa_usable(-1) == 0 && weft_isa_usable(weft_isa_count()) == 0, "unknown level");
    check(weft_pool_create(0) == nullptr, "no pool without threads");
    weft_pool *pool = weft_pool_create(2);
    weft_command commands[2] = {{WEFT_OP_COUNT, nullptr, nullptr, nullptr}, {-1, nullptr, nullptr, nullptr}};
    check(weft_run(pool, 0, commands, 2) == 1 && weft_run(pool, 0, commands + 1, 1) == 1, "unknown operator");
    check(weft_run(pool, 0, commands, 0) == 0, "no commands");
    weft_pool_destroy(pool);
    uint16_t element = 0;
    weft_operand half = {&element, nullptr, WEFT_F16, 0, 2, 1, {1, 1, 0, 0}};
    check(weft_packed_bytes(0, &half) < 0 && weft_pack(0, &half, &element) != 0, "F16 weights are refused");
    weft_operand operands[3] = {half, half, half};
    check(weft_unsupported(0, WEFT_GEMM, nullptr, operands, 3) != nullptr, "F16 products are refused");
}

}  // namespace

int main() {
    test_interface();
    const int64_t xs[] = {WEFT_F32, WEFT_BF16, WEFT_F8_E4M3};
    const int64_t ws[] = {WEFT_F32, WEFT_BF16, WEFT_F8_E4M3, WEFT_F4_E2M1};
    for (int32_t isa = 0; isa < weft_isa_count(); isa++) {
        if (!weft_isa_usable(isa)) {
            std::printf("%s: not usable on this processor\n", weft_isa_name(isa));
            continue;
        }
        std::mt19937 random(1);
        int before = failures;
        for (int64_t xd : xs) {
            for (int64_t wd : ws) {
                for (int64_t k : {0, 1, 31, 32, 64, 128, 160, 250, 384}) {
                    bool fits = (xd != WEFT_F8_E4M3 || k % 128 == 0) && (wd != WEFT_F4_E2M1 || k % 32 == 0);
                    for (int64_t n : {1, 15, 16, 17, 128, 130}) {
                        if (fits) {
                            test_gemm(isa, xd, wd, n % 2 == 0 ? WEFT_F32 : WEFT_BF16, n, k, random);
                        }
                    }
                    if (fits) {
                        test_gemm(isa, xd, wd, WEFT_F32, 17, k, random);
                        test_gemm(isa, xd, wd, WEFT_BF16, 130, k, random);
                    }
                }
                test_grouped(isa, xd, wd, random);
                test_experts(isa, xd, wd, random);
                test_special(isa, xd, wd);
            }
            test_rank3(isa, xd, random);
        }
        for (int64_t wd : ws) {
            test_extreme_scales(isa, wd, random);
        }
        for (int64_t xd : xs) {
            test_extreme_weights(isa, xd, random);
        }
        for (int64_t xd : {WEFT_BF16, WEFT_F8_E4M3}) {
            test_codes(isa, xd, WEFT_F8_E4M3, false);
            test_codes(isa, xd, WEFT_F4_E2M1, false);
        }
        for (int64_t wd : {WEFT_BF16, WEFT_F8_E4M3, WEFT_F4_E2M1}) {
            test_codes(isa, WEFT_F8_E4M3, wd, true);
        }
        std::printf("%s: %s\n", weft_isa_name(isa), failures == before ? "ok" : "FAILED");
    }
    std::printf("%d failures\n", failures);
    return failures == 0 ? 0 : 1;
}
