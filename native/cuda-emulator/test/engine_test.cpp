// The SIMT engine: what kernels compute, and that each mistake of a kernel is found under its name.
#include <cmath>
#include <cstring>
#include <limits>

#include "driver.h"

using namespace test;

namespace {

/** Device, kernels and the usual end: wait for the stream, which gives the result. */
struct Bench {
    Device device;
    Kernels kernels;

    int run(const char *kernel, Launch launch) {
        OK(launch.on(device.stream, kernels.function(kernel)));
        return cuStreamSynchronize(device.stream);
    }
};

Launch one(std::vector<CUdeviceptr> operands, unsigned block, unsigned shared_bytes = 0, long long attribute = 0) {
    Launch launch(std::move(operands));
    launch.block = block;
    launch.shared_bytes = shared_bytes;
    launch.call.attribute[0] = attribute;
    return launch;
}

std::vector<float> counted(size_t count) {
    std::vector<float> out(count);
    for (size_t i = 0; i < count; i++) {
        out[i] = static_cast<float>(i);
    }
    return out;
}

uint16_t bf16_code(float value) {  // of a value that needs no rounding
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    return static_cast<uint16_t>(bits >> 16);
}

template <class T>
CUdeviceptr upload(const Memory &memory, const std::vector<T> &values) {
    OK(cuMemcpyHtoD_v2(memory.address, values.data(), values.size() * sizeof(T)));
    return memory.address;
}

}  // namespace

TEST(grid_and_block, [] {
    Bench b;
    Memory in(counted(1024)), out(4096), sums(16);
    Launch add = one({in.address, out.address}, 256, 0, 7);
    add.grid = 4;
    OK(b.run("add_number", add));
    Launch sum = one({in.address, sums.address}, 256);
    sum.grid = 4;
    OK(b.run("sum_blocks", sum));
    for (size_t i = 0; i < 1024; i++) {
        EQUAL(static_cast<int>(out.floats()[i]), static_cast<int>(i) + 7);
    }
    for (int block = 0; block < 4; block++) {
        EQUAL(static_cast<int>(sums.floats()[static_cast<size_t>(block)]), 256 * 256 * block + 255 * 128);
    }
});

TEST(collectives_in_any_order, [] {
    Bench b;
    Memory out(96 * 4), early(64 * 4);
    for (const char *seed : {"0", "1", "2", "3", "4", "5", "6", "7"}) {
        OK(weftEmulatorConfigure("seed", seed));
        OK(b.run("collectives", one({out.address}, 96)));
        for (float mistakes : out.floats()) {
            EQUAL(static_cast<int>(mistakes), 0);
        }
        OK(b.run("early_return", one({early.address}, 64)));
        EQUAL(static_cast<int>(early.floats()[0]), 16);
        EQUAL(static_cast<int>(early.floats()[62]), 16);
    }
});

TEST(shared_memory_starts_as_poison, [] {
    Bench b;
    Memory out(32 * 4);
    for (int again = 0; again < 6; again++) {
        OK(b.run("fresh_shared", one({out.address}, 32, 128)));
        for (float bad : out.floats()) {
            EQUAL(static_cast<int>(bad), 0);
        }
    }
});

TEST(mma_bf16_is_a_product, [] {
    Bench b;
    std::vector<uint16_t> a(256), m(128);
    std::vector<float> c(128), expected(128);
    auto a_value = [](int i, int k) { return static_cast<float>((i * 7 + k * 3) % 17 - 8) * 0.25f; };
    auto b_value = [](int k, int j) { return static_cast<float>((k * 5 + j * 11) % 13 - 6) * 2.0f; };
    for (int i = 0; i < 16; i++) {
        for (int k = 0; k < 16; k++) {
            a[static_cast<size_t>(i * 16 + k)] = bf16_code(a_value(i, k));
        }
        for (int j = 0; j < 8; j++) {
            m[static_cast<size_t>(i * 8 + j)] = bf16_code(b_value(i, j));
            c[static_cast<size_t>(i * 8 + j)] = static_cast<float>(i - j);
            float sum = static_cast<float>(i - j);
            for (int k = 0; k < 16; k++) {
                sum += a_value(i, k) * b_value(k, j);
            }
            expected[static_cast<size_t>(i * 8 + j)] = sum;
        }
    }
    Memory a_memory(512), b_memory(256), d(c);
    OK(b.run("multiply_bf16", one({upload(a_memory, a), upload(b_memory, m), d.address}, 32, 1024)));
    CHECK(d.floats() == expected);  // exact: small multiples of 0.5
});

