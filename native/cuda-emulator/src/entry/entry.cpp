#include "entry.h"

namespace weft::driver {

int enter(Entered &entered, unsigned needs) {
    std::string name = entered.function;
    if (settings().stub) {
        return STUB_LIBRARY;
    }
    for (const std::string &point : {name, name.substr(0, name.find("_v"))}) {
        if (int code = injected_failure(point)) {
            return code;
        }
        if (name.find("_v") == std::string::npos) {
            break;
        }
    }
    entered.lock = Lock(world().mutex);
    if ((needs & (INITIALISED | CONTEXT)) && !world().initialised) {
        return NOT_INITIALIZED;
    }
    if (needs & CONTEXT) {
        if (current_handle() == nullptr) {
            return INVALID_CONTEXT;
        }
        entered.context = world().contexts.find(current_handle(), entered.function);
        if (!entered.context) {
            return INVALID_CONTEXT;
        }
        if (entered.context->error != 0) {
            return entered.context->error;
        }
    }
    return needs & NO_CAPTURE ? forbid_during_capture() : SUCCESS;
}

std::shared_ptr<Stream> find_stream(const void *handle, const Entered &entered) {
    if (handle == nullptr) {
        fault("default-stream", std::string(entered.function) + ": the emulator has no default stream");
        return nullptr;
    }
    auto stream = world().streams.find(handle, entered.function);
    if (stream && stream->context != entered.context) {
        fault("wrong-context", std::string(entered.function) + ": the stream belongs to another context");
        return nullptr;
    }
    return stream;
}

std::shared_ptr<Pool> find_pool(const void *handle, const char *function) {
    const auto &defaults = world().default_pools.all();
    auto found = defaults.find(handle);
    return found != defaults.end() ? found->second : world().pools.find(handle, function);
}

int submit(const void *handle, const Entered &entered, Node node) {
    auto stream = find_stream(handle, entered);
    if (!stream) {
        return INVALID_HANDLE;
    }
    if (stream->capture) {
        return capture(*stream, std::move(node));
    }
    stream->submit({std::move(node.work), nullptr, nullptr});
    return SUCCESS;
}

}  // namespace weft::driver
