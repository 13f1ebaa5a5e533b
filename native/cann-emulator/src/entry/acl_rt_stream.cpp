// Streams, events, functions of the host on streams.
#include "acl/acl_rt.h"
#include "capture.h"
#include "event.h"
#include "stream.h"
#include "world.h"

using emu::Lock;
using emu::world;

namespace {

int create_stream(aclrtStream* stream, uint32_t flags, const char* function) {
    Lock lock(world().mutex);
    auto context = emu::current_context(function);
    if (context == nullptr) {
        return ACL_ERROR_RT_CONTEXT_NULL;
    }
    if (int code = emu::sticky(*context)) {
        return code;
    }
    size_t streams = 0;
    for (const auto& [handle, other] : world().streams.all()) {
        streams += other->device == context->device;
    }
    if (streams >= emu::most_streams) {
        return emu::fail(ACL_ERROR_RT_NO_STREAM_RESOURCE, std::string(function) + ": a device has no more than " +
                                                              std::to_string(emu::most_streams) + " streams");
    }
    *stream = emu::make_stream(context, flags, false)->handle;
    return ACL_SUCCESS;
}

int synchronize_stream(aclrtStream stream, int32_t timeout, const char* function) {
    Lock lock(world().mutex);
    std::shared_ptr<emu::Stream> found;
    int code = emu::find_stream(stream, function, found);
    if (code || (code = emu::forbid_captured(found, function))) {
        return code;
    }
    return emu::synchronize(found, lock, timeout);
}

int destroy_stream(aclrtStream stream, bool force) {
    Lock lock(world().mutex);
    return emu::destroy_stream(stream, force, lock);
}

int launch_host(aclrtStream stream, void (*fn)(void*), void* args, const char* function) {
    Lock lock(world().mutex);
    std::shared_ptr<emu::Stream> found;
    if (fn == nullptr) {
        return emu::fail(ACL_ERROR_INVALID_PARAM, std::string(function) + ": the function is NULL");
    }
    if (int code = emu::find_stream(stream, function, found)) {
        return code;
    }
    return emu::submit(found, {function, {}, [fn, args] { fn(args); }, nullptr, nullptr, true, true});
}

}  // namespace

