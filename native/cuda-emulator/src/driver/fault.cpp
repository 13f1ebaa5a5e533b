#include "fault.h"

#include <mutex>
#include <utility>

namespace weft::driver {

namespace {

struct Collected {
    std::mutex mutex;
    std::string lines;
};

Collected &collected() {
    static Collected &it = *new Collected;
    return it;
}

}  // namespace

void fault(const std::string &rule, const std::string &detail) {
    Collected &c = collected();
    std::lock_guard lock(c.mutex);
    c.lines += (c.lines.empty() ? "" : "\n") + rule + ": " + detail;
}

std::string take_faults() {
    Collected &c = collected();
    std::lock_guard lock(c.mutex);
    return std::exchange(c.lines, {});
}

}  // namespace weft::driver
