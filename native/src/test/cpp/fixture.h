// Tensors with guard bytes, sequences cut into steps, and calls of one kernel with several numbers of threads.
#ifndef WEFT_FIXTURE_H
#define WEFT_FIXTURE_H

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>
#include <utility>

#include "kernel_test.h"

namespace {

/** x rounded to BF16, from the definition: nearest, ties to even. */
inline double bf16(double x) {
    if (x == 0 || !std::isfinite(x)) {
        return x;
    }
    int exponent;
    std::frexp(x, &exponent);
    const double unit = std::ldexp(1.0, exponent - 8);
    return std::nearbyint(x / unit) * unit;
}

/** A tensor with gaps between the indices of axis 0 and guard bytes behind it. */
class Tensor {
public:
    Tensor(int64_t dtype, std::vector<int64_t> dims, int64_t gap = 3) : dtype(dtype), dims(std::move(dims)), inner(1) {
        for (size_t axis = 1; axis < this->dims.size(); axis++) {
            inner *= this->dims[axis];
        }
        pitch = this->dims.size() == 1 ? 1 : inner + gap;
        bytes.assign(size_t(this->dims[0] * pitch * size() + GUARD), PATTERN);
    }

    int64_t size() const { return dtype == WEFT_BF16 ? 2 : 4; }

    void set(int64_t i, int64_t j, double value) {
        const float f = float(value);
        const uint32_t bits = dtype == WEFT_I32 ? uint32_t(int32_t(value)) : to_bits(f);
        const uint32_t stored = dtype == WEFT_BF16 ? to_bits(float(bf16(f))) >> 16 : bits;
        std::memcpy(&bytes[place(i, j)], &stored, size_t(size()));
    }

    double at(int64_t i, int64_t j = 0) const {
        const uint32_t bits = code(i, j);
        return dtype == WEFT_I32 ? double(int32_t(bits)) : double(from_bits(dtype == WEFT_BF16 ? bits << 16 : bits));
    }

    uint32_t code(int64_t i, int64_t j) const {
        uint32_t bits = 0;
        std::memcpy(&bits, &bytes[place(i, j)], size_t(size()));
        return bits;
    }

    std::vector<uint32_t> codes(int64_t i, int64_t from, int64_t to) const {
        std::vector<uint32_t> out;
        for (int64_t j = from; j < to; j++) {
            out.push_back(code(i, j));
        }
        return out;
    }

    Tensor &fill(const std::function<double(int64_t, int64_t)> &value) {
        for (int64_t i = 0; i < dims[0]; i++) {
            for (int64_t j = 0; j < inner; j++) {
                set(i, j, value(i, j));
            }
        }
        return *this;
    }

    Tensor &fill(double value) {
        return fill([value](int64_t, int64_t) { return value; });
    }

    Tensor &random(std::mt19937 &random, double scale = 1) {
        std::normal_distribution<double> normal(0, scale);
        return fill([&](int64_t, int64_t) { return normal(random); });
    }

    bool guarded() const {
        std::vector<bool> used(bytes.size());
        for (int64_t i = 0; i < dims[0]; i++) {
            for (int64_t b = 0; b < inner * size(); b++) {
                used[size_t(i * pitch * size() + b)] = true;
            }
        }
        for (size_t b = 0; b < bytes.size(); b++) {
            if (!used[b] && bytes[b] != PATTERN) {
                return false;
            }
        }
        return true;
    }

    weft_operand operand() {
        weft_operand o = {};
        o.data = bytes.data();
        o.dtype = dtype;
        o.rank = int64_t(dims.size());
        o.pitch = pitch;
        std::copy(dims.begin(), dims.end(), o.dims);
        return o;
    }

    int64_t dtype;
    std::vector<int64_t> dims;
    int64_t inner;
    int64_t pitch;
    std::vector<uint8_t> bytes;

private:
    static constexpr int64_t GUARD = 64;
    static constexpr uint8_t PATTERN = 0xA5;

    size_t place(int64_t i, int64_t j) const { return size_t((i * pitch + j) * size()); }
};

inline Tensor integers(const std::vector<int64_t> &values) {
    Tensor t(WEFT_I32, {int64_t(values.size())});
    t.fill([&](int64_t i, int64_t) { return double(values[size_t(i)]); });
    return t;
}

/** Runs one command with 1, 2 and 3 threads on copies of the written operands; all must agree bit for bit. */
inline void run(int64_t op, const std::vector<int64_t> &attributes, const std::vector<Tensor *> &operands,
                const std::vector<size_t> &written) {
    std::vector<std::vector<uint8_t>> before;
    std::vector<std::vector<uint8_t>> first;
    for (Tensor *t : operands) {
        before.push_back(t->bytes);
    }
    for (int32_t threads = 1; threads <= 3; threads++) {
        std::vector<weft_operand> words;
        for (size_t i = 0; i < operands.size(); i++) {
            operands[i]->bytes = before[i];
            words.push_back(operands[i]->operand());
        }
        run_command(op, attributes, words, threads);
        for (size_t i = 0; i < operands.size(); i++) {
            const bool output = std::find(written.begin(), written.end(), i) != written.end();
            check(operands[i]->guarded(), "guard bytes of operand " + std::to_string(i));
            check(output || operands[i]->bytes == before[i], "changed operand " + std::to_string(i));
            if (threads == 1) {
                first.push_back(operands[i]->bytes);
            }
            check(operands[i]->bytes == first[i], "bits depend on the number of threads");
        }
    }
}

/** Rows [begin, end) of positions of one sequence. */
struct Piece {
    int64_t sequence;
    int64_t begin;
    int64_t end;
};

/** Positions, starts and slots of a step. */
struct Step {
    std::vector<Piece> pieces;
    std::vector<int64_t> starts = {0};
    std::vector<int64_t> row_sequence;
    std::vector<int64_t> row_position;

