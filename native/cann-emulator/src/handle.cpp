#include "handle.h"

#include <sys/mman.h>

#include <atomic>
#include <cstdlib>
#include <iostream>

namespace emu {

namespace {

constexpr uint64_t span = 1ULL << 33;  // addresses of one kind
constexpr uint64_t step = 64;
constexpr int kinds = static_cast<int>(HandleKind::count);

uint64_t reserve() {
    void* at = mmap(nullptr, span * kinds, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) {
        std::cerr << "cann-emulator: cannot reserve address space for handles" << std::endl;
        std::abort();
    }
    return reinterpret_cast<uint64_t>(at);
}

uint64_t base() {
    static const uint64_t reserved = reserve();
    return reserved;
}

std::atomic<uint64_t> given[kinds];

}  // namespace

const char* kind_name(HandleKind kind) {
    static const char* names[] = {"aclrtContext", "aclrtStream", "aclrtEvent",   "aclmdlRI",      "aclTensor",
                                  "aclTensorList", "aclScalar",  "aclScalarList", "aclIntArray",  "aclFloatArray",
                                  "aclBoolArray", "aclOpExecutor", "HcclComm"};
    return names[static_cast<int>(kind)];
}

uint64_t new_handle(HandleKind kind) {
    uint64_t number = ++given[static_cast<int>(kind)];
    return base() + static_cast<uint64_t>(kind) * span + number * step;
}

std::string describe_handle(const void* handle) {
    uint64_t offset = reinterpret_cast<uint64_t>(handle) - base();
    uint64_t kind = offset / span, number = offset % span / step;
    if (handle == nullptr || kind >= kinds || offset % step != 0 || number == 0 || number > given[kind]) {
        return "no handle (" + std::to_string(reinterpret_cast<uint64_t>(handle)) + ")";
    }
    return std::string(kind_name(static_cast<HandleKind>(kind))) + " #" + std::to_string(number);
}

bool was_handle(const void* handle, HandleKind kind) {
    uint64_t offset = reinterpret_cast<uint64_t>(handle) - base();
    return handle != nullptr && offset / span == static_cast<uint64_t>(kind) && offset % step == 0 &&
           offset % span / step <= given[static_cast<int>(kind)];
}

}  // namespace emu
