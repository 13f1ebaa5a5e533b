#include "world.h"

#include <sstream>

namespace weft::nccl {

World &world() {
    static World &it = *new World;  // threads of streams outlive static objects
    return it;
}

void fault(const std::string &rule, const std::string &detail) {
    World &w = world();
    w.faults += (w.faults.empty() ? "" : "\n") + rule + ": " + detail;
}

std::vector<uint64_t> numbers(const std::string &text) {
    std::vector<uint64_t> out;
    std::istringstream in(text);
    for (std::string part; std::getline(in, part, ':');) {
        out.push_back(std::stoull(part));
    }
    return out;
}

int injected(const std::string &function) {
    World &w = world();
    const std::string &fail = w.settings["fail"];
    uint64_t call = ++w.calls[function];
    size_t colon = fail.find(':');
    if (colon == std::string::npos || fail.substr(0, colon) != function) {
        return 0;
    }
    std::vector<uint64_t> at = numbers(fail.substr(colon + 1));
    return at.size() == 2 && at[0] == call ? static_cast<int>(at[1]) : 0;
}

}  // namespace weft::nccl
