// What a test may choose about the emulated machine.
#pragma once

#include <cstdint>
#include <string>

namespace weft::driver {

/** What the driver tells of a product. Numbers are those of an A100, an RTX 4090, an H200, a B200 and an RTX PRO 6000. */
struct Chip {
    int sm, multiprocessors, shared_bytes, l2_bytes, clock_khz, memory_clock_khz, bus_bits;
};

struct Settings {
    const Chip *chip;
    int devices = 1;
    uint64_t memory = uint64_t{4} << 30;  // bytes a device
    int driver_version = 13000;
    uint64_t seed = 1;                    // of the order of threads, and of delays; 0: threads in their natural order
    unsigned delay = 0;                   // most microseconds before each piece of work of a stream
    int static_bytes = 0;                 // shared memory that every kernel declares itself
    bool stub = false;                    // the library of a toolkit, which only answers 34
};

const Settings &settings();
/** 0, or 1 for an unknown key or value. */
int configure(const std::string &key, const std::string &value);
/** Counts a call of `point`, a function or "kernel"; the code to fail with, or 0. */
int injected_failure(const std::string &point);

}  // namespace weft::driver
