#include "capture.h"

#include <algorithm>

#include "arguments.h"

namespace emu {

namespace {

constexpr int global = ACL_MODEL_RI_CAPTURE_MODE_GLOBAL;
constexpr int thread_local_mode = ACL_MODEL_RI_CAPTURE_MODE_THREAD_LOCAL;
constexpr int relaxed = ACL_MODEL_RI_CAPTURE_MODE_RELAXED;

thread_local int mode_of_thread = global;

/** The union of all reads and of all writes, each in few ranges. */
std::vector<Access> merge(const std::vector<Task>& nodes) {
    std::vector<Access> merged;
    for (bool write : {false, true}) {
        std::vector<ByteRange> ranges;
        for (const Task& node : nodes) {
            for (const Access& a : node.accesses) {
                if (a.write == write) {
                    ranges.push_back(a.range);
                }
            }
        }
        std::sort(ranges.begin(), ranges.end(), [](auto& a, auto& b) { return a.begin < b.begin; });
        size_t first = merged.size();
        for (const ByteRange& r : ranges) {
            if (merged.size() > first && r.begin <= merged.back().range.end) {
                merged.back().range.end = std::max(merged.back().range.end, r.end);
            } else {
                merged.push_back({r, write});
            }
        }
    }
    return merged;
}

bool any_dead(const std::vector<Access>& accesses, std::string& which) {
    for (const Access& a : accesses) {
        if (!is_live(a.range)) {
            which = describe(a.range);
            return true;
        }
    }
    return false;
}

void run_nodes(const Graph& graph) {
    for (const Task& node : graph.nodes) {
        {
            Lock lock(world().mutex);
            std::string which;
            if (any_dead(node.accesses, which)) {
                fault("graph-memory", "replay of " + node.label + " touches freed " + which);
                throw DeviceException{ACL_ERROR_RT_AICORE_EXCEPTION, node.label + " in a graph: memory was freed"};
            }
        }
        if (node.run) {
            node.run();
        }
    }
}

/** Streams whose last captured step the origin does not wait for. */
bool joined(const Capture& capture) {
    for (const auto& stream : capture.streams) {
        uint64_t last = stream->actor < stream->capture_clock.size() ? stream->capture_clock[stream->actor] : 0;
        if (!Epoch{stream->actor, last}.before(capture.origin->capture_clock)) {
            return false;
        }
    }
    return true;
}

void release_streams(const std::shared_ptr<Capture>& capture) {
    World& w = world();
    for (const auto& stream : capture->streams) {
        stream->capture = nullptr;
        stream->capture_clock.clear();
    }
    w.captures.erase(std::find(w.captures.begin(), w.captures.end(), capture));
}

std::shared_ptr<Graph> find_graph(void* handle, const char* function, int& code) {
    World& w = world();
    auto graph = w.graphs.find(handle);
    code = 0;
    if (graph == nullptr) {
        fault(w.graphs.why(handle), std::string(function) + " with " + describe_handle(handle) + " as graph");
        code = fail(ACL_ERROR_RT_INVALID_HANDLE, std::string(function) + ": no such graph");
    }
    return graph;
}

}  // namespace

int begin_capture(void* handle, int mode) {
    World& w = world();
    Lock lock(w.mutex);
    std::shared_ptr<Stream> stream;
    if (int code = find_stream(handle, "aclmdlRICaptureBegin", stream)) {
        return code;
    }
    if (stream->is_default) {
        return fail(ACL_ERROR_STREAM_CAPTURE_IMPLICIT, "aclmdlRICaptureBegin: the default stream cannot capture");
    }
    if (mode < global || mode > relaxed) {
        return fail(ACL_ERROR_RT_PARAM_INVALID, "aclmdlRICaptureBegin: no such mode: " + std::to_string(mode));
    }
    if (stream->capture) {
        return fail(ACL_ERROR_RT_STREAM_CAPTURED, "aclmdlRICaptureBegin: the stream captures already");
    }
    auto capture = std::make_shared<Capture>();
    capture->origin = stream;
    capture->mode = mode;
    capture->thread = std::this_thread::get_id();
    capture->streams.push_back(stream);
    stream->capture = capture;
    stream->capture_clock.clear();
    w.captures.push_back(capture);
    return 0;
}

int capture_task(const std::shared_ptr<Stream>& stream, Task task) {
    Capture& capture = *stream->capture;
    if (!capture.invalid.empty()) {
        return fail(ACL_ERROR_RT_STREAM_CAPTURED, task.label + ": the capture is invalid: " + capture.invalid);
    }
    Epoch step = tick(stream->capture_clock, stream->actor);
    std::string race = capture.races.check(task.accesses, step, stream->capture_clock, task.label + " (captured)");
    if (!race.empty()) {
        fault("race", race);
    }
    capture.nodes.push_back(std::move(task));
    return 0;
}

int end_capture(void* handle, void** graph) {
    World& w = world();
    Lock lock(w.mutex);
    std::shared_ptr<Stream> stream;
    if (int code = find_stream(handle, "aclmdlRICaptureEnd", stream)) {
        return code;
    }
    if (graph == nullptr) {
        return fail(ACL_ERROR_INVALID_PARAM, "aclmdlRICaptureEnd: modelRI is NULL");
    }
    *graph = nullptr;
    auto capture = stream->capture;
    if (capture == nullptr) {
        return fail(ACL_ERROR_RT_STREAM_NOT_CAPTURED, "aclmdlRICaptureEnd: the stream does not capture");
    }
    if (capture->origin != stream) {
        invalidate(capture, "aclmdlRICaptureEnd on another stream than aclmdlRICaptureBegin");
        return fail(ACL_ERROR_STREAM_CAPTURE_UNMATCHED, "aclmdlRICaptureEnd: the capture began on another stream");
    }
    if (capture->mode != relaxed && capture->thread != std::this_thread::get_id()) {
        return fail(ACL_ERROR_STREAM_CAPTURE_WRONG_THREAD, "aclmdlRICaptureEnd: another thread began the capture");
    }
    bool all_joined = joined(*capture);
    release_streams(capture);
    if (!capture->invalid.empty()) {
        return fail(ACL_ERROR_RT_STREAM_CAPTURED, "aclmdlRICaptureEnd: the capture is invalid: " + capture->invalid);
    }
    if (!all_joined) {
        return fail(ACL_ERROR_RT_STREAM_UNJOINED, "aclmdlRICaptureEnd: a forked stream is not joined to the origin");
    }
    auto made = std::make_shared<Graph>();
    made->nodes = std::move(capture->nodes);
    made->accesses = merge(made->nodes);
    made->context = stream->context;
    *graph = made->handle = w.graphs.add(made);
    return 0;
}

int capture_info(void* handle, int* status, void** graph) {
    World& w = world();
    Lock lock(w.mutex);
    std::shared_ptr<Stream> stream;
    if (int code = find_stream(handle, "aclmdlRICaptureGetInfo", stream)) {
        return code;
    }
    if (status != nullptr) {
        *status = !stream->capture                  ? ACL_MODEL_RI_CAPTURE_STATUS_NONE
                  : stream->capture->invalid.empty() ? ACL_MODEL_RI_CAPTURE_STATUS_ACTIVE
                                                     : ACL_MODEL_RI_CAPTURE_STATUS_INVALIDATED;
    }
    if (graph != nullptr) {
        *graph = nullptr;
    }
    return 0;
}

int exchange_mode(int* mode) {
    if (mode == nullptr || *mode < global || *mode > relaxed) {
        return fail(ACL_ERROR_RT_PARAM_INVALID, "aclmdlRICaptureThreadExchangeMode: no such mode");
    }
    std::swap(mode_of_thread, *mode);
    return 0;
}

int launch_graph(void* handle, void* on) {
    World& w = world();
    Lock lock(w.mutex);
    int code;
    auto graph = find_graph(handle, "aclmdlRIExecuteAsync", code);
    std::shared_ptr<Stream> stream;
    if (code || (code = find_stream(on, "aclmdlRIExecuteAsync", stream)) ||
        (code = forbid_captured(stream, "aclmdlRIExecuteAsync"))) {
        return code;
    }
    if (graph->context.lock() != stream->context.lock()) {
        return fail(ACL_ERROR_RT_STREAM_CONTEXT, "aclmdlRIExecuteAsync: the graph was captured in another context");
    }
    std::string which;
    if (any_dead(graph->accesses, which)) {
        fault("graph-memory", "aclmdlRIExecuteAsync of " + describe_handle(handle) + ", which refers to freed " +
              which);
        return fail(507011, "aclmdlRIExecuteAsync: the graph refers to memory that has been freed");
    }
    graph->launched++;
    code = submit(stream, {"replay of " + describe_handle(handle), graph->accesses,
                           [graph] {
                               struct Finish {
                                   Graph& graph;
                                   ~Finish() {
                                       Lock end(world().mutex);
                                       graph.finished++;
                                   }
                               } finish{*graph};
                               run_nodes(*graph);
                           },
                           nullptr, nullptr, true, false});
    if (code != 0) {
        graph->launched--;
    } else {
        graph->last = {stream->actor, stream->clock[stream->actor]};
    }
    return code;
}

int destroy_graph(void* handle) {
    World& w = world();
    Lock lock(w.mutex);
    int code;
    auto graph = find_graph(handle, "aclmdlRIDestroy", code);
    if (code) {
        return code;
    }
    if (!graph->last.before(w.host)) {
        fault("destroy-with-pending-work", "aclmdlRIDestroy of " + describe_handle(handle) +
                                               " before the host has waited for its last replay");
    }
    w.graphs.take(handle);
    return 0;
}

// ---- what a capture forbids

void invalidate(const std::shared_ptr<Capture>& capture, const std::string& why) {
    if (capture->invalid.empty()) {
        capture->invalid = why;
    }
}

int forbid_captured(const std::shared_ptr<Stream>& stream, const char* function) {
    if (!stream->capture) {
        return 0;
    }
    invalidate(stream->capture, std::string(function) + " on a captured stream");
    return fail(ACL_ERROR_RT_STREAM_CAPTURED, std::string(function) + ": not on a stream that captures");
}

int forbid_captured_context(const std::shared_ptr<Context>& context, const char* function) {
    for (const auto& capture : world().captures) {
        for (const auto& stream : capture->streams) {
            if (stream->context.lock() == context) {
                return forbid_captured(stream, function);
            }
        }
    }
    return 0;
}

int forbid_synchronous_copy(const char* function) {
    for (const auto& capture : world().captures) {
        bool own = capture->thread == std::this_thread::get_id();
        bool everywhere = capture->mode == global && mode_of_thread == global;
        bool forbidden = mode_of_thread != relaxed && capture->mode != relaxed && (own || everywhere);
        if (forbidden) {
            invalidate(capture, std::string(function) + " while capturing");
            return fail(ACL_ERROR_RT_CAPTURE_MODE_BLOCK_ASYNC, std::string(function) +
                        ": not while a stream captures in this mode");
        }
    }
    return 0;
}

}  // namespace emu
