// Runs a launch: its blocks on the threads of a pool that lives as long as the process.
#pragma once

#include "block.h"

namespace weft::simt {

/** Runs all blocks, or stops soon after the first failure and returns it; code 0 if all went well. */
Failure run(const Launch &launch);

}  // namespace weft::simt
