// Graphs.
#include <map>

#include "driver/graph.h"

#include "entry.h"

using namespace weft::driver;

WEFT_DRIVER cuGraphInstantiateWithFlags(void **out, void *handle, unsigned long long flags) {
    return call("cuGraphInstantiateWithFlags", CONTEXT, [&](Entered &e) -> int {
        auto graph = world().graphs.find(handle, e.function);
        if (!graph || flags > 15) {
            return INVALID_VALUE;
        }
        *out = world().executables.add(instantiate(*graph, e.context));
        return SUCCESS;
    });
}

WEFT_DRIVER cuGraphLaunch(void *handle, void *stream_handle) {
    return call("cuGraphLaunch", CONTEXT, [&](Entered &e) -> int {
        auto executable = world().executables.find(handle, e.function);
        auto stream = find_stream(stream_handle, e);
        if (!executable || !stream) {
            return INVALID_HANDLE;
        }
        if (executable->context != e.context) {
            fault("wrong-context", "cuGraphLaunch: the graph belongs to another context");
            return INVALID_CONTEXT;
        }
        if (stream->capture) {
            stream->capture->valid = false;
            return STREAM_CAPTURE_UNSUPPORTED;  // the emulator plays no graphs inside graphs
        }
        // a copy: changing the executable graph later does not change this launch
        auto running = std::make_shared<Executable>(*executable);
        stream->submit({[running] {
                            for (const Node &node : running->nodes) {
                                if (int code = node.work ? node.work() : 0) {
                                    return code;
                                }
                            }
                            return 0;
                        },
                        nullptr, nullptr});
        return SUCCESS;
    });
}

WEFT_DRIVER cuGraphUpload(void *handle, void *stream) {
    return call("cuGraphUpload", CONTEXT, [&](Entered &e) -> int {
        return world().executables.find(handle, e.function) && find_stream(stream, e) ? SUCCESS : INVALID_HANDLE;
    });
}

WEFT_DRIVER cuGraphExecUpdate_v2(void *handle, void *graph_handle, int *result) {
    return call("cuGraphExecUpdate_v2", CONTEXT, [&](Entered &e) -> int {
        auto executable = world().executables.find(handle, e.function);
        auto graph = world().graphs.find(graph_handle, e.function);
        if (!executable || !graph) {
            return INVALID_VALUE;
        }
        *result = update(*executable, *graph);
        return *result == 0 ? SUCCESS : GRAPH_EXEC_UPDATE_FAILURE;
    });
}

WEFT_DRIVER cuGraphExecDestroy(void *handle) {
    return call("cuGraphExecDestroy", CONTEXT, [&](Entered &e) -> int {
        return world().executables.take(handle, e.function) ? SUCCESS : INVALID_VALUE;
    });
}

WEFT_DRIVER cuGraphDestroy(void *handle) {
    return call("cuGraphDestroy", CONTEXT, [&](Entered &e) -> int {
        return world().graphs.take(handle, e.function) ? SUCCESS : INVALID_VALUE;
    });
}

// ---- what graphs keep alive

namespace {

/** Objects that their maker still holds. */
std::map<void *, std::shared_ptr<UserObject>> &held() {
    static auto &all = *new std::map<void *, std::shared_ptr<UserObject>>;
    return all;
}

}  // namespace

WEFT_DRIVER cuUserObjectCreate(void **out, void *pointer, void (*destroy)(void *), unsigned references, unsigned flags) {
    return call("cuUserObjectCreate", INITIALISED, [&](Entered &) -> int {
        constexpr unsigned no_destructor_sync = 1;  // the only flag there is, and required
        if (destroy == nullptr || references != 1 || flags != no_destructor_sync) {
            return INVALID_VALUE;
        }
        auto object = std::make_shared<UserObject>();
        object->destroy = destroy;
        object->pointer = pointer;
        held().emplace(*out = fresh_handle(), std::move(object));
        return SUCCESS;
    });
}

WEFT_DRIVER cuGraphRetainUserObject(void *graph_handle, void *object, unsigned count, unsigned flags) {
    return call("cuGraphRetainUserObject", INITIALISED, [&](Entered &e) -> int {
        constexpr unsigned move = 1;  // the graph takes the maker's reference; the emulator plays nothing else
        auto graph = world().graphs.find(graph_handle, e.function);
        auto found = held().find(object);
        if (!graph || found == held().end() || count != 1 || flags != move) {
            return INVALID_VALUE;
        }
        graph->objects.push_back(std::move(found->second));
        held().erase(found);
        return SUCCESS;
    });
}