TEST(mma_e4m3_is_a_product, [] {
    Bench b;
    // codes of 0, 1, 1.5, -2, 448 (the greatest), 2^-9 (the least) and NaN
    const uint8_t codes[] = {0x00, 0x38, 0x3C, 0xC0, 0x7E, 0x01, 0x7F};
    const float values[] = {0.0f, 1.0f, 1.5f, -2.0f, 448.0f, 0.001953125f, std::numeric_limits<float>::quiet_NaN()};
    std::vector<uint8_t> a(512), m(256);
    std::vector<float> c(128), expected(128);
    auto a_index = [](int i, int k) { return i == 15 && k == 31 ? 6 : (i + 2 * k) % 6; };
    auto b_index = [](int j, int k) { return (3 * j + k) % 4; };
    for (int i = 0; i < 16; i++) {
        for (int j = 0; j < 8; j++) {
            double sum = 0;
            for (int k = 0; k < 32; k++) {
                a[static_cast<size_t>(i * 32 + k)] = codes[a_index(i, k)];
                m[static_cast<size_t>(j * 32 + k)] = codes[b_index(j, k)];
                sum += static_cast<double>(values[a_index(i, k)]) * static_cast<double>(values[b_index(j, k)]);
            }
            c[static_cast<size_t>(i * 8 + j)] = 0.25f;
            expected[static_cast<size_t>(i * 8 + j)] = static_cast<float>(sum + 0.25);
        }
    }
    Memory a_memory(512), b_memory(256), d(c);
    OK(b.run("multiply_e4m3", one({upload(a_memory, a), upload(b_memory, m), d.address}, 32)));
    std::vector<float> found = d.floats();
    for (size_t i = 0; i < 128; i++) {
        CHECK(i / 8 == 15 ? std::isnan(found[i]) : found[i] == expected[i]);
    }
});

TEST(copies_land_when_waited_for, [] {
    Bench b;
    Memory in(counted(256)), out(1024);
    OK(b.run("copy_through_shared", one({in.address, out.address}, 32, 1024, 0)));
    std::vector<float> all = out.floats();
    OK(b.run("copy_through_shared", one({in.address, out.address}, 32, 1024, 1)));
    std::vector<float> first = out.floats();
    OK(b.run("copy_through_shared", one({in.address, out.address}, 32, 1024, 2)));
    std::vector<float> none = out.floats();
    for (size_t i = 0; i < 128; i++) {
        CHECK(all[i] == static_cast<float>(i) && first[i] == all[i] && std::isnan(none[i]));
        bool is_valid = i % 4 < 2;  // 8 of 16 bytes
        CHECK(all[128 + i] == (is_valid ? static_cast<float>(128 + i) : 0.0f));
        CHECK(std::isnan(first[128 + i]) && std::isnan(none[128 + i]));
    }
    EQUAL(b.run("copy_through_shared", one({in.address, out.address}, 32, 1024, 3)), 719);
    FAULT("copy-not-awaited");
});

TEST(copies_of_nothing_are_aligned_too, [] {
    Bench b;
    Memory in(counted(4));
    EQUAL(b.run("copy_nothing_misaligned", one({in.address}, 32, 512)), 716);
    FAULT("copy-arguments");
});

namespace {

/** What comes of a kernel that does this before it waits, and copies bytes 0 to 511 then. */
void ahead(long long reads, long long from, long long bytes, int code, const char *fault) {
    Bench b;
    Memory in(counted(256)), out(512);
    Launch launch = one({in.address, out.address}, 32, 512, reads);
    launch.call.attribute[1] = from;
    launch.call.attribute[2] = bytes;
    EQUAL(b.run("prefetch_and_copy", launch), code);
    FAULT(fault);
    if (code == 0) {
        CHECK(out.floats()[127] == 127);
        EQUAL(static_cast<long long>(weftEmulatorPrefetched()), 32 * bytes);
    }
}

}  // namespace

TEST(prefetches_before_the_wait, [] {
    ahead(0, 0, 512, 0, "");
    ahead(0, 240, 256, 0, "");
    ahead(0, 8, 16, 716, "prefetch-arguments");
    ahead(0, 0, 24, 716, "prefetch-arguments");
    ahead(0, 0, 0, 716, "prefetch-arguments");
    ahead(0, 768, 512, 700, "illegal-address");
    ahead(0, -16, 32, 700, "illegal-address");
    ahead(0, 496, 32, 719, "prefetch-not-read");
    ahead(1, 0, 0, 719, "read-before-wait");
    ahead(1, 100000, 0, 700, "illegal-address");
});

