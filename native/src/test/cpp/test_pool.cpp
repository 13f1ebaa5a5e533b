// Pools through the C interface: every item runs once for any number of threads, workers are pinned, and the mode without
// work does none.
#include <cstdio>
#include <thread>
#include <vector>

#include "weft/weft.h"

namespace {

int failures = 0;

void check(bool holds, const char *what) {
    if (!holds) {
        failures++;
        std::printf("FAILED %s\n", what);
    }
}

constexpr int64_t COLUMNS = 512;

weft_operand matrix(std::vector<float> &data) {
    const int64_t rows = int64_t(data.size()) / COLUMNS;
    return {data.data(), nullptr, WEFT_F32, 0, 2, COLUMNS, {rows, COLUMNS, 0, 0}};
}

/** A list that adds 1 to every element of a matrix some times; a wrong claim of an item shows in the sum. */
struct Sums {
    std::vector<float> total, ones;
    std::vector<weft_operand> operands;
    std::vector<weft_command> commands;

    Sums(int64_t rows, int64_t times) : total(size_t(rows * COLUMNS), 0.0f), ones(size_t(rows * COLUMNS), 1.0f) {
        operands = {matrix(total), matrix(ones), matrix(total)};
        commands.assign(size_t(times), weft_command{WEFT_ADD, nullptr, operands.data(), nullptr});
    }

    int64_t run(weft_pool *pool) { return weft_run(pool, 0, commands.data(), int64_t(commands.size())); }

    bool all(float value) const {
        for (float x : total) {
            if (x != value) {
                return false;
            }
        }
        return true;
    }
};

void test_items() {
    for (int32_t threads : {1, 2, 3, 5, 8}) {
        weft_pool *pool = weft_pool_create(threads);
        // an item has 64 rows: shares of equal and of unequal length, and threads without one
        for (int64_t rows : {1, 2, 3, 17, 100, 1000, 5 * 64, 7 * 64, 31 * 64}) {
            for (int round = 0; round < 5; round++) {
                Sums sums(rows, 40);
                check(sums.run(pool) == 0, "the list runs");
                check(sums.all(40), "every element is added to once by each command");
            }
            // long enough for the workers to sleep
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
        }
        weft_pool_destroy(pool);
    }
    check(weft_pool_create(0) == nullptr, "no pool without threads");
}

void test_affinity() {
    std::vector<int32_t> usable(4096);
    const int32_t count = weft_processors(usable.data(), 4096);
    if (count == 0) {
        std::printf("processors unknown: affinity not tested\n");
        return;
    }
    const int32_t both[] = {usable[0], usable[size_t(count) - 1]};
    weft_pool *pool = weft_pool_create_pinned(4, both, 2);
    check(pool != nullptr, "a pinned pool");
    for (int32_t thread = 1; thread < 4; thread++) {
        check(weft_pool_processor(pool, thread) == both[thread % 2], "each worker on its processor");
    }
    check(weft_pool_processor(pool, 0) == -1 && weft_pool_processor(pool, 4) == -1, "no other threads");
    Sums sums(100, 7);
    check(sums.run(pool) == 0 && sums.all(7), "pinned workers work");
    weft_pool_destroy(pool);
    const int32_t absent[] = {1 << 20};
    check(weft_pool_create_pinned(2, absent, 1) == nullptr, "an absent processor is refused");
}

void test_empty_kernels() {
    weft_pool *pool = weft_pool_create(2);
    Sums sums(100, 3), longer(100, 4);
    weft_set_kernel_mode(WEFT_KERNELS_RECORD);
    check(sums.run(pool) == 0 && sums.all(3), "recording computes");
    weft_set_kernel_mode(WEFT_KERNELS_EMPTY);
    check(sums.run(pool) == 0 && sums.all(3), "empty kernels compute nothing");
    check(longer.run(pool) == 1, "another list is refused");
    weft_set_kernel_mode(WEFT_KERNELS_RUN);
    check(sums.run(pool) == 0 && sums.all(6), "kernels compute again");
    weft_pool_destroy(pool);
}

void test_interleave() {
    std::printf("memory nodes: %d\n", weft_memory_nodes());
    if (weft_memory_nodes() > 0) {
        std::vector<char> memory(8 << 20);
        check(weft_interleave(memory.data(), 8 << 20) == 0, "memory is spread over the nodes there are");
        check(weft_interleave(memory.data() + 5, 100) == 0, "less than a page is left alone");
    }
}

}  // namespace

int main() {
    test_items();
    test_affinity();
    test_empty_kernels();
    test_interleave();
    std::printf("%d failures\n", failures);
    return failures == 0 ? 0 : 1;
}
