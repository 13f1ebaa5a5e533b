// Devices and their primary contexts.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <map>

#include "driver/memory.h"
#include "entry.h"

using namespace weft::driver;

namespace {

int on_device(const char *function, int device, int (*body)(Entered &, Device &, void *), void *argument) {
    return call(function, INITIALISED, [&](Entered &e) -> int {
        bool exists = device >= 0 && device < settings().devices;
        return exists ? body(e, world().devices[static_cast<size_t>(device)], argument) : INVALID_DEVICE;
    });
}

template <class Body>
int on_device(const char *function, int device, Body body) {
    return on_device(
        function, device,
        [](Entered &e, Device &d, void *argument) -> int { return (*static_cast<Body *>(argument))(e, d); }, &body);
}

/** Values of CUdevice_attribute. */
std::map<int, int> attributes(int device) {
    const Chip &chip = *settings().chip;
    bool is_hopper = chip.sm >= 90;
    return {{1, 1024},          // threads of a block
            {2, 1024},          // and along x, y, z
            {3, 1024},
            {4, 64},
            {5, 2147483647},    // blocks along x, y, z
            {6, 65535},
            {7, 65535},
            {8, 48 << 10},      // shared memory of a block
            {9, 64 << 10},      // constant memory
            {10, 32},           // lanes of a warp
            {12, 65536},        // registers of a block
            {13, chip.clock_khz},
            {16, chip.multiprocessors},
            {18, 0},            // integrated
            {19, 1},            // maps host memory
            {20, 0},            // compute mode
            {33, device + 1},   // PCI bus
            {34, 0},
            {36, chip.memory_clock_khz},
            {37, chip.bus_bits},
            {38, chip.l2_bytes},
            {39, chip.sm % 10 == 9 || chip.sm == 120 ? 1536 : 2048},  // threads of a multiprocessor
            {40, 3},            // copy engines
            {41, 1},            // one address space
            {50, 0},            // PCI domain
            {75, chip.sm / 10},
            {76, chip.sm % 10},
            {81, chip.shared_bytes + 1024},
            {82, 65536},        // registers of a multiprocessor
            {83, 1},            // managed memory
            {95, 1},            // cooperative launches
            {97, chip.shared_bytes},
            {106, chip.sm % 10 == 9 || chip.sm == 120 ? 24 : 32},  // blocks of a multiprocessor
            {108, chip.l2_bytes / 2},
            {111, 1024},        // shared memory the driver takes of every block
            {115, 1},           // memory pools
            {120, is_hopper},   // clusters
            {127, is_hopper},   // tensor maps
            {132, 0}};          // multicast
}

void copy_text(char *out, int capacity, const std::string &text) {
    std::snprintf(out, static_cast<size_t>(capacity), "%s", text.c_str());
}

}  // namespace

WEFT_DRIVER cuDeviceGetCount(int *count) {
    return call("cuDeviceGetCount", INITIALISED, [&](Entered &) -> int {
        *count = settings().devices;
        return SUCCESS;
    });
}

WEFT_DRIVER cuDeviceGet(int *device, int ordinal) {
    return on_device("cuDeviceGet", ordinal, [&](Entered &, Device &) -> int {
        *device = ordinal;
        return SUCCESS;
    });
}

WEFT_DRIVER cuDeviceGetName(char *out, int capacity, int device) {
    return on_device("cuDeviceGetName", device, [&](Entered &, Device &) -> int {
        copy_text(out, capacity, "WEFT EMULATOR sm_" + std::to_string(settings().chip->sm));
        return SUCCESS;
    });
}

WEFT_DRIVER cuDeviceGetUuid_v2(char *out, int device) {
    return on_device("cuDeviceGetUuid_v2", device, [&](Entered &, Device &) -> int {
        std::memset(out, 0, 16);
        copy_text(out, 15, "WEFT EMULATOR");
        out[15] = static_cast<char>(device);
        return SUCCESS;
    });
}

WEFT_DRIVER cuDeviceGetPCIBusId(char *out, int capacity, int device) {
    return on_device("cuDeviceGetPCIBusId", device, [&](Entered &, Device &) -> int {
        char text[32];
        std::snprintf(text, sizeof text, "0000:%02X:00.0", static_cast<unsigned>(device + 1) & 0xFF);
        copy_text(out, capacity, text);
        return SUCCESS;
    });
}

WEFT_DRIVER cuDeviceTotalMem_v2(size_t *bytes, int device) {
    return on_device("cuDeviceTotalMem_v2", device, [&](Entered &, Device &) -> int {
        *bytes = settings().memory;
        return SUCCESS;
    });
}

WEFT_DRIVER cuDeviceGetAttribute(int *value, int attribute, int device) {
    return on_device("cuDeviceGetAttribute", device, [&](Entered &, Device &) -> int {
        auto all = attributes(device);
        auto found = all.find(attribute);
        if (found == all.end()) {
            return INVALID_VALUE;
        }
        *value = found->second;
        return SUCCESS;
    });
}

