// Device memory, pools and pinned host memory.
#include "driver/memory.h"

#include "entry.h"

using namespace weft::driver;

namespace {

int free_now(uint64_t address, const Entered &e) {
    const Allocation *a = find_allocation(address);
    if (a == nullptr || a->begin != address) {
        fault("free-of-no-allocation", std::string(e.function) + ": " + describe(address));
        return INVALID_VALUE;
    }
    release(address);
    return SUCCESS;
}

int allocate_async(CUdeviceptr *out, size_t bytes, int device, const void *stream, Entered &e) {
    auto found = find_stream(stream, e);
    if (!found) {
        return INVALID_HANDLE;
    }
    if (found->capture) {
        found->capture->valid = false;
        return STREAM_CAPTURE_UNSUPPORTED;  // the emulator plays no nodes that allocate
    }
    if (bytes == 0) {
        return INVALID_VALUE;
    }
    *out = allocate(device, bytes);
    return *out == 0 ? OUT_OF_MEMORY : SUCCESS;
}

}  // namespace

WEFT_DRIVER cuMemGetInfo_v2(size_t *free, size_t *total) {
    return call("cuMemGetInfo_v2", CONTEXT, [&](Entered &e) -> int {
        *total = settings().memory;
        *free = settings().memory - bytes_used(e.context->device);
        return SUCCESS;
    });
}

WEFT_DRIVER cuMemAlloc_v2(CUdeviceptr *out, size_t bytes) {
    return call("cuMemAlloc_v2", CONTEXT | NO_CAPTURE, [&](Entered &e) -> int {
        if (bytes == 0) {
            return INVALID_VALUE;
        }
        *out = allocate(e.context->device, bytes);
        return *out == 0 ? OUT_OF_MEMORY : SUCCESS;
    });
}

WEFT_DRIVER cuMemFree_v2(CUdeviceptr address) {
    return call("cuMemFree_v2", CONTEXT | NO_CAPTURE, [&](Entered &e) -> int {
        if (address == 0) {
            return SUCCESS;
        }
        synchronize(e.context, e.lock);
        return free_now(address, e);
    });
}

WEFT_DRIVER cuMemGetAddressRange_v2(CUdeviceptr *base, size_t *bytes, CUdeviceptr address) {
    return call("cuMemGetAddressRange_v2", CONTEXT, [&](Entered &) -> int {
        const Allocation *a = find_allocation(address);
        if (a == nullptr || address == a->end()) {
            return NOT_FOUND;
        }
        *base = a->begin;
        *bytes = a->bytes;
        return SUCCESS;
    });
}

// ---- stream-ordered

WEFT_DRIVER cuMemAllocAsync(CUdeviceptr *out, size_t bytes, void *stream) {
    return call("cuMemAllocAsync", CONTEXT, [&](Entered &e) -> int {
        return allocate_async(out, bytes, e.context->device, stream, e);
    });
}

WEFT_DRIVER cuMemAllocFromPoolAsync(CUdeviceptr *out, size_t bytes, void *pool, void *stream) {
    return call("cuMemAllocFromPoolAsync", CONTEXT, [&](Entered &e) -> int {
        auto found = find_pool(pool, e.function);
        return found ? allocate_async(out, bytes, found->device, stream, e) : INVALID_VALUE;
    });
}

WEFT_DRIVER cuMemFreeAsync(CUdeviceptr address, void *stream) {
    return call("cuMemFreeAsync", CONTEXT, [&](Entered &e) -> int {
        auto found = find_stream(stream, e);
        if (!found) {
            return INVALID_HANDLE;
        }
        if (found->capture) {
            found->capture->valid = false;
            return STREAM_CAPTURE_UNSUPPORTED;
        }
        const Allocation *a = find_allocation(address);
        if (a == nullptr || a->begin != address) {
            return free_now(address, e);
        }
        found->submit({[address] {
                           Lock lock(world().mutex);
                           if (!release(address)) {
                               fault("free-of-no-allocation", "cuMemFreeAsync: " + describe(address));
                           }
                           return 0;
                       },
                       nullptr, nullptr});
        return SUCCESS;
    });
}

