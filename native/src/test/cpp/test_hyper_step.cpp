// From one sublayer into the next in one command, at every level: the bits of the single commands, whatever the number of
// threads and whatever of the results has memory.
#include "ops_harness.h"

namespace {

/** What a command is made of. */
struct Shape {
    int64_t rows;
    int64_t streams;
    int64_t width;
    int64_t flow;
    int64_t weight;
    bool leaving;
    bool quantised;
    bool stores_norm;
};

weft_operand all(Tensor &t) {
    return t.operand(0, t.dims[0]);
}

weft_operand without_memory(weft_operand o) {
    o.data = nullptr;
    return o;
}

void test(const Shape &s) {
    context = std::string(weft_isa_name(isa)) + " " + std::to_string(s.rows) + " rows of " + std::to_string(s.streams) +
              " streams, width " + std::to_string(s.width) + (s.leaving ? ", leaving" : "") +
              (s.quantised ? ", quantised" : "");
    const int64_t n = (2 + s.streams) * s.streams;
    Tensor y(s.flow, {s.rows, s.width}), x(s.flow, {s.rows, s.streams, s.width}, 3);
    Tensor post(WEFT_F32, {s.rows, s.streams}), comb(WEFT_F32, {s.rows, s.streams, s.streams});
    Tensor streams(s.flow, {s.rows, s.streams, s.width}, 7);
    Tensor fn(WEFT_F32, {n, s.streams * s.width}), scale(WEFT_F32, {3}), base(WEFT_F32, {n});
    Tensor entered(s.flow, {s.rows, s.width}), next_post(WEFT_F32, {s.rows, s.streams});
    Tensor next_comb(WEFT_F32, {s.rows, s.streams, s.streams}), weight(s.weight, {s.width});
    Tensor normed(s.flow, {s.rows, s.width}, 5), codes(WEFT_F8_E4M3, {s.rows, s.width}, 32, 1, 128);
    for (Tensor *t : {&y, &x, &post, &comb, &scale, &base, &weight}) {
        t->normal();
    }
    fn.normal(0.05f);
    if (!s.leaving) {
        streams.normal();
    }
    if (s.rows > 1) {
        (s.leaving ? x : streams).set(1, 0, NAN);
    }
    const std::vector<Tensor *> results = {&streams, &next_post, &next_comb, &normed, &codes};
    std::vector<Tensor> before;
    for (const Tensor *r : results) {
        before.push_back(*r);
    }

    const std::vector<int64_t> entry = {s.streams, 20, word(1e-6), word(2e-6)};
    std::vector<weft_operand> fused;
    if (s.leaving) {
        fused = {all(y), all(x), all(post), all(comb)};
        run_command(WEFT_HYPER_POST, {}, {all(y), all(x), all(post), all(comb), all(streams)}, 1);
    }
    run_command(WEFT_HYPER_PRE, entry,
                {all(streams), all(fn), all(scale), all(base), all(entered), all(next_post), all(next_comb)}, 1);
    run_command(WEFT_RMS_NORM, {word(3e-6)}, {all(entered), all(weight), all(normed)}, 1);
    if (s.quantised) {
        run_command(WEFT_QUANTIZE, {}, {all(normed), all(codes)}, 1);
    }
    std::vector<Tensor> expected;
    for (const Tensor *r : results) {
        expected.push_back(*r);
    }

    for (const weft_operand &o : {all(streams), all(fn), all(scale), all(base), without_memory(all(entered)),
                                  all(next_post), all(next_comb), all(weight),
                                  s.stores_norm ? all(normed) : without_memory(all(normed))}) {
        fused.push_back(o);
    }
    if (s.quantised) {
        fused.push_back(all(codes));
    }
    for (int32_t threads : {1, 3, 7}) {
        for (size_t i = 0; i < results.size(); i++) {
            results[i]->memory = before[i].memory;
            results[i]->scale_memory = before[i].scale_memory;
        }
        run_command(WEFT_HYPER_STEP,
                    {s.streams, 20, word(1e-6), word(2e-6), word(3e-6), s.leaving, s.quantised}, fused, threads);
        for (size_t i = 0; i < results.size(); i++) {
            const Tensor &wanted = results[i] == &normed && !s.stores_norm ? before[i] : expected[i];
            check(results[i]->memory == wanted.memory && results[i]->scale_memory == wanted.scale_memory,
                  "the bits of the single commands on " + std::to_string(threads) + " threads, result " +
                      std::to_string(i));
        }
    }
}

void test_refusals() {
    context = std::string(weft_isa_name(isa)) + " refusals";
    Tensor x(WEFT_BF16, {1, 4, 96}), some(WEFT_BF16, {1, 96}), codes(WEFT_F8_E4M3, {1, 96}, 0, 1, 128);
    std::vector<weft_operand> operands = {all(x)};
    for (int i = 0; i < 8; i++) {
        operands.push_back(all(some));
    }
    operands.push_back(all(codes));
    const int64_t attributes[] = {4, 20, word(1e-6), word(1e-6), word(1e-6), 0, 1};
    check(weft_unsupported(isa, WEFT_HYPER_STEP, attributes, operands.data(), 10) != nullptr,
          "codes whose last block is not whole");
}

void test_level() {
    for (int64_t rows : {0, 1, 5, 90, 300}) {
        test({rows, 4, 1152, WEFT_BF16, WEFT_BF16, true, true, false});
    }
    for (int64_t rows : {1, 37, 220}) {
        test({rows, 4, 128, WEFT_F32, WEFT_F32, true, true, true});
        test({rows, 4, 640, WEFT_BF16, WEFT_BF16, false, true, true});
        test({rows, 3, 37, WEFT_BF16, WEFT_F32, true, false, true});
        test({rows, 8, 40, WEFT_F32, WEFT_BF16, false, false, true});
    }
    test_refusals();
}

}  // namespace

int main() {
    return test_levels(test_level);
}
