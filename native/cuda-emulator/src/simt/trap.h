// Memory accesses and instructions of a kernel that the host's processor refuses. Only those: signals of other threads,
// and of the process's own code, go to whoever handled them before.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace weft::simt {

/** Says what is known of an address outside shared memory, for the text of a fault. */
extern std::string (*describe_address)(uintptr_t address);

/** Where the host finds these bytes, by a device's address or by the host's own; 0 if they are not all allocated. */
extern uintptr_t (*reach_address)(uintptr_t address, size_t bytes);

/** Installs the handlers; once a process. */
void install_traps();
/** Gives this thread a stack for the handler, which runs when a fiber's stack overflows too. */
void prepare_thread();

}  // namespace weft::simt
