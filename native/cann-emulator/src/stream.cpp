#include "stream.h"

#include <sys/prctl.h>

#include <chrono>

#include "arguments.h"
#include "capture.h"
#include "event.h"

namespace emu {

namespace {

thread_local Stream* worker = nullptr;

void sleep_randomly(Stream& stream, Lock& lock) {
    uint32_t most = config().delay;
    if (most == 0) {
        return;
    }
    auto pause = std::chrono::microseconds(stream.random() % (most + 1));
    lock.unlock();
    std::this_thread::sleep_for(pause);
    lock.lock();
}

/** What the device would do with work on memory that is gone: the emulator fails the stream. */
bool touches_dead_memory(const Task& task) {
    for (const Access& a : task.accesses) {
        if (!is_live(a.range)) {
            fault(is_device(a.range.begin) ? "use-after-free" : "host-memory-freed",
                  task.label + " runs and touches " + describe(a.range));
            return true;
        }
    }
    return false;
}

void execute(const Task& task, Context& context, Lock& lock) {
    if (int code = task.work ? injected_failure("stream") : 0) {
        poison(context, code, task.label + ": failure injected by the test");
        return;
    }
    if (touches_dead_memory(task)) {
        poison(context, ACL_ERROR_RT_AICORE_EXCEPTION, task.label + ": access to memory that is not allocated");
        return;
    }
    if (!task.run) {
        return;
    }
    std::string failure;
    int code = 0;
    lock.unlock();
    try {
        task.run();
    } catch (const DeviceException& e) {
        code = e.code;
        failure = e.message;
    } catch (const std::exception& e) {
        code = ACL_ERROR_RT_AICORE_EXCEPTION;
        failure = task.label + ": " + e.what();
        fault("operator-bug", failure);
    }
    lock.lock();
    if (code != 0) {
        poison(context, code, failure);
    }
}

void work(std::shared_ptr<Stream> stream) {
    World& w = world();
    worker = stream.get();
    prctl(PR_SET_TIMERSLACK, 1000UL);
    Lock lock(w.mutex);
    while (true) {
        w.changed.wait(lock, [&] { return !stream->queue.empty() || stream->stopping; });
        if (stream->queue.empty()) {
            break;
        }
        Task task = std::move(stream->queue.front());
        stream->queue.pop_front();
        auto context = stream->context.lock();
        if (task.waits) {
            w.changed.wait(lock, [&] { return task.waits->complete || !context || context->error != 0; });
        }
        if (context && context->error == 0) {
            sleep_randomly(*stream, lock);
            if (task.calls_host) {
                // whatever the program does once the function tells it to, it does after this stream's work
                join(w.host, task.records->clock);
            }
            execute(task, *context, lock);
        }
        if (task.records) {
            task.records->complete = true;
            task.records->when = std::chrono::steady_clock::now();
        }
        stream->completed++;
        w.changed.notify_all();
    }
    stream->stopped = true;
    w.changed.notify_all();
}

}  // namespace

bool on_worker() {
    return worker != nullptr;
}

int worker_device() {
    return worker != nullptr ? worker->device : -1;
}

std::mt19937_64& worker_random() {
    static thread_local std::mt19937_64 fallback(config().seed);
    return worker != nullptr ? worker->random : fallback;
}

std::shared_ptr<Stream> make_stream(const std::shared_ptr<Context>& context, uint32_t flags, bool is_default) {
    World& w = world();
    auto stream = std::make_shared<Stream>();
    stream->actor = w.actors++;
    stream->id = static_cast<int>(stream->actor);
    stream->flags = flags;
    stream->is_default = is_default;
    stream->context = context;
    stream->device = context->device;
    stream->random.seed(config().seed * 1000003 + stream->actor);
    stream->handle = w.streams.add(stream);
    return stream;
}

int find_stream(const void* handle, const char* function, std::shared_ptr<Stream>& stream) {
    World& w = world();
    auto context = current_context(function);
    if (context == nullptr) {
        return ACL_ERROR_RT_CONTEXT_NULL;
    }
    stream = handle == nullptr ? context->default_stream : w.streams.find(handle);
    if (stream == nullptr) {
        fault(w.streams.why(handle), std::string(function) + " with " + describe_handle(handle) + " as stream");
        return fail(ACL_ERROR_RT_INVALID_HANDLE, std::string(function) + ": no such stream");
    }
    if (stream->context.lock() != context) {
        return fail(ACL_ERROR_RT_STREAM_CONTEXT, std::string(function) + ": stream " + std::to_string(stream->id) +
                                                     " belongs to another context than this thread's current one");
    }
    return 0;
}

int submit(const std::shared_ptr<Stream>& stream, Task task) {
    World& w = world();
    auto context = stream->context.lock();
    if (int code = sticky(*context)) {
        return code;
    }
    if (stream->capture) {
        return capture_task(stream, std::move(task));
    }
    join(stream->clock, w.host);
    if (task.waits) {
        join(stream->clock, task.waits->clock);
    }
    Epoch step = tick(stream->clock, stream->actor);
    std::string race = w.races.check(task.accesses, step, stream->clock, task.label);
    if (!race.empty()) {
        fault("race", race);
    }
    if (task.calls_host && !task.records) {
        task.records = std::make_shared<EventState>();
    }
    if (task.records) {
        task.records->clock = stream->clock;
    }
    stream->queue.push_back(std::move(task));
    stream->submitted++;
    if (!stream->started) {
        stream->started = true;
        std::thread(work, stream).detach();
    }
    w.changed.notify_all();
    return 0;
}

int synchronize(const std::shared_ptr<Stream>& stream, Lock& lock, int timeout_ms) {
    World& w = world();
    if (stream->flags & (ACL_STREAM_PERSISTENT | ACL_STREAM_DEVICE_USE_ONLY | ACL_STREAM_CPU_SCHEDULE)) {
        return 0;  // runtime docs aclrtSynchronizeStream: returns without waiting
    }
    uint64_t target = stream->submitted;
    Clock clock = stream->clock;
    auto over = [&] { return stream->completed >= target; };
    if (timeout_ms < 0) {
        w.changed.wait(lock, over);
    } else if (!w.changed.wait_for(lock, std::chrono::milliseconds(timeout_ms), over)) {
        return fail(ACL_ERROR_RT_STREAM_SYNC_TIMEOUT, "stream " + std::to_string(stream->id) + " is not idle after " +
                                                          std::to_string(timeout_ms) + " ms");
    }
    join(w.host, clock);
    auto context = stream->context.lock();
    return context ? sticky(*context) : 0;
}

void stop(const std::shared_ptr<Stream>& stream, Lock& lock) {
    World& w = world();
    stream->stopping = true;
    w.changed.notify_all();
    if (stream->started) {
        w.changed.wait(lock, [&] { return stream->stopped; });
    }
}

int destroy_stream(const void* handle, bool force, Lock& lock) {
    std::shared_ptr<Stream> stream;
    if (handle == nullptr) {
        return fail(ACL_ERROR_RT_PARAM_INVALID, "aclrtDestroyStream: the default stream cannot be destroyed");
    }
    if (int code = find_stream(handle, "aclrtDestroyStream", stream)) {
        return code;
    }
    if (stream->capture) {
        fault("capture-unfinished", "aclrtDestroyStream of stream " + std::to_string(stream->id) + " while it captures");
        invalidate(stream->capture, "a captured stream was destroyed");
    }
    if (!force && !stream->idle()) {
        fault("destroy-with-pending-work", "aclrtDestroyStream of stream " + std::to_string(stream->id) +
                                               " before its work is done; synchronize it first");
    }
    stop(stream, lock);
    world().streams.take(handle);
    return 0;
}

}  // namespace emu
