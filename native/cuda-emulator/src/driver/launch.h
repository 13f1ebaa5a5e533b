// A launch of a kernel: checked when it is submitted, its pointers followed when it runs.
#pragma once

#include <memory>
#include <vector>

#include "image.h"
#include "weft/cuda/call.cuh"

namespace weft::driver {

struct KernelLaunch {
    std::shared_ptr<Function> function;
    std::vector<Call> calls;
    dim3 grid, block;
    unsigned shared_bytes;
};

/** A result, INVALID_VALUE for example for a block of no threads. Says why in `why`. */
int check(const KernelLaunch &launch, std::string &why);
int run(const KernelLaunch &launch);

}  // namespace weft::driver