// CUmemPoolProps: location type and number behind two words
WEFT_DRIVER cuMemPoolCreate(void **pool, const int *properties) {
    return call("cuMemPoolCreate", CONTEXT, [&](Entered &) -> int {
        int device = properties[3];
        if (properties[0] != 1 || properties[2] != 1 || device < 0 ||
            device >= settings().devices) {
            return INVALID_VALUE;
        }
        *pool = world().pools.add(std::make_shared<Pool>(Pool{device}));
        return SUCCESS;
    });
}

WEFT_DRIVER cuMemPoolDestroy(void *pool) {
    return call("cuMemPoolDestroy", CONTEXT, [&](Entered &e) -> int {
        return world().pools.take(pool, e.function) ? SUCCESS : INVALID_VALUE;
    });
}

namespace {

// Attributes 1 to 3 are switches in an int, the others sizes in 64 bits.
constexpr int last_switch = 3, release_threshold = 4, last_attribute = 7;

}  // namespace

WEFT_DRIVER cuMemPoolSetAttribute(void *pool, int attribute, const void *value) {
    return call("cuMemPoolSetAttribute", CONTEXT, [&](Entered &e) -> int {
        auto found = find_pool(pool, e.function);
        if (!found || attribute < 1 || attribute > release_threshold) {
            return INVALID_VALUE;
        }
        bool is_switch = attribute <= last_switch;
        found->attributes[attribute] = is_switch ? static_cast<uint64_t>(*static_cast<const int *>(value))
                                                 : *static_cast<const uint64_t *>(value);
        return SUCCESS;
    });
}

WEFT_DRIVER cuMemPoolGetAttribute(void *pool, int attribute, void *value) {
    return call("cuMemPoolGetAttribute", CONTEXT, [&](Entered &e) -> int {
        auto found = find_pool(pool, e.function);
        if (!found || attribute < 1 || attribute > last_attribute) {
            return INVALID_VALUE;
        }
        if (attribute <= last_switch) {
            *static_cast<int *>(value) = static_cast<int>(found->attributes[attribute]);
        } else {
            *static_cast<uint64_t *>(value) =
                attribute == release_threshold ? found->attributes[attribute] : bytes_used(found->device);
        }
        return SUCCESS;
    });
}

WEFT_DRIVER cuMemPoolTrimTo(void *pool, size_t) {
    return call("cuMemPoolTrimTo", CONTEXT,
                [&](Entered &e) -> int { return find_pool(pool, e.function) ? SUCCESS : INVALID_VALUE; });
}

// ---- host memory

WEFT_DRIVER cuMemHostAlloc(void **out, size_t bytes, unsigned flags) {
    return call("cuMemHostAlloc", CONTEXT | NO_CAPTURE, [&](Entered &) -> int {
        if (bytes == 0 || flags > 7) {
            return INVALID_VALUE;
        }
        *out = allocate_pinned(bytes);
        return *out == nullptr ? OUT_OF_MEMORY : SUCCESS;
    });
}

WEFT_DRIVER cuMemFreeHost(void *address) {
    return call("cuMemFreeHost", CONTEXT | NO_CAPTURE, [&](Entered &e) -> int {
        synchronize(e.context, e.lock);
        if (!release_pinned(address)) {
            fault("free-of-no-allocation", "cuMemFreeHost of memory that cuMemHostAlloc did not give");
            return INVALID_VALUE;
        }
        return SUCCESS;
    });
}

WEFT_DRIVER cuMemHostRegister_v2(void *address, size_t bytes, unsigned flags) {
    return call("cuMemHostRegister_v2", CONTEXT | NO_CAPTURE, [&](Entered &) -> int {
        if (bytes == 0 || flags > 15) {
            return INVALID_VALUE;
        }
        return register_pinned(address, bytes) ? SUCCESS : HOST_MEMORY_ALREADY_REGISTERED;
    });
}

WEFT_DRIVER cuMemHostUnregister(void *address) {
    return call("cuMemHostUnregister", CONTEXT | NO_CAPTURE, [&](Entered &e) -> int {
        synchronize(e.context, e.lock);
        return unregister_pinned(address) ? SUCCESS : HOST_MEMORY_NOT_REGISTERED;
    });
}

WEFT_DRIVER cuMemHostGetDevicePointer_v2(CUdeviceptr *out, void *address, unsigned flags) {
    return call("cuMemHostGetDevicePointer_v2", CONTEXT, [&](Entered &) -> int {
        *out = reinterpret_cast<CUdeviceptr>(address);
        return flags == 0 && is_pinned(*out, 1) ? SUCCESS : INVALID_VALUE;
    });
}