    explicit Step(std::vector<Piece> from) : pieces(std::move(from)) {
        for (const Piece &piece : pieces) {
            for (int64_t p = piece.begin; p < piece.end; p++) {
                row_sequence.push_back(piece.sequence);
                row_position.push_back(p);
            }
            starts.push_back(int64_t(row_position.size()));
        }
    }

    int64_t rows() const { return int64_t(row_position.size()); }
    int64_t count() const { return int64_t(pieces.size()); }
};

constexpr int64_t SEQUENCES = 3;
constexpr int64_t SLOT_OF[SEQUENCES] = {2, 0, 3};
constexpr int64_t SLOTS_ALL = 4;

inline Tensor slots(const Step &step) {
    std::vector<int64_t> values;
    for (const Piece &piece : step.pieces) {
        values.push_back(SLOT_OF[piece.sequence]);
    }
    return integers(values);
}

/** Page m of a sequence: scattered, and disjoint between sequences. */
inline int64_t page(int64_t sequence, int64_t m, int64_t most) {
    return (m * 5 + 3) % most * SEQUENCES + (sequence + m) % SEQUENCES;
}

inline Tensor page_table(const Step &step, int64_t most) {
    Tensor pages(WEFT_I32, {step.count(), most});
    pages.fill([&](int64_t b, int64_t m) { return double(page(step.pieces[size_t(b)].sequence, m, most)); });
    return pages;
}

/** Entry j of a sequence: page and row of the page. */
inline std::pair<int64_t, int64_t> entry_place(int64_t sequence, int64_t j, int64_t per_page, int64_t most) {
    return {page(sequence, j / per_page, most), j % per_page};
}

/** Rows of a ring at the beginning of a step: what the steps before left there, NaN elsewhere. */
inline Tensor ring_of(const Step &step, const std::vector<Tensor> &history, int64_t dtype, int64_t capacity) {
    const int64_t width = history[0].inner;
    Tensor ring(dtype, {SLOTS_ALL, capacity, width});
    ring.fill(NAN);
    for (const Piece &piece : step.pieces) {
        for (int64_t p = std::max<int64_t>(0, piece.begin - capacity); p < piece.begin; p++) {
            for (int64_t c = 0; c < width; c++) {
                ring.set(SLOT_OF[piece.sequence], p % capacity * width + c, history[size_t(piece.sequence)].at(p, c));
            }
        }
    }
    return ring;
}

/** The step's rows of what is known for whole sequences. */
inline Tensor rows_of(const Step &step, const std::vector<Tensor> &history, int64_t dtype, std::vector<int64_t> dims) {
    dims[0] = step.rows();
    Tensor t(dtype, dims);
    t.fill([&](int64_t i, int64_t j) {
        return history[size_t(step.row_sequence[size_t(i)])].at(step.row_position[size_t(i)], j);
    });
    return t;
}

inline std::vector<Tensor> histories(std::mt19937 &random, int64_t dtype, const int64_t *lengths, int64_t width,
                                     double scale = 1) {
    std::vector<Tensor> all;
    for (int64_t s = 0; s < SEQUENCES; s++) {
        all.push_back(Tensor(dtype, {lengths[s], width}).random(random, scale));
    }
    return all;
}

/** One-shot, and the same positions in steps of uneven size whose sequences come in changing order. */
inline std::vector<std::vector<Step>> cuts(const int64_t *lengths) {
    std::vector<std::vector<Step>> all;
    all.push_back({Step({{0, 0, lengths[0]}, {1, 0, 0}, {1, 0, lengths[1]}, {2, 0, lengths[2]}})});
    std::vector<Step> steps;
    int64_t done[SEQUENCES] = {};
    for (int64_t round = 0; done[0] < lengths[0] || done[1] < lengths[1] || done[2] < lengths[2]; round++) {
        std::vector<Piece> pieces;
        for (int64_t i = 0; i < SEQUENCES; i++) {
            const int64_t s = (i + round) % SEQUENCES;
            const int64_t size = s == 0 ? 1 + round % 13 : s == 1 ? 7 + round % 3 : round % 2 * 23;
            const int64_t end = std::min(lengths[s], done[s] + size);
            if (end > done[s] || round % 4 == 0) {
                pieces.push_back({s, done[s], end});
            }
            done[s] = end;
        }
        steps.emplace_back(std::move(pieces));
    }
    all.push_back(std::move(steps));
    return all;
}

}  // namespace

#endif
