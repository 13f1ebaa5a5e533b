#include "world.h"

#include <sstream>

namespace weft::cublaslt {

World &world() {
    static World &it = *new World;  // threads of streams outlive static objects
    return it;
}

void fault(const std::string &rule, const std::string &detail) {
    World &w = world();
    w.faults += (w.faults.empty() ? "" : "\n") + rule + ": " + detail;
}

int injected(const std::string &function) {
    World &w = world();
    uint64_t call = ++w.calls[function];
    std::istringstream fail(w.settings["fail"]);  // FUNCTION:CALL:STATUS
    std::string name, number, status;
    std::getline(std::getline(std::getline(fail, name, ':'), number, ':'), status);
    return name == function && std::stoull(number) == call ? std::stoi(status) : SUCCESS;
}

}  // namespace weft::cublaslt
