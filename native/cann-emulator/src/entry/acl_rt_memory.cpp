// Device and pinned memory, copies.
#include "acl/acl_rt.h"
#include "copy.h"
#include "stream.h"
#include "world.h"

using emu::Lock;
using emu::world;

namespace {

int allocate_device(void** devPtr, size_t size, const char* function) {
    Lock lock(world().mutex);
    if (devPtr == nullptr || size == 0) {
        return emu::fail(ACL_ERROR_INVALID_PARAM, std::string(function) + ": NULL pointer or 0 bytes");
    }
    *devPtr = nullptr;
    auto context = emu::current_context(function);
    if (context == nullptr) {
        return ACL_ERROR_RT_CONTEXT_NULL;
    }
    if (int code = emu::sticky(*context)) {
        return code;
    }
    uint64_t address = emu::allocate(context->device, size);
    if (address == 0) {
        return emu::fail(ACL_ERROR_RT_MEMORY_ALLOCATION,
                         std::string(function) + ": " + std::to_string(size) + " bytes, in use are " +
                             std::to_string(emu::memory_used(context->device)) + " of " +
                                 std::to_string(emu::config().memory));
    }
    *devPtr = reinterpret_cast<void*>(address);
    return ACL_SUCCESS;
}

int free_device(void* devPtr, const char* function) {
    if (devPtr == nullptr) {
        return emu::fail(ACL_ERROR_INVALID_PARAM, std::string(function) + ": NULL pointer");
    }
    if (emu::current_context(function) == nullptr) {
        return ACL_ERROR_RT_CONTEXT_NULL;
    }
    uint64_t begin = reinterpret_cast<uint64_t>(devPtr);
    const emu::Allocation* a = emu::allocation_of({begin, begin});
    if (!emu::is_device(begin) || a == nullptr || a->begin != begin) {
        emu::fault("invalid-free", std::string(function) + " of " + emu::hex(begin) +
                   ", where no live allocation starts");
        return emu::fail(ACL_ERROR_RT_PARAM_INVALID, std::string(function) + ": no allocation starts at this address");
    }
    emu::ByteRange range{begin, begin + a->capacity};
    emu::host_access(range, true, function, "free-in-use");
    world().races.forget(range);
    emu::release(begin);
    return ACL_SUCCESS;
}

}  // namespace

