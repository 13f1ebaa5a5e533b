#include "graph.h"

#include <algorithm>
#include <set>
#include <thread>

namespace weft::driver {

namespace {

/** Captures under way. */
std::vector<std::shared_ptr<Capture>> &captures() {
    static auto &all = *new std::vector<std::shared_ptr<Capture>>;
    return all;
}

void end(const std::shared_ptr<Capture> &capture) {
    for (auto &stream : capture->streams) {
        stream->capture.reset();
        stream->last.clear();
    }
    std::erase(captures(), capture);
}

int invalidate(Capture &capture, int code) {
    capture.valid = false;
    return code;
}

/** Whether the origin's end follows the last nodes of all streams that joined. */
bool is_joined(const Capture &capture) {
    std::set<size_t> before;
    std::vector<size_t> open = capture.origin->last;
    while (!open.empty()) {
        size_t node = open.back();
        open.pop_back();
        if (before.insert(node).second) {
            const auto &after = capture.graph->nodes[node].after;
            open.insert(open.end(), after.begin(), after.end());
        }
    }
    return std::all_of(capture.streams.begin(), capture.streams.end(), [&](const std::shared_ptr<Stream> &stream) {
        return std::all_of(stream->last.begin(), stream->last.end(), [&](size_t node) { return before.count(node); });
    });
}

void merge(std::vector<size_t> &into, const std::vector<size_t> &more) {
    for (size_t node : more) {
        if (std::find(into.begin(), into.end(), node) == into.end()) {
            into.push_back(node);
        }
    }
}

}  // namespace

UserObject::~UserObject() {
    std::thread(destroy, pointer).detach();  // under the lock here; the driver promises no thread either
}

CaptureMode &thread_capture_mode() {
    static thread_local CaptureMode mode = CaptureMode::GLOBAL;
    return mode;
}

int begin_capture(const std::shared_ptr<Stream> &stream, CaptureMode mode) {
    if (stream->capture) {
        return ILLEGAL_STATE;
    }
    auto capture = std::make_shared<Capture>();
    capture->mode = mode;
    capture->thread = std::this_thread::get_id();
    capture->origin = stream.get();
    capture->streams.push_back(stream);
    captures().push_back(capture);
    stream->capture = capture;
    return SUCCESS;
}

int end_capture(const std::shared_ptr<Stream> &stream, void *&graph) {
    graph = nullptr;
    auto capture = stream->capture;
    if (!capture) {
        return ILLEGAL_STATE;
    }
    if (capture->origin != stream.get()) {
        return invalidate(*capture, STREAM_CAPTURE_UNMATCHED);
    }
    if (capture->mode != CaptureMode::RELAXED && capture->thread != std::this_thread::get_id()) {
        return STREAM_CAPTURE_WRONG_THREAD;
    }
    int code = !capture->valid ? STREAM_CAPTURE_INVALIDATED : is_joined(*capture) ? SUCCESS : STREAM_CAPTURE_UNJOINED;
    end(capture);
    if (code == SUCCESS) {
        graph = capture->handle != nullptr ? capture->handle : world().graphs.add(capture->graph);
    } else if (capture->handle != nullptr) {
        world().graphs.take(capture->handle, "cuStreamEndCapture");
    }
    return code;
}

int capture(Stream &stream, Node node) {
    Capture &c = *stream.capture;
    if (!c.valid) {
        return STREAM_CAPTURE_INVALIDATED;
    }
    node.after = stream.last;
    c.graph->nodes.push_back(std::move(node));
    stream.last = {c.graph->nodes.size() - 1};
    return SUCCESS;
}

void record_captured(Stream &stream, Event &event) {
    event.capture = stream.capture;
    event.nodes = stream.last;
    event.record.reset();
}

int wait_captured(const std::shared_ptr<Stream> &stream, const Event &event) {
    if (!event.capture->valid) {
        return STREAM_CAPTURE_INVALIDATED;
    }
    if (!stream->capture) {
        stream->capture = event.capture;
        stream->last = event.nodes;
        event.capture->streams.push_back(stream);
        return SUCCESS;
    }
    if (stream->capture != event.capture) {
        invalidate(*event.capture, 0);
        return invalidate(*stream->capture, STREAM_CAPTURE_MERGE);
    }
    merge(stream->last, event.nodes);
    return SUCCESS;
}

int forbid_during_capture() {
    int code = SUCCESS;
    for (auto &capture : captures()) {
        bool mine = capture->thread == std::this_thread::get_id();
        bool everywhere = capture->mode == CaptureMode::GLOBAL && thread_capture_mode() == CaptureMode::GLOBAL;
        bool relaxed = capture->mode == CaptureMode::RELAXED || thread_capture_mode() == CaptureMode::RELAXED;
        if (!relaxed && (mine || everywhere)) {
            code = invalidate(*capture, STREAM_CAPTURE_UNSUPPORTED);
        }
    }
    return code;
}

std::shared_ptr<Executable> instantiate(const Graph &graph, const std::shared_ptr<Context> &context) {
    auto executable = std::make_shared<Executable>();
    executable->context = context;
    executable->nodes = graph.nodes;
    executable->objects = graph.objects;
    return executable;
}

int update(Executable &executable, const Graph &graph) {
    constexpr int topology_changed = 2, type_changed = 3;
    if (executable.nodes.size() != graph.nodes.size()) {
        return topology_changed;
    }
    for (size_t i = 0; i < graph.nodes.size(); i++) {
        const Node &found = graph.nodes[i], &known = executable.nodes[i];
        if (found.after != known.after) {
            return topology_changed;
        }
        if (found.type != known.type) {
            return type_changed;
        }
    }
    executable.nodes = graph.nodes;
    executable.objects = graph.objects;
    return SUCCESS;
}

}  // namespace weft::driver
