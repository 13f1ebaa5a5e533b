// Matrix products at every level the processor has: against sums in double, and bit for bit across numbers of rows,
// positions of a row and numbers of threads. Exits with 1 at the first failures.
#include "gemm_fixture.h"

namespace {

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
    return at_every_level([](int32_t isa) {
        std::mt19937 random(1);
        for (int64_t xd : ACTIVATIONS) {
            for (int64_t wd : WEIGHTS) {
                for (int64_t k : {0, 1, 31, 32, 64, 128, 160, 250, 384}) {
                    bool fits = (xd != WEFT_F8_E4M3 || k % 128 == 0) && (wd != WEFT_F4_E2M1 || k % 32 == 0);
                    for (int64_t n : {1, 15, 16, 17, 62, 128, 130}) {
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
            }
            test_rank3(isa, xd, random);
        }
    });
}
