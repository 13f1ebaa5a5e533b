// Kernels of loaded libraries.
#pragma once

#include <string>
#include <vector>

#include "weft/cuda/simt.h"

namespace weft::simt {

struct Kernel {
    std::string name;
    int threads;  // most of a block
    Body body;
    int calls;  // in its parameter
    unsigned static_bytes;  // of shared memory, before the dynamic
    Body ahead;  // before the body; nullptr for nothing
};

/** Called by the constructors of a library that is being loaded. */
void add_kernel(Kernel kernel);
/** Kernels added by this thread since the last call. */
std::vector<Kernel> take_kernels();

}  // namespace weft::simt
