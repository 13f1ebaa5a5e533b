// A fault is a broken rule that real hardware may punish with a crash, a hang, a leak or wrong numbers instead of a code.
// What the driver itself reports by a code is no fault.
#pragma once

#include <string>

namespace weft::driver {

void fault(const std::string &rule, const std::string &detail);
/** Faults since the last call, "rule: detail", one a line; "" if none. */
std::string take_faults();

}  // namespace weft::driver
