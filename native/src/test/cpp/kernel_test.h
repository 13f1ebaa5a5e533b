// What the kernel tests share: counting of checks, attribute words and bits, one guarded call of a kernel, and the loop
// over the levels of the processor.
#ifndef WEFT_KERNEL_TEST_H
#define WEFT_KERNEL_TEST_H

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "weft/weft.h"

namespace {

int failures = 0;
int64_t checks = 0;
std::string context;
int32_t isa = 0;

inline void check(bool holds, const std::string &what) {
    checks++;
    if (!holds && ++failures <= 20) {
        std::printf("FAILED %s: %s\n", context.c_str(), what.c_str());
    }
}

inline float from_bits(uint32_t bits) {
    float value;
    std::memcpy(&value, &bits, 4);
    return value;
}

inline uint32_t to_bits(float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, 4);
    return bits;
}

/** Attribute word that holds a double. */
inline int64_t word(double value) {
    int64_t bits;
    std::memcpy(&bits, &value, 8);
    return bits;
}

/** Runs one command on a pool of its own. The workspace starts as NaN, so that a read of what was not written shows. */
inline void run_command(int64_t op, const std::vector<int64_t> &attributes, const std::vector<weft_operand> &operands,
                        int32_t threads) {
    constexpr uint8_t PATTERN = 0xFF;
    constexpr size_t LINE = 64;
    const auto count = int64_t(operands.size());
    const char *reason = weft_unsupported(isa, op, attributes.data(), operands.data(), count);
    check(reason == nullptr, std::string("unsupported: ") + (reason == nullptr ? "" : reason));
    const int64_t bytes = weft_workspace(isa, op, attributes.data(), operands.data(), count, threads);
    std::vector<uint8_t> memory(size_t(bytes) + 3 * LINE, PATTERN);
    uint8_t *workspace = memory.data() + (LINE - reinterpret_cast<uintptr_t>(memory.data()) % LINE) % LINE;
    const weft_command command = {op, attributes.data(), operands.data(), workspace};
    weft_pool *pool = weft_pool_create(threads);
    check(weft_run(pool, isa, &command, 1) == 0, "there is a kernel");
    weft_pool_destroy(pool);
    check(std::all_of(workspace + bytes, memory.data() + memory.size(), [](uint8_t b) { return b == PATTERN; }),
          "nothing is written behind the workspace");
}

/** Runs the tests at every level the processor has; the exit status of the process. */
inline int test_levels(void (*test_level)()) {
    for (isa = 0; isa < weft_isa_count(); isa++) {
        if (!weft_isa_usable(isa)) {
            std::printf("%s: the processor lacks it\n", weft_isa_name(isa));
            continue;
        }
        const int64_t before = checks;
        test_level();
        std::printf("%s: %lld checks\n", weft_isa_name(isa), static_cast<long long>(checks - before));
    }
    std::printf("%d failures\n", failures);
    return failures == 0 ? 0 : 1;
}

}  // namespace

#endif
