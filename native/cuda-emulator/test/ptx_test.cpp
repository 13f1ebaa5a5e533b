// Kernels of ptx.ptx: products of a warp and of a warpgroup against plain loops, and the mistakes that asynchronous products
// make possible.
#include <cmath>
#include <cstring>

#include "driver.h"

using namespace test;

namespace {

struct Matrix {
    std::vector<uint16_t> codes;
    std::vector<float> values;

    template <class Value>
    Matrix(size_t count, Value value) : codes(count), values(count) {
        for (size_t i = 0; i < count; i++) {
            values[i] = value(i);
            uint32_t bits;
            std::memcpy(&bits, &values[i], sizeof bits);
            codes[i] = static_cast<uint16_t>(bits >> 16);
        }
    }
};

CUdeviceptr upload(const Memory &memory, const std::vector<uint16_t> &codes) {
    OK(cuMemcpyHtoD_v2(memory.address, codes.data(), codes.size() * 2));
    return memory.address;
}

struct Bench {
    Device device;
    Kernels kernels{"ptx"};

    int run(const char *kernel, const std::vector<CUdeviceptr> &operands, unsigned threads, long long attribute) {
        Launch launch(operands);
        launch.block = threads;
        launch.shared_bytes = 1024;
        launch.call.attribute[0] = attribute;
        OK(launch.on(device.stream, kernels.function(kernel)));
        return cuStreamSynchronize(device.stream);
    }
};

const Matrix left(64 * 16, [](size_t i) { return static_cast<float>(i * 7 % 23) - 11; });
const Matrix right(8 * 16, [](size_t i) { return static_cast<float>(i * 5 % 13) * 0.5f - 3; });

/** Runs the products with these mistakes. */
std::vector<float> product(Bench &b, long long mistakes, int code) {
    Memory a(64 * 16 * 2), m(8 * 16 * 2), d(64 * 8 * 4);
    EQUAL(b.run("product", {upload(a, left.codes), upload(m, right.codes), d.address}, 128, mistakes), code);
    return code == 0 ? d.floats() : std::vector<float>();
}

}  // namespace

TEST(products_of_a_warpgroup, [] {
    Bench b;
    std::vector<float> expected(64 * 8);
    for (size_t i = 0; i < 64; i++) {
        for (size_t n = 0; n < 8; n++) {
            float sum = 1;
            for (size_t k = 0; k < 16; k++) {
                sum += 2 * left.values[i * 16 + k] * right.values[n * 16 + k];
            }
            expected[i * 8 + n] = sum;
        }
    }
    CHECK(product(b, 0, 0) == expected);  // exact: small multiples of 0.5
});

TEST(sums_read_before_the_wait_are_wrong, [] {
    Bench b;
    std::vector<float> whole = product(b, 0, 0), found = product(b, 8, 0);
    CHECK(std::isnan(found[0]) && found[1] == whole[1]);
});

TEST(mistakes_with_products_have_names, [] {
    for (auto [mistake, fault] : std::vector<std::pair<int, const char *>>{{1, "store-not-fenced"},
                                                                           {2, "product-without-fence"},
                                                                           {4, "product-not-awaited"},
                                                                           {16, "store-not-fenced"}}) {
        Bench b;
        product(b, mistake, 719);
        FAULT(fault);
    }
});

TEST(product_of_a_warp, [] {
    Bench b;
    Memory a(16 * 16 * 2), m(16 * 8 * 2), d(16 * 8 * 4 + 4);
    std::vector<uint16_t> rows(left.codes.begin(), left.codes.begin() + 256);
    OK(b.run("fragments", {upload(a, rows), upload(m, right.codes), d.address}, 32, 0));
    std::vector<float> expected(129, 29);
    for (size_t i = 0; i < 16; i++) {
        for (size_t n = 0; n < 8; n++) {
            // the first value of each pair in the upper rows came from the neighbour
            size_t column = i < 8 && n % 2 == 0 ? n ^ 2 : n;
            float sum = 0;
            for (size_t k = 0; k < 16; k++) {
                sum += left.values[i * 16 + k] * right.values[k * 8 + column];
            }
            expected[i * 8 + n] = sum;
        }
    }
    CHECK(d.floats() == expected);
});

TEST(prefetches_are_within_what_is_loaded, [] {
    struct Row {
        long long from;
        int bytes, code;
        const char *fault;
    };
    for (const Row &row : std::vector<Row>{{0, 128, 0, ""},
                                           {112, 16, 0, ""},
                                           {8, 16, 716, "prefetch-arguments"},
                                           {0, 8, 716, "prefetch-arguments"},
                                           {0, 0, 716, "prefetch-arguments"},
                                           {256, 16, 700, "illegal-address"},
                                           {112, 32, 719, "prefetch-not-read"}}) {
        Bench b;
        Memory in(std::vector<float>(64, 3)), out(128);
        Launch launch({in.address, out.address});
        launch.call.attribute[0] = row.from;
        launch.call.attribute[1] = row.bytes;
        OK(launch.on(b.device.stream, b.kernels.function("prefetch")));
        EQUAL(cuStreamSynchronize(b.device.stream), row.code);
        FAULT(row.fault);
        if (row.code == 0) {
            CHECK(out.floats() == std::vector<float>(32, 3));
        }
    }
});
