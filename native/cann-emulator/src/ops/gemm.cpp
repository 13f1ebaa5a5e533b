#include "gemm.h"

#include <algorithm>
#include <thread>

// Wider registers where the processor has them; the order of the sums is the same in both copies.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define EMU_WIDE __attribute__((target_clones("avx2", "default")))
#else
#define EMU_WIDE
#endif

namespace emu {

namespace {

constexpr int64_t kRows = 4;      // rows of a in one tile
constexpr int64_t kColumns = 16;  // columns of b in one tile
constexpr int64_t kThreads = 4;               // threads of one product at most
constexpr int64_t kWorkOfThread = 16 << 20;   // multiplications that are worth one
constexpr int64_t kChunk = 512;   // columns decoded at a time, so that a large weight never exists as floats

/** out[4][16] = sum over k of a[k][4] x b[k][16]. */
EMU_WIDE void tile(const float* a, const float* b, int64_t k, float* out) {
    typedef float Lanes __attribute__((vector_size(32)));
    Lanes sums[kRows][2] = {};
    for (int64_t i = 0; i < k; i++) {
        Lanes low, high;
        __builtin_memcpy(&low, b + i * kColumns, sizeof low);
        __builtin_memcpy(&high, b + i * kColumns + 8, sizeof high);
        for (int64_t row = 0; row < kRows; row++) {
            const float x = a[i * kRows + row];
            sums[row][0] += low * x;
            sums[row][1] += high * x;
        }
    }
    __builtin_memcpy(out, sums, sizeof sums);
}

/** As pack() for a matrix stored [k][columns]: groups of kColumns columns. */
void pack_rows(const float* values, int64_t columns, const std::vector<int64_t>& order, float* out) {
    for (int64_t first = 0; first < columns; first += kColumns) {
        const int64_t here = std::min(kColumns, columns - first);
        for (int64_t row : order) {
            std::copy_n(values + row * columns + first, here, out);
            std::fill(out + here, out + kColumns, 0.0F);
            out += kColumns;
        }
    }
}

/** [groups of `width` rows][k][width] of a matrix [rows][k], its inner dimension in the given order, zero padded. */
void pack(const float* values, int64_t rows, int64_t k, int64_t width, const std::vector<int64_t>& order, float* out) {
    for (int64_t first = 0; first < rows; first += width) {
        const int64_t here = std::min(width, rows - first);
        for (int64_t i = 0; i < k; i++) {
            const float* column = values + first * k + order[static_cast<size_t>(i)];
            for (int64_t j = 0; j < here; j++) {
                out[i * width + j] = column[j * k];
            }
            std::fill(out + i * width + here, out + (i + 1) * width, 0.0F);
        }
        out += k * width;
    }
}

int64_t round_up(int64_t n, int64_t unit) {
    return (n + unit - 1) / unit * unit;
}

/** Positions of the inner dimension, whole blocks of it shuffled under `jitter`. */
std::vector<int64_t> inner_order(const std::vector<int64_t>& blocks, int64_t block, int64_t k) {
    std::vector<int64_t> order;
    order.reserve(static_cast<size_t>(k));
    for (int64_t b : blocks) {
        for (int64_t i = b * block; i < std::min(k, (b + 1) * block); i++) {
            order.push_back(i);
        }
    }
    return order;
}

/** Calls part(begin, end) for parts of 0..count, side by side if `work` multiplications are worth a thread. */
template <typename Part>
void in_parts(int64_t count, int64_t work, const Part& part) {
    const int64_t most = std::max<int64_t>(1, std::min<int64_t>(std::thread::hardware_concurrency(), kThreads));
    const int64_t parts = std::max<int64_t>(1, std::min({most, count, work / kWorkOfThread}));
    std::vector<std::thread> others;
    for (int64_t i = 1; i < parts; i++) {
        others.emplace_back([&part, count, parts, i] { part(count * i / parts, count * (i + 1) / parts); });
    }
    part(0, count / parts);
    for (std::thread& t : others) {
        t.join();
    }
}

/** One product: the packed left side and what happens to a tile. */
class Multiplication {
  public:
    Multiplication(Run& run, const std::vector<float>& a, int64_t m, int64_t n, int64_t k, const Weighting& weighting)
        : m_(m), n_(n), k_(k), weighting_(weighting), totals_(static_cast<size_t>(m * n)) {
        const int64_t block = weighting.block > 0 ? weighting.block : run.jitter() ? 64 : std::max<int64_t>(k, 1);
        blocks_ = sum_order(run, (k + block - 1) / block);
        order_ = inner_order(blocks_, block, k);
        block_ = weighting.block > 0 ? block : std::max<int64_t>(k, 1);
        left_.resize(static_cast<size_t>(round_up(m, kRows) * k));
        pack(a.data(), m, k, kRows, order_, left_.data());
    }

