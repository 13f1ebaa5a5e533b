// Errors and faults.
//
// An error is what CANN itself reports: a return code, and a message for aclGetRecentErrMsg. A fault is a broken rule
// that real hardware may punish with a crash, a hang, a leak or wrong numbers instead of a code; the emulator collects
// those for weftEmulatorFaults().
#pragma once

#include <string>
#include <vector>

namespace emu {

struct Rule {
    const char* name;
    const char* text;
    const char* cite;
};

/** Every rule a fault may name. */
const std::vector<Rule>& rules();

/** Records "name: detail [cite]". The name must be in rules(). */
void fault(const char* rule, const std::string& detail);
/** Faults since the last call, one a line; "" if none. */
std::string take_faults();

/** The document of a return code; "" for a code that no check may answer with. */
std::string cite_of(int code);
/** A documented check failed: sets this thread's message "code: text [cite]" and returns the code. */
int fail(int code, const std::string& text);
/** As fail, for what is no rule of CANN's or has its citation in the text already. */
int tell(int code, const std::string& text);
/** The message of this thread, cleared by reading; nullptr when none. */
const char* take_message();
/** The code of this thread's last error, 0 when none since the last reset. */
int last_error(bool reset);
/** Called on entry of every function: what aclGetRecentErrMsg returned earlier is no longer valid. */
void expire_message();

}  // namespace emu
