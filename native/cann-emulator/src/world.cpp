#include "world.h"

#include "capture.h"
#include "event.h"
#include "executor.h"
#include "collective.h"
#include "meta.h"
#include "stream.h"

namespace emu {

World& world() {
    static World* w = new World();  // never destroyed: worker threads may outlive main
    return *w;
}

namespace {

thread_local std::weak_ptr<Context> current;
thread_local uint64_t current_generation = 0;

}  // namespace

int init() {
    World& w = world();
    Lock lock(w.mutex);
    if (w.ready) {
        return fail(ACL_ERROR_REPEAT_INITIALIZE, "aclInit: already initialised");
    }
    start_configuration();
    w.ready = true;
    w.generation++;
    w.devices = std::vector<Device>(static_cast<size_t>(config().devices));
    w.races.clear();
    w.host.clear();
    w.actors = 1;
    w.threads = 0;
    w.first_phases = 0;
    w.second_phases = 0;
    log("WEFT EMULATOR, no Ascend hardware: " + config().soc_name + ", devices " + std::to_string(config().devices) +
        ", bytes a device " + std::to_string(config().memory) + ", seed " + std::to_string(config().seed));
    return 0;
}

int64_t count(const std::string& what) {
    World& w = world();
    Lock lock(w.mutex);
    if (what == "first phases") {
        return w.first_phases;
    }
    if (what == "second phases") {
        return w.second_phases;
    }
    size_t n = 0;
    if (what == "objects") {
        n = w.contexts.size() + w.streams.size() + w.events.size() + w.graphs.size() + w.tensors.size() +
            w.lists.size() + w.scalars.size() + w.scalar_lists.size() + w.integers.size() + w.floats.size() +
            w.booleans.size() + w.executors.size() + w.communicators.size();
    } else if (what == "device") {
        for (const auto& [begin, a] : allocations()) {
            n += a.size;
        }
    } else if (what == "pinned") {
        n = pinned_count();
    } else {
        return -1;
    }
    return static_cast<int64_t>(n);
}

namespace {

template <typename T>
void report_leaks(const Handles<T>& handles) {
    if (handles.size() > 0) {
        fault("leak", std::to_string(handles.size()) + " " + kind_name(handles.kind()) +
              " not destroyed at aclFinalize");
    }
}

void report_executors(World& w) {
    for (const auto& [handle, executor] : w.executors.all()) {
        if (executor->runs == 0) {
            fault("executor-leak", std::string(executor->arguments->signature->op) +
                                       ": phase 1 without phase 2, executor never released");
        } else {
            fault("leak", std::string("repeatable executor of ") + executor->arguments->signature->op +
                              " not destroyed at aclFinalize");
        }
    }
}

void report_memory() {
    uint64_t bytes = 0;
    for (const auto& [begin, a] : allocations()) {
        bytes += a.size;
    }
    if (bytes > 0) {
        fault("leak", std::to_string(allocations().size()) + " device allocations of together " +
              std::to_string(bytes) +
                          " bytes not freed at aclFinalize");
    }
    if (pinned_count() > 0) {
        fault("leak", std::to_string(pinned_count()) + " pinned host allocations not freed at aclFinalize");
    }
}

void report_explicit(World& w) {
    size_t streams = 0, contexts = 0;
    for (const auto& [handle, stream] : w.streams.all()) {
        streams += !stream->is_default;
        if (!stream->idle()) {
            fault("destroy-with-pending-work", "aclFinalize while stream " + std::to_string(stream->id) + " has work");
        }
    }
    for (const auto& [handle, context] : w.contexts.all()) {
        contexts += !context->primary;
    }
    if (streams > 0) {
        fault("leak", std::to_string(streams) + " aclrtStream not destroyed at aclFinalize");
    }
    if (contexts > 0) {
        fault("leak", std::to_string(contexts) + " aclrtContext not destroyed at aclFinalize");
    }
}

}  // namespace

int finalize() {
    World& w = world();
    Lock lock(w.mutex);
    if (!w.ready) {
        return fail(ACL_ERROR_UNINITIALIZE, "aclFinalize without aclInit");
    }
    for (const auto& capture : w.captures) {
        fault("capture-unfinished", "aclFinalize while stream " + std::to_string(capture->origin->id) + " captures");
    }
    report_explicit(w);
    report_leaks(w.events);
    report_leaks(w.graphs);
    report_leaks(w.tensors);
    report_leaks(w.lists);
    report_leaks(w.scalars);
    report_leaks(w.scalar_lists);
    report_leaks(w.integers);
    report_leaks(w.floats);
    report_leaks(w.booleans);
    report_leaks(w.communicators);
    report_executors(w);
    report_memory();
    if (!w.single_source_ops.empty()) {
        log(std::to_string(w.single_source_ops.size()) +
            " operators were used whose signature only one source confirms");
    }
    log(std::to_string(w.threads) + " host threads have called the runtime");
    end_communicators();
    std::vector<std::shared_ptr<Stream>> streams;
    for (const auto& [handle, stream] : w.streams.all()) {
        streams.push_back(stream);
    }
    for (const auto& stream : streams) {
        stream->capture = nullptr;
        stop(stream, lock);
    }
    w.ready = false;
    w.captures.clear();
    w.contexts.clear();
    w.streams.clear();
    w.events.clear();
    w.graphs.clear();
    w.tensors.clear();
    w.lists.clear();
    w.scalars.clear();
    w.scalar_lists.clear();
    w.integers.clear();
    w.floats.clear();
    w.booleans.clear();
    w.executors.clear();
    w.communicators.clear();
    w.options.clear();
    w.single_source_ops.clear();
    w.warm_ops.clear();
    w.devices.clear();
    release_all_devices();
    release_all_pinned();
    return 0;
}

int enter(const char* function) {
    thread_local uint64_t known_to = 0;
    expire_message();
    if (known_to != world().generation) {
        known_to = world().generation;
        world().threads++;
    }
    if (on_worker()) {
        fault("call-in-host-function", std::string(function) + " called from a function a stream runs");
        return fail(ACL_ERROR_RT_PARAM_INVALID, std::string(function) + " called from a host function");
    }
    if (!world().ready) {
        return fail(ACL_ERROR_UNINITIALIZE, std::string(function) + ": aclInit has not been called");
    }
    if (int code = injected_failure(function)) {
        return tell(code, std::string(function) + ": failure injected by the test");
    }
    return 0;
}

// ---- contexts

std::shared_ptr<Context> current_context_or_null() {
    World& w = world();
    auto context = current_generation == w.generation ? current.lock() : nullptr;
    return context != nullptr && w.contexts.find(context->handle) != nullptr ? context : nullptr;
}

std::shared_ptr<Context> current_context(const char* function) {
    auto context = current_context_or_null();
    if (context == nullptr) {
        fail(ACL_ERROR_RT_CONTEXT_NULL, std::string(function) +
             ": this thread has no current context; call aclrtSetDevice "
                                                                "or aclrtSetCurrentContext on it first");
    }
    return context;
}

void make_current(std::shared_ptr<Context> context) {
    current = context;
    current_generation = world().generation;
}

int sticky(const Context& context) {
    return context.error == 0 ? 0 : tell(context.error, context.error_message);
}

void poison(Context& context, int code, const std::string& message) {
    if (context.error == 0) {
        context.error = code;
        context.error_message = message;
        log("context of device " + std::to_string(context.device) + " is poisoned: " + message);
    }
}

std::shared_ptr<Context> make_context(int device, bool primary) {
    auto context = std::make_shared<Context>();
    context->device = device;
    context->primary = primary;
    context->handle = world().contexts.add(context);
    context->default_stream = make_stream(context, 0, true);
    return context;
}

namespace {

/** Ends a context; its explicit streams should be gone. Lock held. */
void end_context(const std::shared_ptr<Context>& context, const char* function, Lock& lock) {
    World& w = world();
    std::vector<std::shared_ptr<Stream>> streams;
    for (const auto& [handle, stream] : w.streams.all()) {
        if (stream->context.lock() == context) {
            streams.push_back(stream);
        }
    }
    for (const auto& stream : streams) {
        if (!stream->idle()) {
            fault("destroy-with-pending-work", std::string(function) + " while stream " + std::to_string(stream->id) +
                  " has work");
        }
        if (!stream->is_default) {
            fault("leak", std::string(function) + ": stream " + std::to_string(stream->id) +
                  " of the context not destroyed");
        }
        stop(stream, lock);
        w.streams.take(stream->handle);
    }
    w.contexts.take(context->handle);
}

}  // namespace

int set_device(int device) {
    World& w = world();
    Lock lock(w.mutex);
    if (device < 0 || device >= static_cast<int>(w.devices.size())) {
        return fail(ACL_ERROR_RT_INVALID_DEVICEID, "aclrtSetDevice: device " + std::to_string(device) + " of " +
                                                       std::to_string(w.devices.size()));
    }
    Device& d = w.devices[static_cast<size_t>(device)];
    d.references++;
    if (d.primary == nullptr) {
        d.primary = make_context(device, true);
    }
    make_current(d.primary);
    return 0;
}

int reset_device(int device, bool force) {
    World& w = world();
    Lock lock(w.mutex);
    if (device < 0 || device >= static_cast<int>(w.devices.size())) {
        return fail(ACL_ERROR_RT_INVALID_DEVICEID, "aclrtResetDevice: device " + std::to_string(device));
    }
    Device& d = w.devices[static_cast<size_t>(device)];
    if (d.references == 0) {
        return fail(ACL_ERROR_RT_CONTEXT_NULL, "aclrtResetDevice: device " + std::to_string(device) + " is not set");
    }
    d.references = force ? 0 : d.references - 1;
    if (d.references == 0) {
        auto primary = std::move(d.primary);
        d.primary = nullptr;
        end_context(primary, "aclrtResetDevice", lock);
    }
    return 0;
}

int destroy_context(const void* handle) {
    World& w = world();
    Lock lock(w.mutex);
    auto context = w.contexts.find(handle);
    if (context == nullptr) {
        fault(w.contexts.why(handle), "aclrtDestroyContext of " + describe_handle(handle));
        return fail(ACL_ERROR_RT_INVALID_HANDLE, "aclrtDestroyContext: no such context");
    }
    if (context->primary) {
        return fail(ACL_ERROR_RT_PARAM_INVALID, "aclrtDestroyContext: a default context goes with aclrtResetDevice");
    }
    end_context(context, "aclrtDestroyContext", lock);
    return 0;
}

void host_access(ByteRange range, bool write, const std::string& label, const char* rule) {
    World& w = world();
    Epoch step = tick(w.host, host_actor);
    std::string race = w.races.check({{range, write}}, step, w.host, label);
    if (!race.empty()) {
        fault(rule, race);
    }
}

}  // namespace emu
