// Streams, events and captures.
#include "driver/stream.h"

#include <utility>

#include "entry.h"

using namespace weft::driver;

namespace {

std::shared_ptr<Event> find_event(const void *handle, const Entered &e) {
    auto event = world().events.find(handle, e.function);
    if (event && event->context != e.context) {
        fault("wrong-context", std::string(e.function) + ": the event belongs to another context");
        return nullptr;
    }
    return event;
}

int create(void **out, unsigned flags, const Entered &e) {
    if (flags != 1) {  // non-blocking; the emulator has no default stream to wait for
        fault("default-stream", std::string(e.function) + ": a stream that waits for the default stream");
        return INVALID_VALUE;
    }
    static uint64_t streams = 0;
    auto stream = std::make_shared<Stream>();
    stream->context = e.context;
    stream->number = streams++;
    *out = world().streams.add(stream);
    return SUCCESS;
}

/** A capturing stream has no work whose end could be asked for; asking invalidates its capture. */
bool is_capturing(const Stream &stream) {
    if (stream.capture) {
        stream.capture->valid = false;
    }
    return stream.capture != nullptr;
}

}  // namespace

WEFT_DRIVER cuStreamCreate(void **out, unsigned flags) {
    return call("cuStreamCreate", CONTEXT, [&](Entered &e) -> int { return create(out, flags, e); });
}

WEFT_DRIVER cuStreamCreateWithPriority(void **out, unsigned flags, int) {
    return call("cuStreamCreateWithPriority", CONTEXT, [&](Entered &e) -> int { return create(out, flags, e); });
}

WEFT_DRIVER cuStreamDestroy_v2(void *handle) {
    return call("cuStreamDestroy_v2", CONTEXT, [&](Entered &e) -> int {
        auto stream = find_stream(handle, e);
        if (!stream) {
            return INVALID_HANDLE;
        }
        if (is_capturing(*stream)) {
            fault("capture-unfinished", "cuStreamDestroy_v2 of a stream that captures");
            return STREAM_CAPTURE_UNSUPPORTED;
        }
        stream->stop();  // after the work it has
        world().streams.take(handle, e.function);
        return SUCCESS;
    });
}

WEFT_DRIVER cuStreamSynchronize(void *handle) {
    return call("cuStreamSynchronize", CONTEXT | NO_CAPTURE, [&](Entered &e) -> int {
        auto stream = find_stream(handle, e);
        if (!stream) {
            return INVALID_HANDLE;
        }
        if (is_capturing(*stream)) {
            return STREAM_CAPTURE_UNSUPPORTED;
        }
        stream->wait_until_idle(e.lock);
        return e.context->error;
    });
}

WEFT_DRIVER cuStreamQuery(void *handle) {
    return call("cuStreamQuery", CONTEXT | NO_CAPTURE, [&](Entered &e) -> int {
        auto stream = find_stream(handle, e);
        if (!stream) {
            return INVALID_HANDLE;
        }
        if (is_capturing(*stream)) {
            return STREAM_CAPTURE_UNSUPPORTED;
        }
        return stream->is_idle() ? SUCCESS : NOT_READY;
    });
}

WEFT_DRIVER cuStreamWaitEvent(void *handle, void *event_handle, unsigned flags) {
    return call("cuStreamWaitEvent", CONTEXT, [&](Entered &e) -> int {
        auto stream = find_stream(handle, e);
        auto event = world().events.find(event_handle, e.function);  // of any context
        if (!stream || !event) {
            return INVALID_HANDLE;
        }
        if (flags > 1) {
            return INVALID_VALUE;
        }
        if (event->capture) {
            return wait_captured(stream, *event);
        }
        if (stream->capture) {
            stream->capture->valid = false;
            return STREAM_CAPTURE_ISOLATION;
        }
        if (event->record) {
            stream->submit({nullptr, event->record, nullptr});
        }
        return SUCCESS;
    });
}

// ---- events

WEFT_DRIVER cuEventCreate(void **out, unsigned flags) {
    return call("cuEventCreate", CONTEXT, [&](Entered &e) -> int {
        constexpr unsigned no_timing = 2, known = 7;
        if (flags & ~known) {
            return INVALID_VALUE;
        }
        auto event = std::make_shared<Event>();
        event->context = e.context;
        event->timed = !(flags & no_timing);
        *out = world().events.add(event);
        return SUCCESS;
    });
}

WEFT_DRIVER cuEventDestroy_v2(void *handle) {
    return call("cuEventDestroy_v2", CONTEXT, [&](Entered &e) -> int {
        return find_event(handle, e) && world().events.take(handle, e.function) ? SUCCESS : INVALID_HANDLE;
    });
}

WEFT_DRIVER cuEventRecord(void *handle, void *stream_handle) {
    return call("cuEventRecord", CONTEXT, [&](Entered &e) -> int {
        auto stream = find_stream(stream_handle, e);
        auto event = find_event(handle, e);
        if (!stream || !event) {
            return INVALID_HANDLE;
        }
        if (stream->capture) {
            record_captured(*stream, *event);
            return SUCCESS;
        }
        event->capture.reset();
        event->record = std::make_shared<Record>();
        stream->submit({nullptr, nullptr, event->record});
        return SUCCESS;
    });
}

