#include "event.h"

#include "capture.h"
#include "stream.h"

namespace emu {

namespace {

std::shared_ptr<Event> find_event(const void* handle, const char* function, int& code) {
    World& w = world();
    auto event = w.events.find(handle);
    code = 0;
    if (event == nullptr) {
        fault(w.events.why(handle), std::string(function) + " with " + describe_handle(handle) + " as event");
        code = fail(ACL_ERROR_RT_INVALID_HANDLE, std::string(function) + ": no such event");
    }
    return event;
}

/** 107028, and an invalid capture, when the event was last recorded by a capturing stream. */
int forbid_captured_event(const Event& event, const char* function) {
    if (event.state == nullptr || event.state->capture == nullptr) {
        return 0;
    }
    invalidate(event.state->capture, std::string(function) + " on an event recorded inside the capture");
    return fail(ACL_ERROR_RT_EVENT_CAPTURED, std::string(function) +
                ": the event was recorded inside a capture and means "
                                                                     "nothing outside");
}

bool capturing(const std::shared_ptr<Capture>& capture) {
    for (const auto& active : world().captures) {
        if (active == capture) {
            return true;
        }
    }
    return false;
}

int wait_in_capture(const std::shared_ptr<Stream>& stream, const Event& event) {
    if (stream->capture == event.state->capture) {
        join(stream->capture_clock, event.state->clock);
        return 0;
    }
    invalidate(stream->capture, "a captured stream waits for an event from outside the capture");
    return fail(ACL_ERROR_RT_CAPTURE_DEPENDENCY,
                "aclrtStreamWaitEvent: the event was not recorded inside this capture");
}

/** An ordinary stream that waits for a captured event joins the capture. */
int join_capture(const std::shared_ptr<Stream>& stream, const Event& event) {
    if (!capturing(event.state->capture)) {
        return fail(ACL_ERROR_RT_EVENT_CAPTURED,
                    "aclrtStreamWaitEvent: the event was recorded inside a capture that has ended");
    }
    if (stream->is_default) {
        invalidate(event.state->capture, "the default stream cannot join a capture");
        return fail(ACL_ERROR_STREAM_CAPTURE_IMPLICIT,
                    "aclrtStreamWaitEvent: the default stream cannot join a capture");
    }
    stream->capture = event.state->capture;
    stream->capture_clock = event.state->clock;
    stream->capture->streams.push_back(stream);
    return 0;
}

}  // namespace

int create_event(void** event, uint32_t flags, bool extended, const char* function) {
    World& w = world();
    Lock lock(w.mutex);
    if (event == nullptr) {
        return fail(ACL_ERROR_INVALID_PARAM, std::string(function) + ": event is NULL");
    }
    if (current_context(function) == nullptr) {
        return ACL_ERROR_RT_CONTEXT_NULL;
    }
    if (w.events.size() >= most_events) {
        return fail(ACL_ERROR_RT_NO_EVENT_RESOURCE, std::string(function) + ": no more than " +
                    std::to_string(most_events) + " events");
    }
    auto made = std::make_shared<Event>();
    made->flags = flags;
    made->extended = extended;
    static uint32_t ids = 0;
    made->id = ids++;
    *event = made->handle = w.events.add(made);
    return 0;
}

int destroy_event(void* event) {
    World& w = world();
    Lock lock(w.mutex);
    int code;
    auto found = find_event(event, "aclrtDestroyEvent", code);
    if (found != nullptr) {
        w.events.take(event);
    }
    return code;
}

int record_event(void* event, void* stream) {
    World& w = world();
    Lock lock(w.mutex);
    int code;
    auto found = find_event(event, "aclrtRecordEvent", code);
    std::shared_ptr<Stream> on;
    if (code || (code = find_stream(stream, "aclrtRecordEvent", on))) {
        return code;
    }
    auto state = std::make_shared<EventState>();
    found->state = state;
    if (on->capture) {
        state->capture = on->capture;
        tick(on->capture_clock, on->actor);
        state->clock = on->capture_clock;
        return 0;
    }
    return submit(on, {"aclrtRecordEvent", {}, {}, nullptr, state, false, false});
}

int wait_event(void* stream, void* event, const char* function) {
    World& w = world();
    Lock lock(w.mutex);
    int code;
    auto found = find_event(event, function, code);
    std::shared_ptr<Stream> on;
    if (code || (code = find_stream(stream, function, on))) {
        return code;
    }
    if (!(found->flags & ACL_EVENT_SYNC)) {
        return fail(ACL_ERROR_RT_PARAM_INVALID, std::string(function) +
                    ": the event was created without ACL_EVENT_SYNC");
    }
    if (found->state == nullptr) {
        return 0;  // never recorded: nothing to wait for
    }
    if (on->capture) {
        return wait_in_capture(on, *found);
    }
    if (found->state->capture) {
        return join_capture(on, *found);
    }
    return submit(on, {function, {}, {}, found->state, nullptr, false, false});
}

int synchronize_event(void* event, int timeout_ms, const char* function) {
    World& w = world();
    Lock lock(w.mutex);
    int code;
    auto found = find_event(event, function, code);
    if (code) {
        return code;
    }
    auto context = current_context(function);
    if (context == nullptr) {
        return ACL_ERROR_RT_CONTEXT_NULL;
    }
    if ((code = forbid_captured_event(*found, function)) || found->state == nullptr) {
        return code;
    }
    auto state = found->state;
    auto over = [&] { return state->complete; };
    if (timeout_ms < 0) {
        w.changed.wait(lock, over);
    } else if (!w.changed.wait_for(lock, std::chrono::milliseconds(timeout_ms), over)) {
        return fail(ACL_ERROR_RT_STREAM_SYNC_TIMEOUT, std::string(function) + ": not complete after " +
                                                          std::to_string(timeout_ms) + " ms");
    }
    join(w.host, state->clock);
    return sticky(*context);
}

int query_event(void* event, bool& complete) {
    World& w = world();
    Lock lock(w.mutex);
    int code;
    auto found = find_event(event, "aclrtQueryEventStatus", code);
    if (code || (code = forbid_captured_event(*found, "aclrtQueryEventStatus"))) {
        return code;
    }
    complete = found->state == nullptr || found->state->complete;
    if (complete && found->state != nullptr) {
        join(w.host, found->state->clock);
    }
    return 0;
}

int elapsed(float* ms, void* start, void* end) {
    World& w = world();
    Lock lock(w.mutex);
    const Event* events[2];
    void* handles[2] = {start, end};
    for (int i = 0; i < 2; i++) {
        int code;
        auto found = find_event(handles[i], "aclrtEventElapsedTime", code);
        if (code || (code = forbid_captured_event(*found, "aclrtEventElapsedTime"))) {
            return code;
        }
        if (!(found->flags & ACL_EVENT_TIME_LINE)) {
            return fail(ACL_ERROR_RT_PARAM_INVALID,
                        "aclrtEventElapsedTime: an event was created without ACL_EVENT_TIME_LINE");
        }
        if (found->state == nullptr || !found->state->complete) {
            return fail(ACL_ERROR_RT_PARAM_INVALID, "aclrtEventElapsedTime: an event is not recorded or not complete");
        }
        events[i] = found.get();
    }
    *ms = std::chrono::duration<float, std::milli>(events[1]->state->when - events[0]->state->when).count();
    return 0;
}

int reset_event(void* event, void* stream) {
    World& w = world();
    Lock lock(w.mutex);
    int code;
    auto found = find_event(event, "aclrtResetEvent", code);
    std::shared_ptr<Stream> on;
    if (code || (code = find_stream(stream, "aclrtResetEvent", on))) {
        return code;
    }
    if (found->extended) {
        return fail(ACL_ERROR_RT_FEATURE_NOT_SUPPORT, "aclrtResetEvent: not for events of aclrtCreateEventExWithFlag");
    }
    found->state = nullptr;
    return 0;
}

}  // namespace emu
