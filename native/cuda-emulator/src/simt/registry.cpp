#include "registry.h"

#include <utility>

namespace weft::simt {

namespace {

std::vector<Kernel> &added() {
    static thread_local std::vector<Kernel> kernels;
    return kernels;
}

}  // namespace

void add_kernel(Kernel kernel) {
    added().push_back(std::move(kernel));
}

std::vector<Kernel> take_kernels() {
    return std::exchange(added(), {});
}

}  // namespace weft::simt