extern "C" {

aclError aclrtMalloc(void** devPtr, size_t size, aclrtMemMallocPolicy) {
    EMU_ENTER("aclrtMalloc");
    return allocate_device(devPtr, size, "aclrtMalloc");
}

aclError aclrtMallocAlign32(void** devPtr, size_t size, aclrtMemMallocPolicy) {
    EMU_ENTER("aclrtMallocAlign32");
    return allocate_device(devPtr, size, "aclrtMallocAlign32");
}

aclError aclrtFree(void* devPtr) {
    EMU_ENTER("aclrtFree");
    Lock lock(world().mutex);
    return free_device(devPtr, "aclrtFree");
}

aclError aclrtFreeWithDevSync(void* devPtr) {
    EMU_ENTER("aclrtFreeWithDevSync");
    if (int code = aclrtSynchronizeDevice()) {
        return code;
    }
    Lock lock(world().mutex);
    return free_device(devPtr, "aclrtFreeWithDevSync");
}

aclError aclrtMallocHost(void** hostPtr, size_t size) {
    EMU_ENTER("aclrtMallocHost");
    Lock lock(world().mutex);
    if (hostPtr == nullptr || size == 0) {
        return emu::fail(ACL_ERROR_INVALID_PARAM, "aclrtMallocHost: NULL pointer or 0 bytes");
    }
    if (emu::current_context("aclrtMallocHost") == nullptr) {
        return ACL_ERROR_RT_CONTEXT_NULL;
    }
    *hostPtr = emu::allocate_pinned(size);
    return *hostPtr != nullptr ? static_cast<aclError>(ACL_SUCCESS)
                               : emu::fail(ACL_ERROR_RT_MEMORY_ALLOCATION,
                                           "aclrtMallocHost: the host has no more memory");
}

aclError aclrtFreeHost(void* hostPtr) {
    EMU_ENTER("aclrtFreeHost");
    Lock lock(world().mutex);
    uint64_t begin = reinterpret_cast<uint64_t>(hostPtr);
    uint64_t end = begin + emu::pinned_size(hostPtr);
    if (!world().races.ordered({begin, end}, world().host)) {
        emu::fault("host-memory-freed", "aclrtFreeHost of " + emu::hex(begin) +
                   " while a queued copy may still use it");
    }
    world().races.forget({begin, end});
    if (!emu::release_pinned(hostPtr)) {
        emu::fault("invalid-free", "aclrtFreeHost of " + emu::hex(begin) + ", where no live allocation starts");
        return emu::fail(ACL_ERROR_RT_PARAM_INVALID, "aclrtFreeHost: no allocation starts at this address");
    }
    return ACL_SUCCESS;
}

aclError aclrtHostRegisterV2(void* ptr, uint64_t size, uint32_t) {
    EMU_ENTER("aclrtHostRegisterV2");
    Lock lock(world().mutex);
    if (ptr == nullptr || size == 0 || !emu::register_pinned(ptr, size)) {
        return emu::fail(ACL_ERROR_RT_PARAM_INVALID, "aclrtHostRegisterV2: NULL, 0 bytes or registered already");
    }
    return ACL_SUCCESS;
}

aclError aclrtHostUnregister(void* ptr) {
    EMU_ENTER("aclrtHostUnregister");
    Lock lock(world().mutex);
    return emu::unregister_pinned(ptr) ? static_cast<aclError>(ACL_SUCCESS)
                                       : emu::fail(ACL_ERROR_RT_PARAM_INVALID, "aclrtHostUnregister: not registered");
}

aclError aclrtGetMemInfo(aclrtMemAttr, size_t* free, size_t* total) {
    EMU_ENTER("aclrtGetMemInfo");
    Lock lock(world().mutex);
    auto context = emu::current_context("aclrtGetMemInfo");
    if (context == nullptr) {
        return ACL_ERROR_RT_CONTEXT_NULL;
    }
    *total = emu::config().memory;
    *free = emu::config().memory - emu::memory_used(context->device);
    return ACL_SUCCESS;
}

// ---- copies

aclError aclrtMemcpy(void* dst, size_t destMax, const void* src, size_t count, aclrtMemcpyKind kind) {
    EMU_ENTER("aclrtMemcpy");
    return emu::copy("aclrtMemcpy", {dst, src, count, count, count, 1}, destMax, kind);
}

aclError aclrtMemcpyAsync(void* dst, size_t destMax, const void* src, size_t count, aclrtMemcpyKind kind,
                          aclrtStream stream) {
    EMU_ENTER("aclrtMemcpyAsync");
    return emu::copy_async("aclrtMemcpyAsync", {dst, src, count, count, count, 1}, destMax, kind, stream);
}

aclError aclrtMemcpy2d(void* dst, size_t dpitch, const void* src, size_t spitch, size_t width, size_t height,
                       aclrtMemcpyKind kind) {
    EMU_ENTER("aclrtMemcpy2d");
    return emu::copy("aclrtMemcpy2d", {dst, src, dpitch, spitch, width, height}, dpitch, kind);
}

aclError aclrtMemcpy2dAsync(void* dst, size_t dpitch, const void* src, size_t spitch, size_t width, size_t height,
                            aclrtMemcpyKind kind, aclrtStream stream) {
    EMU_ENTER("aclrtMemcpy2dAsync");
    return emu::copy_async("aclrtMemcpy2dAsync", {dst, src, dpitch, spitch, width, height}, dpitch, kind, stream);
}

aclError aclrtMemset(void* devPtr, size_t maxCount, int32_t value, size_t count) {
    EMU_ENTER("aclrtMemset");
    return emu::fill(devPtr, maxCount, value, count);
}

aclError aclrtMemsetAsync(void* devPtr, size_t maxCount, int32_t value, size_t count, aclrtStream stream) {
    EMU_ENTER("aclrtMemsetAsync");
    return emu::fill_async(devPtr, maxCount, value, count, stream);
}

}  // extern "C"
