// Memory accesses and instructions of a kernel that the host's processor refuses. Only those: signals of other threads,
// and of the process's own code, go to whoever handled them before.
#pragma once

#include <cstdint>
#include <string>

namespace weft::simt {

/** Says what is known of an address outside shared memory, for the text of a fault. */
extern std::string (*describe_address)(uintptr_t address);

/** Installs the handlers; once a process. */
void install_traps();
/** Gives this thread a stack for the handler, which runs when a fiber's stack overflows too. */
void prepare_thread();

}  // namespace weft::simt