WEFT_DRIVER cuDeviceCanAccessPeer(int *can, int device, int peer) {
    return on_device("cuDeviceCanAccessPeer", std::max(device, peer), [&](Entered &, Device &) -> int {
        *can = device != peer;
        return device < 0 || peer < 0 ? INVALID_DEVICE : SUCCESS;
    });
}

WEFT_DRIVER cuDeviceGetDefaultMemPool(void **pool, int device) {
    return on_device("cuDeviceGetDefaultMemPool", device, [&](Entered &, Device &d) -> int {
        if (!d.context) {
            return INVALID_CONTEXT;
        }
        *pool = d.pool_handle;
        return SUCCESS;
    });
}

// ---- primary contexts

WEFT_DRIVER cuDevicePrimaryCtxRetain(void **context, int device) {
    return on_device("cuDevicePrimaryCtxRetain", device, [&](Entered &, Device &d) -> int {
        World &w = world();
        if (d.retained++ == 0) {
            d.context = std::make_shared<Context>(Context{device});
            d.handle = w.contexts.add(d.context);
            d.pool_handle = w.default_pools.add(std::make_shared<Pool>(Pool{device}));
        }
        *context = d.handle;
        return SUCCESS;
    });
}

WEFT_DRIVER cuDevicePrimaryCtxRelease_v2(int device) {
    return on_device("cuDevicePrimaryCtxRelease_v2", device, [&](Entered &e, Device &d) -> int {
        if (d.retained == 0) {
            fault("release-without-retain", "cuDevicePrimaryCtxRelease_v2 of device " + std::to_string(device));
            return INVALID_CONTEXT;
        }
        if (--d.retained == 0) {
            end_context(d, e.lock);
        }
        return SUCCESS;
    });
}

WEFT_DRIVER cuDevicePrimaryCtxSetFlags_v2(int device, unsigned flags) {
    return on_device("cuDevicePrimaryCtxSetFlags_v2", device, [&](Entered &, Device &d) -> int {
        d.flags = flags;
        return SUCCESS;
    });
}

WEFT_DRIVER cuDevicePrimaryCtxGetState(int device, unsigned *flags, int *active) {
    return on_device("cuDevicePrimaryCtxGetState", device, [&](Entered &, Device &d) -> int {
        *flags = d.flags;
        *active = d.context != nullptr;
        return SUCCESS;
    });
}

// ---- the current context

namespace {

/** Null, or a handle that exists. */
bool is_context(void *handle, const char *function) {
    return handle == nullptr || world().contexts.find(handle, function);
}

}  // namespace

WEFT_DRIVER cuCtxSetCurrent(void *context) {
    return call("cuCtxSetCurrent", INITIALISED, [&](Entered &e) -> int {
        if (!is_context(context, e.function)) {
            return INVALID_CONTEXT;
        }
        current_handle() = context;
        return SUCCESS;
    });
}

WEFT_DRIVER cuCtxGetCurrent(void **context) {
    return call("cuCtxGetCurrent", INITIALISED, [&](Entered &) -> int {
        *context = current_handle();
        return SUCCESS;
    });
}

WEFT_DRIVER cuCtxGetDevice(int *device) {
    return call("cuCtxGetDevice", CONTEXT, [&](Entered &e) -> int {
        *device = e.context->device;
        return SUCCESS;
    });
}

WEFT_DRIVER cuCtxPushCurrent_v2(void *context) {
    return call("cuCtxPushCurrent_v2", INITIALISED, [&](Entered &e) -> int {
        if (context == nullptr || !is_context(context, e.function)) {
            return INVALID_CONTEXT;
        }
        context_stack().push_back(current_handle());
        current_handle() = context;
        return SUCCESS;
    });
}

WEFT_DRIVER cuCtxPopCurrent_v2(void **context) {
    return call("cuCtxPopCurrent_v2", INITIALISED, [&](Entered &) -> int {
        if (context_stack().empty()) {
            return INVALID_CONTEXT;
        }
        if (context != nullptr) {
            *context = current_handle();
        }
        current_handle() = context_stack().back();
        context_stack().pop_back();
        return SUCCESS;
    });
}

WEFT_DRIVER cuCtxSynchronize() {
    return call("cuCtxSynchronize", CONTEXT | NO_CAPTURE, [&](Entered &e) -> int {
        synchronize(e.context, e.lock);
        return e.context->error;
    });
}

WEFT_DRIVER cuCtxGetStreamPriorityRange(int *least, int *greatest) {
    return call("cuCtxGetStreamPriorityRange", CONTEXT, [&](Entered &) -> int {
        *least = 0;
        *greatest = -5;
        return SUCCESS;
    });
}

WEFT_DRIVER cuCtxEnablePeerAccess(void *peer, unsigned flags) {
    return call("cuCtxEnablePeerAccess", CONTEXT, [&](Entered &e) -> int {
        if (peer == nullptr || !is_context(peer, e.function)) {
            return INVALID_CONTEXT;
        }
        return flags == 0 ? SUCCESS : INVALID_VALUE;
    });
}
