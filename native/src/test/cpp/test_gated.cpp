// Two products with their activation in one command, at every level: the bits of the single commands, whatever the number
// of threads.
#include "ops_harness.h"

namespace {

/** What a command is made of. */
struct Shape {
    int64_t rows;
    int64_t experts;  // 0: one matrix for all rows
    int64_t n;
    int64_t k;
    int64_t x_dtype;
    int64_t w_dtype;
    int64_t flow;
    bool weighted;
    bool quantised;
};

/** A weight as kernels read it. */
struct Packed {
    std::vector<uint8_t> memory;
    weft_operand operand;

    Packed(const Shape &s, int64_t scale_rows, int64_t scale_columns)
        : operand{nullptr, nullptr, s.w_dtype, scale_rows << 32 | scale_columns, 2, s.k, {s.n, s.k}} {
        const int64_t bytes = weft_packed_bytes(isa, &operand);
        const int64_t matrices = std::max<int64_t>(1, s.experts);
        constexpr size_t LINE = 64;
        memory.resize(size_t(matrices * bytes) + LINE);
        uint8_t *to = memory.data() + (LINE - reinterpret_cast<uintptr_t>(memory.data()) % LINE) % LINE;
        for (int64_t m = 0; m < matrices; m++) {
            Tensor w(s.w_dtype, {s.n, s.k}, 0, scale_rows, scale_columns);
            if (scale_rows == 0) {
                w.normal();
            } else {
                w.random_codes();
            }
            const weft_operand source = w.operand(0, s.n);
            check(weft_pack(isa, &source, to + m * bytes) == 0, "the weight can be packed");
        }
        operand.data = to;
        if (s.experts > 0) {
            operand = {to, nullptr, s.w_dtype, operand.scaling, 3, s.n * s.k, {s.experts, s.n, s.k}};
        }
    }
};

/** Rows of the experts: the first has half of them, the last none. */
Tensor offsets_of(const Shape &s) {
    Tensor offsets(WEFT_I32, {s.experts + 1});
    return offsets.fill([&](int64_t, int64_t e) {
        return float(e == 0 ? 0 : e >= s.experts - 1 ? s.rows : std::min(s.rows, (s.rows + 1) / 2 + e - 1));
    });
}

weft_operand without_memory(weft_operand o) {
    o.data = nullptr;
    return o;
}

void test(const Shape &s) {
    context = std::string(weft_isa_name(isa)) + " " + std::to_string(s.rows) + " rows, " + std::to_string(s.experts) +
              " experts, n " + std::to_string(s.n);
    const bool x_codes = s.x_dtype == WEFT_F8_E4M3;
    Tensor x(s.x_dtype, {s.rows, s.k}, 0, x_codes ? 1 : 0, x_codes ? 128 : 0);
    if (x_codes) {
        x.random_codes();
    } else {
        x.normal();
    }
    Tensor offsets = s.experts > 0 ? offsets_of(s) : Tensor(WEFT_I32, {1});
    const bool fp8 = s.w_dtype == WEFT_F8_E4M3, fp4 = s.w_dtype == WEFT_F4_E2M1;
    Packed w1(s, fp8 ? 128 : fp4 ? 1 : 0, fp8 ? 128 : fp4 ? 32 : 0);
    Packed w3(s, fp8 ? 128 : fp4 ? 1 : 0, fp8 ? 128 : fp4 ? 32 : 0);
    Tensor weights(WEFT_F32, {s.rows});
    weights.normal();
    Tensor gate(s.flow, {s.rows, s.n}), up(s.flow, {s.rows, s.n}), activation(s.flow, {s.rows, s.n}, 5);
    Tensor codes(WEFT_F8_E4M3, {s.rows, s.n}, 32, 1, 128);
    const int64_t product = s.experts > 0 ? WEFT_EXPERT_GEMM : WEFT_GEMM;
    const auto all = [&](Tensor &t) { return t.operand(0, t.dims[0]); };

    std::vector<weft_operand> first = {all(x), w1.operand}, second = {all(x), w3.operand}, third = {all(gate), all(up)};
    std::vector<weft_operand> fused = {all(x), w1.operand};
    if (s.experts > 0) {
        first.push_back(all(offsets));
        second.push_back(all(offsets));
        fused.push_back(all(offsets));
    }
    first.push_back(all(gate));
    second.push_back(all(up));
    fused.insert(fused.end(), {without_memory(all(gate)), w3.operand, without_memory(all(up))});
    if (s.weighted) {
        third.push_back(all(weights));
        fused.push_back(all(weights));
    }
    third.push_back(all(activation));
    fused.push_back(s.quantised ? without_memory(all(activation)) : all(activation));

    const std::vector<int64_t> swiglu = {word(0.75), s.weighted};
    Tensor &result = s.quantised ? codes : activation;
    const Tensor before = result;
    run_command(product, {}, first, 1);
    run_command(product, {}, second, 1);
    run_command(WEFT_SWIGLU, swiglu, third, 1);
    if (s.quantised) {
        run_command(WEFT_QUANTIZE, {}, {all(activation), all(codes)}, 1);
        fused.push_back(all(codes));
    }
    const Tensor expected = result;
    for (int32_t threads : {1, 3}) {
        result.memory = before.memory;
        result.scale_memory = before.scale_memory;
        run_command(s.experts > 0 ? WEFT_GATED_EXPERT_GEMM : WEFT_GATED_GEMM, {word(0.75), s.weighted, s.quantised},
                    fused, threads);
        check(result.memory == expected.memory && result.scale_memory == expected.scale_memory,
              "the bits of the single commands on " + std::to_string(threads) + " threads");
    }
}

void test_level() {
    for (int64_t rows : {1, 7, 90}) {
        test({rows, 4, 640, 256, WEFT_F8_E4M3, WEFT_F4_E2M1, WEFT_BF16, true, true});
        test({rows, 4, 256, 384, WEFT_F8_E4M3, WEFT_F8_E4M3, WEFT_F32, true, true});
        test({rows, 0, 1280, 128, WEFT_F8_E4M3, WEFT_F8_E4M3, WEFT_BF16, false, true});
        test({rows, 0, 200, 72, WEFT_BF16, WEFT_BF16, WEFT_BF16, false, false});
        test({rows, 3, 72, 40, WEFT_F32, WEFT_F32, WEFT_F32, true, false});
    }
}

}  // namespace

int main() {
    return test_levels(test_level);
}
