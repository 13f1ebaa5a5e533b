// What a test may choose about the emulated machine.
#pragma once

#include <cstdint>
#include <string>

#include "op.h"

namespace emu {

struct Config {
    std::string soc_name = "Ascend950DT_9591";
    Soc soc = Soc::DT950;
    int devices = 1;
    uint64_t memory = 0;      // bytes a device; 0: as much as the product has, at most half of the host's free memory
    uint64_t seed = 1;
    uint32_t delay = 30;      // largest random delay before a stream task, in microseconds
    bool jitter = false;      // operators sum blocks in random order
    uint32_t cold = 0;        // milliseconds that the first run of an operator takes longer
    bool short_quotients = false;  // F32 quotients are one unit in the last place short where they may be
    std::string fail;         // "aclrtMalloc:3:207001,stream:5:507015"
    std::string version = "9.1.0";  // what the version functions tell; the text always begins with WEFT EMULATOR
    std::string log;          // "", "1" (standard error) or a file
    double hccl_timeout = 10; // seconds a rank waits for the others
};

/** The configuration of the running world; of the next one before aclInit. */
const Config& config();
/** 0, or ACL_ERROR_INVALID_PARAM for an unknown key or value, or 100002 while a world runs. */
int configure(const std::string& key, const std::string& value);
/** Called by aclInit: environment WEFT_EMULATOR_<KEY>, then what configure() was told. */
void start_configuration();

/** Counts a call of `point` ("aclrtMalloc", "stream"); the code to fail with, or 0. */
int injected_failure(const char* point);

void log(const std::string& line);

struct Product {
    const char* name;  // as aclrtGetSocName answers
    Soc soc;
    int cube_cores, vector_cores;
    uint64_t memory, l2;
};
const Product& product();

}  // namespace emu