extern "C" {

aclError aclrtCreateStream(aclrtStream* stream) {
    EMU_ENTER("aclrtCreateStream");
    return create_stream(stream, 0, "aclrtCreateStream");
}

aclError aclrtCreateStreamWithConfig(aclrtStream* stream, uint32_t, uint32_t flag) {
    EMU_ENTER("aclrtCreateStreamWithConfig");
    return create_stream(stream, flag, "aclrtCreateStreamWithConfig");
}

aclError aclrtDestroyStream(aclrtStream stream) {
    EMU_ENTER("aclrtDestroyStream");
    return destroy_stream(stream, false);
}

aclError aclrtDestroyStreamForce(aclrtStream stream) {
    EMU_ENTER("aclrtDestroyStreamForce");
    return destroy_stream(stream, true);
}

aclError aclrtSynchronizeStream(aclrtStream stream) {
    EMU_ENTER("aclrtSynchronizeStream");
    return synchronize_stream(stream, -1, "aclrtSynchronizeStream");
}

aclError aclrtSynchronizeStreamWithTimeout(aclrtStream stream, int32_t timeout) {
    EMU_ENTER("aclrtSynchronizeStreamWithTimeout");
    return synchronize_stream(stream, timeout, "aclrtSynchronizeStreamWithTimeout");
}

aclError aclrtStreamQuery(aclrtStream stream, aclrtStreamStatus* status) {
    EMU_ENTER("aclrtStreamQuery");
    Lock lock(world().mutex);
    std::shared_ptr<emu::Stream> found;
    int code = emu::find_stream(stream, "aclrtStreamQuery", found);
    if (code || (code = emu::forbid_captured(found, "aclrtStreamQuery"))) {
        return code;
    }
    *status = found->idle() ? ACL_STREAM_STATUS_COMPLETE : ACL_STREAM_STATUS_NOT_READY;
    if (found->idle()) {
        emu::join(world().host, found->clock);
    }
    return emu::sticky(*found->context.lock());
}

aclError aclrtStreamGetId(aclrtStream stream, int32_t* streamId) {
    EMU_ENTER("aclrtStreamGetId");
    Lock lock(world().mutex);
    std::shared_ptr<emu::Stream> found;
    if (int code = emu::find_stream(stream, "aclrtStreamGetId", found)) {
        return code;
    }
    *streamId = found->id;
    return ACL_SUCCESS;
}

aclError aclrtGetStreamAvailableNum(uint32_t* streamCount) {
    EMU_ENTER("aclrtGetStreamAvailableNum");
    Lock lock(world().mutex);
    *streamCount = static_cast<uint32_t>(emu::most_streams - std::min(emu::most_streams, world().streams.size()));
    return ACL_SUCCESS;
}

// ---- events

aclError aclrtCreateEvent(aclrtEvent* event) {
    EMU_ENTER("aclrtCreateEvent");
    return emu::create_event(event, ACL_EVENT_SYNC | ACL_EVENT_TIME_LINE, false, "aclrtCreateEvent");
}

aclError aclrtCreateEventWithFlag(aclrtEvent* event, uint32_t flag) {
    EMU_ENTER("aclrtCreateEventWithFlag");
    return emu::create_event(event, flag, false, "aclrtCreateEventWithFlag");
}

aclError aclrtCreateEventExWithFlag(aclrtEvent* event, uint32_t flag) {
    EMU_ENTER("aclrtCreateEventExWithFlag");
    return emu::create_event(event, flag, true, "aclrtCreateEventExWithFlag");
}

aclError aclrtDestroyEvent(aclrtEvent event) {
    EMU_ENTER("aclrtDestroyEvent");
    return emu::destroy_event(event);
}

aclError aclrtRecordEvent(aclrtEvent event, aclrtStream stream) {
    EMU_ENTER("aclrtRecordEvent");
    return emu::record_event(event, stream);
}

aclError aclrtResetEvent(aclrtEvent event, aclrtStream stream) {
    EMU_ENTER("aclrtResetEvent");
    return emu::reset_event(event, stream);
}

aclError aclrtStreamWaitEvent(aclrtStream stream, aclrtEvent event) {
    EMU_ENTER("aclrtStreamWaitEvent");
    return emu::wait_event(stream, event, "aclrtStreamWaitEvent");
}

aclError aclrtStreamWaitEventWithTimeout(aclrtStream stream, aclrtEvent event, int32_t) {
    EMU_ENTER("aclrtStreamWaitEventWithTimeout");
    return emu::wait_event(stream, event, "aclrtStreamWaitEventWithTimeout");
}

aclError aclrtQueryEventStatus(aclrtEvent event, aclrtEventRecordedStatus* status) {
    EMU_ENTER("aclrtQueryEventStatus");
    bool complete = false;
    int code = emu::query_event(event, complete);
    *status = complete ? ACL_EVENT_RECORDED_STATUS_COMPLETE : ACL_EVENT_RECORDED_STATUS_NOT_READY;
    return code;
}

aclError aclrtSynchronizeEvent(aclrtEvent event) {
    EMU_ENTER("aclrtSynchronizeEvent");
    return emu::synchronize_event(event, -1, "aclrtSynchronizeEvent");
}

aclError aclrtSynchronizeEventWithTimeout(aclrtEvent event, int32_t timeout) {
    EMU_ENTER("aclrtSynchronizeEventWithTimeout");
    return emu::synchronize_event(event, timeout, "aclrtSynchronizeEventWithTimeout");
}

aclError aclrtEventElapsedTime(float* ms, aclrtEvent startEvent, aclrtEvent endEvent) {
    EMU_ENTER("aclrtEventElapsedTime");
    return emu::elapsed(ms, startEvent, endEvent);
}

aclError aclrtGetEventId(aclrtEvent event, uint32_t* eventId) {
    EMU_ENTER("aclrtGetEventId");
    Lock lock(world().mutex);
    auto found = world().events.find(event);
    if (found == nullptr) {
        emu::fault(world().events.why(event), "aclrtGetEventId with " + emu::describe_handle(event));
        return emu::fail(ACL_ERROR_RT_INVALID_HANDLE, "aclrtGetEventId: no such event");
    }
    *eventId = found->id;
    return ACL_SUCCESS;
}

// ---- host functions

aclError aclrtLaunchHostFunc(aclrtStream stream, aclrtHostFunc fn, void* args) {
    EMU_ENTER("aclrtLaunchHostFunc");
    return launch_host(stream, fn, args, "aclrtLaunchHostFunc");
}

}  // extern "C"