TEST(blocks_wait_for_one_that_runs, [] {
    for (int again = 0; again < 20; again++) {
        Bench b;
        Memory counts(std::vector<float>(4)), out(std::vector<float>(9));
        Launch launch = one({counts.address, out.address}, 1, 0, 5);
        launch.grid = 9;
        OK(b.run("wait_for_the_first", launch));
        float sum = 0;
        for (float value : out.floats()) {
            sum += value;
        }
        EQUAL(static_cast<int>(sum), 8 * 5);
    }
});

TEST(blocks_do_not_wait_for_one_that_failed, [] {
    for (int again = 0; again < 20; again++) {
        Bench b;
        Memory counts(std::vector<float>(4)), out(36);
        Launch launch = one({counts.address, out.address}, 1, 0, -1);
        launch.grid = 9;
        EQUAL(b.run("wait_for_the_first", launch), 700);
        FAULT("illegal-address");
    }
});

TEST(missing_barrier_shows_for_some_order, [] {
    Bench b;
    Memory out(64 * 4);
    bool shown = false;
    for (int seed = 0; seed < 4; seed++) {
        OK(weftEmulatorConfigure("seed", std::to_string(seed).c_str()));
        OK(b.run("missing_barrier", one({out.address}, 64, 256)));
        std::vector<float> found = out.floats();
        for (size_t i = 0; i < 64; i++) {
            shown |= found[i] != static_cast<float>(i ^ 1);
        }
    }
    CHECK(shown);
});

// ---- mistakes that end the launch

namespace {

struct Mistake {
    const char *kernel;
    unsigned block;
    long long attribute;
    int code;
    const char *fault;
};

void find(const Mistake &m) {
    Bench b;
    Memory memory(1024);
    EQUAL(b.run(m.kernel, one({memory.address}, m.block, 512, m.attribute)), m.code);
    FAULT(m.fault);
}

}  // namespace

TEST(mistakes_are_found_by_name, [] {
    for (const Mistake &m : std::vector<Mistake>{{"diverging_barrier", 64, 0, 719, "barrier-divergence"},
                                                 {"deadlock", 64, 0, 719, "deadlock"},
                                                 {"diverging_warp", 32, 0, 719, "warp-divergence"},
                                                 {"lane_outside_mask", 32, 0, 719, "lane-outside-mask"},
                                                 {"absent_lane", 32, 0, 719, "shuffle-from-absent-lane"},
                                                 {"write_at", 1, 1024, 700, "illegal-address"},
                                                 {"write_at", 1, 2, 716, "undefined-operation"},
                                                 {"write_shared_at", 1, 512, 719, "shared-out-of-bounds"},
                                                 {"write_shared_at", 1, 5000000, 700, "shared-out-of-bounds"},
                                                 {"wide_access", 1, 8, 716, "undefined-operation"},
                                                 {"divide", 1, 0, 716, "undefined-operation"},
                                                 {"deep_stack", 1, 0, 719, "stack-overflow"}}) {
        find(m);
    }
});

TEST(null_pointers_and_freed_memory, [] {
    {
        Bench b;
        EQUAL(b.run("write_at", one({0}, 1)), 700);
        FAULT("illegal-address");
        EQUAL(cuStreamSynchronize(b.device.stream), 700);  // and for ever
        CUdeviceptr out = 0;
        EQUAL(cuMemAlloc_v2(&out, 16), 700);
    }
    Bench b;  // a new context starts anew
    CUdeviceptr gone = 0;
    OK(cuMemAlloc_v2(&gone, 1024));
    OK(cuMemFree_v2(gone));
    EQUAL(b.run("write_at", one({gone}, 1)), 700);
    std::string fault = weftEmulatorFaults();
    CHECK(fault.find("illegal-address: kernels/write_at") == 0);
    CHECK(fault.find("byte 0 of a freed allocation of 1024 bytes") != std::string::npos);
});

TEST(launches_after_a_failure_work, [] {
    for (int again = 0; again < 3; again++) {
        {
            Bench b;
            EQUAL(b.run("diverging_warp", one({}, 32)), 719);
            FAULT("warp-divergence");
        }
        Bench b;
        Memory out(96 * 4);
        OK(b.run("collectives", one({out.address}, 96)));
        EQUAL(static_cast<int>(out.floats()[95]), 0);
    }
});
