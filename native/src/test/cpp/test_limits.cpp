// The work that ceilings are measured with: what it says it did, at every level. How fast it was is no test.
#include <cstdint>
#include <string>
#include <vector>

#include "fixture.h"

namespace {

void test_computing(weft_pool *pool, int64_t kind) {
    context = std::string(weft_isa_name(isa)) + " limit " + std::to_string(kind);
    const bool exists = weft_has_limit(isa, kind) != 0;
    for (int64_t wanted : {int64_t(1), int64_t(100'000'000)}) {
        const int64_t done = weft_limit(pool, isa, kind, nullptr, wanted);
        check(exists ? done >= wanted : done == 0, "did " + std::to_string(done) + " of " + std::to_string(wanted));
    }
    check(weft_limit(pool, isa, kind, nullptr, 0) == 0, "nothing is asked for");
    check(weft_limit(pool, isa, kind, nullptr, -1) == 0, "less than nothing is asked for");
}

/** Whole lines inside the range, wherever it begins; beyond its ends the sanitizers watch. */
void test_reading(weft_pool *pool) {
    context = std::string(weft_isa_name(isa)) + " read";
    for (int64_t bytes : {1, 63, 64, 127, 128, 4096, 70'000}) {
        std::vector<uint8_t> memory(size_t(bytes), 1);
        const int64_t skipped = -int64_t(reinterpret_cast<uintptr_t>(memory.data())) & 63;
        const int64_t lines = bytes < skipped ? 0 : (bytes - skipped) / 64;
        const int64_t done = weft_limit(pool, isa, WEFT_LIMIT_READ, memory.data(), bytes);
        check(done == lines * 64, "read " + std::to_string(done) + " of " + std::to_string(bytes));
    }
}

void test_limits() {
    context = std::string(weft_isa_name(isa)) + " limits";
    check(weft_has_limit(isa, WEFT_LIMIT_READ) && weft_has_limit(isa, WEFT_LIMIT_F32_FMA), "every level has two");
    check(!weft_has_limit(isa, WEFT_LIMIT_COUNT) && !weft_has_limit(isa, -1), "there are no others");
    for (int32_t threads : {1, 3}) {
        weft_pool *pool = weft_pool_create(threads);
        test_reading(pool);
        for (int64_t kind = WEFT_LIMIT_F32_FMA; kind < WEFT_LIMIT_COUNT; kind++) {
            test_computing(pool, kind);
        }
        weft_pool_destroy(pool);
    }
}

}  // namespace

int main() {
    return test_levels(test_limits);
}
