#include "collective.h"

namespace emu {

struct Group {};

void end_communicators() {}

}  // namespace emu
