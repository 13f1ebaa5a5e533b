#include "world.h"

#include "fault.h"
#include "graph.h"
#include "image.h"
#include "memory.h"
#include "stream.h"

namespace weft::driver {

World &world() {
    static World &it = *new World;
    return it;
}

void *fresh_handle() {
    static uint64_t last = 0x1000;  // stays below the addresses that Linux maps by itself
    return reinterpret_cast<void *>(last += 16);
}

void *&current_handle() {
    static thread_local void *handle = nullptr;
    return handle;
}

std::vector<void *> &context_stack() {
    static thread_local std::vector<void *> stack;
    return stack;
}

template <class T>
std::shared_ptr<T> Table<T>::find(const void *handle, const char *function) {
    auto found = objects_.find(handle);
    if (found != objects_.end()) {
        return found->second;
    }
    if (handle != nullptr) {
        fault(made_.count(handle) ? "use-after-destroy" : "invalid-handle",
              std::string(function) + ": no such " + kind_);
    }
    return nullptr;
}

template class Table<Context>;
template class Table<Stream>;
template class Table<Event>;
template class Table<Image>;
template class Table<Function>;
template class Table<Graph>;
template class Table<Executable>;
template class Table<Pool>;

namespace {

template <class T>
void note(std::string &leaks, const Table<T> &table) {
    if (!table.all().empty()) {
        leaks += (leaks.empty() ? "" : ", ") + std::to_string(table.all().size()) + " of kind " + table.kind();
    }
}

}  // namespace

void end_context(Device &device, Lock &lock) {
    World &w = world();
    int ordinal = device.context->device;
    for (auto &[handle, stream] : w.streams.all()) {
        if (stream->context == device.context) {
            stream->stop();
        }
    }
    w.changed.wait(lock, [&] {
        for (auto &[handle, stream] : w.streams.all()) {
            if (stream->context == device.context && !stream->is_idle()) {
                return false;
            }
        }
        return true;
    });
    std::string leaks = describe_allocations(ordinal);
    bool is_last = true;
    for (Device &other : w.devices) {
        is_last &= &other == &device || other.retained == 0;
    }
    if (is_last) {  // handles and host memory are not counted by device
        note(leaks, w.streams);
        note(leaks, w.events);
        note(leaks, w.images);
        note(leaks, w.graphs);
        note(leaks, w.executables);
        note(leaks, w.pools);
        if (pinned_count() != 0) {
            leaks += (leaks.empty() ? "" : ", ") + std::to_string(pinned_count()) + " pieces of host memory";
        }
        w.streams.clear();
        w.events.clear();
        w.images.clear();
        w.functions.clear();
        w.graphs.clear();
        w.executables.clear();
        w.pools.clear();
        release_all_pinned();
    }
    // after work that failed nothing can be given back
    if (!leaks.empty() && device.context->error == 0) {
        fault("leak", "the last release of device " + std::to_string(ordinal) + " leaves " + leaks);
    }
    release_all(ordinal);
    w.contexts.take(device.handle, "");
    device = {};
}

}  // namespace weft::driver