WEFT_DRIVER cuEventQuery(void *handle) {
    return call("cuEventQuery", CONTEXT | NO_CAPTURE, [&](Entered &e) -> int {
        auto event = find_event(handle, e);
        if (!event) {
            return INVALID_HANDLE;
        }
        if (event->capture) {
            event->capture->valid = false;
            return CAPTURED_EVENT;
        }
        return !event->record || event->record->complete ? SUCCESS : NOT_READY;
    });
}

WEFT_DRIVER cuEventSynchronize(void *handle) {
    return call("cuEventSynchronize", CONTEXT | NO_CAPTURE, [&](Entered &e) -> int {
        auto event = find_event(handle, e);
        if (!event) {
            return INVALID_HANDLE;
        }
        if (event->capture) {
            event->capture->valid = false;
            return CAPTURED_EVENT;
        }
        if (auto record = event->record) {
            world().changed.wait(e.lock, [&] { return record->complete; });
        }
        return e.context->error;
    });
}

namespace {

int elapsed(const char *function, float *milliseconds, void *from, void *to) {
    return call(function, CONTEXT, [&](Entered &e) -> int {
        auto first = find_event(from, e), second = find_event(to, e);
        if (!first || !second || !first->timed || !second->timed || !first->record || !second->record) {
            return INVALID_HANDLE;
        }
        if (!first->record->complete || !second->record->complete) {
            return NOT_READY;
        }
        *milliseconds = std::chrono::duration<float, std::milli>(second->record->when - first->record->when).count();
        return SUCCESS;
    });
}

}  // namespace

WEFT_DRIVER cuEventElapsedTime(float *milliseconds, void *from, void *to) {
    return elapsed("cuEventElapsedTime", milliseconds, from, to);
}

WEFT_DRIVER cuEventElapsedTime_v2(float *milliseconds, void *from, void *to) {
    return elapsed("cuEventElapsedTime_v2", milliseconds, from, to);
}

WEFT_DRIVER cuLaunchHostFunc(void *stream, void (*function)(void *), void *argument) {
    return call("cuLaunchHostFunc", CONTEXT, [&](Entered &e) -> int {
        if (function == nullptr) {
            return INVALID_VALUE;
        }
        Work work = [=] {
            function(argument);
            return 0;
        };
        return submit(stream, e, {NodeType::HOST, std::move(work), {}});
    });
}

// ---- captures

WEFT_DRIVER cuStreamBeginCapture_v2(void *handle, int mode) {
    return call("cuStreamBeginCapture_v2", CONTEXT, [&](Entered &e) -> int {
        auto stream = find_stream(handle, e);
        if (!stream) {
            return INVALID_HANDLE;
        }
        return mode < 0 || mode > 2 ? INVALID_VALUE : begin_capture(stream, static_cast<CaptureMode>(mode));
    });
}

WEFT_DRIVER cuStreamEndCapture(void *handle, void **out) {
    return call("cuStreamEndCapture", CONTEXT, [&](Entered &e) -> int {
        auto stream = find_stream(handle, e);
        if (!stream) {
            return INVALID_HANDLE;
        }
        return end_capture(stream, *out);
    });
}

WEFT_DRIVER cuStreamGetCaptureInfo_v2(void *handle, int *status, unsigned long long *, void **graph, const void **, size_t *) {
    return call("cuStreamGetCaptureInfo_v2", CONTEXT, [&](Entered &e) -> int {
        auto stream = find_stream(handle, e);
        if (!stream) {
            return INVALID_HANDLE;
        }
        *status = !stream->capture ? 0 : stream->capture->valid ? 1 : 2;
        if (*status == 1 && graph != nullptr) {
            Capture &capture = *stream->capture;
            capture.handle = capture.handle != nullptr ? capture.handle : world().graphs.add(capture.graph);
            *graph = capture.handle;
        }
        return SUCCESS;
    });
}

WEFT_DRIVER cuStreamIsCapturing(void *handle, int *status) {
    return call("cuStreamIsCapturing", CONTEXT, [&](Entered &e) -> int {
        auto stream = find_stream(handle, e);
        if (!stream) {
            return INVALID_HANDLE;
        }
        *status = !stream->capture ? 0 : stream->capture->valid ? 1 : 2;
        return SUCCESS;
    });
}

WEFT_DRIVER cuThreadExchangeStreamCaptureMode(int *mode) {
    return call("cuThreadExchangeStreamCaptureMode", INITIALISED, [&](Entered &) -> int {
        if (*mode < 0 || *mode > 2) {
            return INVALID_VALUE;
        }
        *mode = static_cast<int>(std::exchange(thread_capture_mode(), static_cast<CaptureMode>(*mode)));
        return SUCCESS;
    });
}
