// Devices and contexts. A context is current for one OS thread.
#include "acl/acl_rt.h"
#include "capture.h"
#include "stream.h"
#include "world.h"

using emu::Lock;
using emu::world;

extern "C" {

aclError aclrtSetDevice(int32_t deviceId) {
    EMU_ENTER("aclrtSetDevice");
    return emu::set_device(deviceId);
}

aclError aclrtResetDevice(int32_t deviceId) {
    EMU_ENTER("aclrtResetDevice");
    return emu::reset_device(deviceId, false);
}

aclError aclrtResetDeviceForce(int32_t deviceId) {
    EMU_ENTER("aclrtResetDeviceForce");
    return emu::reset_device(deviceId, true);
}

aclError aclrtGetDevice(int32_t* deviceId) {
    EMU_ENTER("aclrtGetDevice");
    Lock lock(world().mutex);
    auto context = emu::current_context("aclrtGetDevice");
    if (context == nullptr) {
        return ACL_ERROR_RT_CONTEXT_NULL;
    }
    *deviceId = context->device;
    return ACL_SUCCESS;
}

aclError aclrtCreateContext(aclrtContext* context, int32_t deviceId) {
    EMU_ENTER("aclrtCreateContext");
    Lock lock(world().mutex);
    if (deviceId < 0 || deviceId >= static_cast<int32_t>(world().devices.size())) {
        return emu::fail(ACL_ERROR_RT_INVALID_DEVICEID, "aclrtCreateContext: no device " + std::to_string(deviceId));
    }
    auto made = emu::make_context(deviceId, false);
    emu::make_current(made);
    *context = made->handle;
    return ACL_SUCCESS;
}

aclError aclrtDestroyContext(aclrtContext context) {
    EMU_ENTER("aclrtDestroyContext");
    return emu::destroy_context(context);
}

aclError aclrtSetCurrentContext(aclrtContext context) {
    EMU_ENTER("aclrtSetCurrentContext");
    Lock lock(world().mutex);
    auto found = world().contexts.find(context);
    if (found == nullptr) {
        emu::fault(world().contexts.why(context), "aclrtSetCurrentContext with " + emu::describe_handle(context));
        return emu::fail(ACL_ERROR_RT_INVALID_HANDLE, "aclrtSetCurrentContext: no such context");
    }
    emu::make_current(found);
    return ACL_SUCCESS;
}

aclError aclrtGetCurrentContext(aclrtContext* context) {
    EMU_ENTER("aclrtGetCurrentContext");
    Lock lock(world().mutex);
    auto current = emu::current_context("aclrtGetCurrentContext");
    if (current == nullptr) {
        return ACL_ERROR_RT_CONTEXT_NULL;
    }
    *context = current->handle;
    return ACL_SUCCESS;
}

aclError aclrtCtxGetCurrentDefaultStream(aclrtStream* stream) {
    EMU_ENTER("aclrtCtxGetCurrentDefaultStream");
    Lock lock(world().mutex);
    auto current = emu::current_context("aclrtCtxGetCurrentDefaultStream");
    if (current == nullptr) {
        return ACL_ERROR_RT_CONTEXT_NULL;
    }
    *stream = current->default_stream->handle;
    return ACL_SUCCESS;
}

aclError aclrtSynchronizeDeviceWithTimeout(int32_t timeout) {
    EMU_ENTER("aclrtSynchronizeDevice");
    Lock lock(world().mutex);
    auto current = emu::current_context("aclrtSynchronizeDevice");
    if (current == nullptr) {
        return ACL_ERROR_RT_CONTEXT_NULL;
    }
    if (int code = emu::forbid_captured_context(current, "aclrtSynchronizeDevice")) {
        return code;
    }
    std::vector<std::shared_ptr<emu::Stream>> streams;
    for (const auto& [handle, stream] : world().streams.all()) {
        if (stream->device == current->device) {
            streams.push_back(stream);
        }
    }
    for (const auto& stream : streams) {
        if (int code = emu::synchronize(stream, lock, timeout)) {
            return code;
        }
    }
    return ACL_SUCCESS;
}

aclError aclrtSynchronizeDevice(void) {
    return aclrtSynchronizeDeviceWithTimeout(-1);
}

aclError aclrtDeviceCanAccessPeer(int32_t* canAccessPeer, int32_t deviceId, int32_t peerDeviceId) {
    EMU_ENTER("aclrtDeviceCanAccessPeer");
    int32_t devices = emu::config().devices;
    *canAccessPeer = deviceId != peerDeviceId && deviceId >= 0 && peerDeviceId >= 0 && deviceId < devices &&
        peerDeviceId < devices;
    return ACL_SUCCESS;
}

aclError aclrtDeviceEnablePeerAccess(int32_t peerDeviceId, uint32_t) {
    EMU_ENTER("aclrtDeviceEnablePeerAccess");
    Lock lock(world().mutex);
    auto current = emu::current_context("aclrtDeviceEnablePeerAccess");
    if (current == nullptr) {
        return ACL_ERROR_RT_CONTEXT_NULL;
    }
    if (peerDeviceId < 0 || peerDeviceId >= emu::config().devices || peerDeviceId == current->device) {
        return emu::fail(ACL_ERROR_RT_INVALID_DEVICEID, "aclrtDeviceEnablePeerAccess: no peer " +
                         std::to_string(peerDeviceId));
    }
    world().devices[static_cast<size_t>(current->device)].peers.insert(peerDeviceId);
    return ACL_SUCCESS;
}

aclError aclrtDeviceDisablePeerAccess(int32_t peerDeviceId) {
    EMU_ENTER("aclrtDeviceDisablePeerAccess");
    Lock lock(world().mutex);
    auto current = emu::current_context("aclrtDeviceDisablePeerAccess");
    if (current == nullptr) {
        return ACL_ERROR_RT_CONTEXT_NULL;
    }
    world().devices[static_cast<size_t>(current->device)].peers.erase(peerDeviceId);
    return ACL_SUCCESS;
}

}  // extern "C"
