// Hyper-connections at every level the processor has: against double precision, and bit for bit across numbers of
// threads and of rows. Exits with 1 at the first failures.
#include <cmath>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "fixture.h"

namespace {

double sigmoid(double x) {
    return 1 / (1 + std::exp(-x));
}

std::vector<double> mixes(const Tensor &x, const Tensor &fn, int64_t row, double eps) {
    double squares = 0;
    for (int64_t c = 0; c < x.inner; c++) {
        squares += x.at(row, c) * x.at(row, c);
    }
    std::vector<double> out;
    for (int64_t m = 0; m < fn.dims[0]; m++) {
        double dot = 0;
        for (int64_t c = 0; c < x.inner; c++) {
            dot += x.at(row, c) * fn.at(m, c);
        }
        out.push_back(dot / std::sqrt(squares / double(x.inner) + eps));
    }
    return out;
}

std::vector<double> sinkhorn(std::vector<double> a, int64_t n, int64_t iterations, double eps) {
    const auto divide = [&](int64_t next, int64_t step) {
        for (int64_t j = 0; j < n; j++) {
            double sum = 0;
            for (int64_t k = 0; k < n; k++) {
                sum += a[size_t(j * next + k * step)];
            }
            for (int64_t k = 0; k < n; k++) {
                a[size_t(j * next + k * step)] /= sum + eps;
            }
        }
    };
    for (int64_t j = 0; j < n; j++) {
        double sum = 0;
        for (int64_t k = 0; k < n; k++) {
            sum += std::exp(a[size_t(j * n + k)]);
        }
        for (int64_t k = 0; k < n; k++) {
            a[size_t(j * n + k)] = std::exp(a[size_t(j * n + k)]) / sum + eps;
        }
    }
    divide(1, n);
    for (int64_t i = 1; i < iterations; i++) {
        divide(n, 1);
        divide(1, n);
    }
    return a;
}

void close(double found, double expected, double relative, const std::string &what) {
    check(std::abs(found - expected) <= relative * (std::abs(expected) + 1),
          what + ": found " + std::to_string(found) + ", expected " + std::to_string(expected));
}

/** One row alone must give the bits it gives among others. */
void check_alone(int64_t op, const std::vector<int64_t> &attributes, const std::vector<Tensor *> &operands,
                 size_t row_operands, size_t inputs) {
    const int64_t row = operands[0]->dims[0] - 1;
    std::vector<std::unique_ptr<Tensor>> copies;
    std::vector<Tensor *> single;
    std::vector<size_t> written;
    for (size_t i = 0; i < operands.size(); i++) {
        const bool output = i >= inputs;
        if (i >= row_operands && !output) {
            single.push_back(operands[i]);
            continue;
        }
        auto dims = operands[i]->dims;
        dims[0] = 1;
        copies.push_back(std::make_unique<Tensor>(operands[i]->dtype, dims, 5));
        for (int64_t j = 0; j < operands[i]->inner && !output; j++) {
            copies.back()->set(0, j, operands[i]->at(row, j));
        }
        single.push_back(copies.back().get());
        if (output) {
            written.push_back(i);
        }
    }
    run(op, attributes, single, written);
    for (size_t i : written) {
        check(single[i]->codes(0, 0, single[i]->inner) == operands[i]->codes(row, 0, single[i]->inner),
              "bits of a row depend on the others");
    }
}

void test_hyper(int64_t dtype, int64_t streams, int64_t width, int64_t rows) {
    context = std::string(weft_isa_name(isa)) + " hyper dtype " + std::to_string(dtype) + " streams " +
              std::to_string(streams) + " width " + std::to_string(width) + " rows " + std::to_string(rows);
    std::mt19937 random(17);
    const int64_t n = (2 + streams) * streams, iterations = 20;
    const double eps = 1e-6, rounding = dtype == WEFT_BF16 ? 1.0 / 200 : 2e-5;
    Tensor x = Tensor(dtype, {rows, streams, width}).random(random);
    Tensor fn = Tensor(WEFT_F32, {n, streams * width}).random(random, 1 / std::sqrt(double(streams * width)));
    Tensor scale = Tensor(WEFT_F32, {3}).random(random), base = Tensor(WEFT_F32, {n}).random(random);
    Tensor y(dtype, {rows, width}), post(WEFT_F32, {rows, streams}), comb(WEFT_F32, {rows, streams, streams});
    const std::vector<int64_t> attributes = {streams, iterations, word(eps), word(eps)};
    run(WEFT_HYPER_PRE, attributes, {&x, &fn, &scale, &base, &y, &post, &comb}, {4, 5, 6});
    Tensor head_fn(WEFT_F32, {streams, streams * width}), head_y(dtype, {rows, width});
    head_fn.fill([&](int64_t i, int64_t j) { return fn.at(i, j); });
    const std::vector<int64_t> head_attributes = {streams, word(eps), word(eps)};
    run(WEFT_HYPER_HEAD, head_attributes, {&x, &head_fn, &scale, &base, &head_y}, {4});
    Tensor exit(dtype, {rows, streams, width});
    run(WEFT_HYPER_POST, {}, {&y, &x, &post, &comb, &exit}, {4});
    for (int64_t i = 0; i < rows; i++) {
        const std::vector<double> mix = mixes(x, fn, i, eps);
        std::vector<double> a;
        for (int64_t m = 2 * streams; m < n; m++) {
            a.push_back(mix[size_t(m)] * scale.at(2) + base.at(m));
        }
        a = sinkhorn(a, streams, iterations, eps);
        for (int64_t j = 0; j < streams; j++) {
            const auto m = size_t(streams + j);
            close(post.at(i, j), 2 * sigmoid(mix[m] * scale.at(1) + base.at(streams + j)), 2e-5, "post");
            for (int64_t k = 0; k < streams; k++) {
                close(comb.at(i, j * streams + k), a[size_t(j * streams + k)], 2e-5, "comb");
            }
        }
        for (int64_t c = 0; c < width; c++) {
            double sum = 0;
            for (int64_t j = 0; j < streams; j++) {
                sum += (sigmoid(mix[size_t(j)] * scale.at(0) + base.at(j)) + eps) * x.at(i, j * width + c);
            }
            close(y.at(i, c), sum, rounding, "pre y");
            close(head_y.at(i, c), sum, rounding, "head y");
            for (int64_t k = 0; k < streams; k++) {
                double out = post.at(i, k) * y.at(i, c);
                for (int64_t j = 0; j < streams; j++) {
                    out += comb.at(i, j * streams + k) * x.at(i, j * width + c);
                }
                close(exit.at(i, k * width + c), out, rounding, "post x");
            }
        }
    }
    if (rows > 0) {
        check_alone(WEFT_HYPER_PRE, attributes, {&x, &fn, &scale, &base, &y, &post, &comb}, 1, 4);
        check_alone(WEFT_HYPER_HEAD, head_attributes, {&x, &head_fn, &scale, &base, &head_y}, 1, 4);
        check_alone(WEFT_HYPER_POST, {}, {&y, &x, &post, &comb, &exit}, 4, 4);
    }
}

void test_refusals() {
    context = std::string(weft_isa_name(isa)) + " refusals";
    Tensor x(WEFT_BF16, {1, 9, 16});
    const weft_operand operand = x.operand();
    const int64_t attributes[] = {9, 20, word(1e-6), word(1e-6)};
    check(weft_unsupported(isa, WEFT_HYPER_PRE, attributes, &operand, 1) != nullptr, "nine streams");
}

void test_level() {
    for (int64_t dtype : {int64_t(WEFT_F32), int64_t(WEFT_BF16)}) {
        for (int64_t streams : {1, 2, 3, 4, 8}) {
            test_hyper(dtype, streams, 37, 5);
            test_hyper(dtype, streams, 128, 19);
        }
        test_hyper(dtype, 4, 64, 0);
        test_hyper(dtype, 4, 1100, 37);
    }
    test_refusals();
}

}  // namespace

int main() {
    return test_levels(test_level);
}
