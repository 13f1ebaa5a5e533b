// Static shared memory: the thread-local variables of the kernel's library.
#pragma once

#include "weft/cuda/simt.h"

namespace weft::simt {

/** Fills the static shared memory of this host thread in the library of `body` with 0xFF. */
void poison_statics(Body body);

}  // namespace weft::simt