    /** Columns first.. of b: [count][k], or [k][count] when `by_row`. */
    void columns(const std::vector<float>& values, bool by_row, int64_t first, int64_t count) {
        right_.resize(static_cast<size_t>(round_up(count, kColumns) * k_));
        if (by_row) {
            pack_rows(values.data(), count, order_, right_.data());
        } else {
            pack(values.data(), count, k_, kColumns, order_, right_.data());
        }
        const int64_t groups = (count + kColumns - 1) / kColumns;
        in_parts(groups, groups * kColumns * m_ * k_, [&](int64_t begin, int64_t end) {
            for (int64_t c = begin * kColumns; c < std::min(count, end * kColumns); c += kColumns) {
                for (int64_t r = 0; r < m_; r += kRows) {
                    cell(r, first + c, std::min(kColumns, count - c), right_.data() + c * k_);
                }
            }
        });
    }

    std::vector<float> result() const { return {totals_.begin(), totals_.end()}; }

  private:
    void cell(int64_t row, int64_t column, int64_t width, const float* right) {
        float sums[kRows * kColumns];
        int64_t done = 0;
        for (int64_t index = 0; done < k_; index++) {
            // unweighted: one run over the (already ordered) inner dimension
            const int64_t block = weighting_.block > 0 ? blocks_[static_cast<size_t>(index)] : 0;
            const int64_t length = weighting_.block > 0 ? std::min(block_, k_ - block * block_) : k_;
            tile(left_.data() + row * k_ + done * kRows, right + done * kColumns, length, sums);
            for (int64_t r = 0; r < std::min(kRows, m_ - row); r++) {
                for (int64_t c = 0; c < width; c++) {
                    add(row + r, block, column + c, sums[r * kColumns + c]);
                }
            }
            done += length;
        }
    }

    void add(int64_t row, int64_t block, int64_t column, float sum) {
        double& total = totals_[static_cast<size_t>(row * n_ + column)];
        if (weighting_.factor) {
            sum *= weighting_.factor(row, block, column);
        }
        total = weighting_.exact ? total + sum : static_cast<float>(total) + sum;
    }

    int64_t m_, n_, k_, block_ = 0;
    const Weighting& weighting_;
    std::vector<int64_t> blocks_, order_;
    std::vector<float> left_, right_;
    std::vector<double> totals_;
};

}  // namespace

std::vector<float> multiply(Run& run, const std::vector<float>& a, int64_t m, const Tensor& b,
                            const Weighting& weighting, const ColumnEdit& edit) {
    const Tensor columns = transposed(b);  // [n, k]
    const int64_t n = columns.dims[0], k = columns.dims[1];
    Multiplication product(run, a, m, n, k, weighting);
    const int64_t chunk = is_nz(b.format) ? n : kChunk;  // fractal storage has no strided views
    const bool by_row = !edit && b.strides[1] == 1;      // in the order of memory where nothing needs whole columns
    for (int64_t first = 0; first < n; first += chunk) {
        Tensor part = columns;
        part.dims[0] = std::min(chunk, n - first);
        part.offset += is_nz(b.format) ? 0 : first * columns.strides[0];
        std::vector<float> values = run.floats(by_row ? transposed(part) : part);
        for (int64_t c = 0; edit && c < part.dims[0]; c++) {
            edit(first + c, values.data() + c * k);
        }
        product.columns(values, by_row, first, part.dims[0]);
    }
    return product.result();
}

Tensor matrix_of(const Tensor& t, int64_t batch) {
    Tensor view = t;
    const size_t lead = t.dims.size() - 2;
    for (size_t axis = lead; axis-- > 0;) {
        view.offset += batch % t.dims[axis] * t.strides[axis];
        batch /= t.dims[axis];
    }
    view.dims.erase(view.dims.begin(), view.dims.begin() + static_cast<int64_t>(lead));
    view.strides.erase(view.strides.begin(), view.strides.begin() + static_cast<int64_t>(lead));
    return view;
}

}  // namespace emu
