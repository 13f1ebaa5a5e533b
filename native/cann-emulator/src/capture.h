// Graph capture: tasks are recorded instead of run; a replay runs them in the recorded order on one stream.
#pragma once

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "stream.h"

namespace emu {

struct Capture {
    std::shared_ptr<Stream> origin;
    int mode = 0;
    std::thread::id thread;
    std::string invalid;  // why; "" while valid
    std::vector<Task> nodes;
    std::vector<std::shared_ptr<Stream>> streams;
    RaceDetector races;  // among the captured streams
};

struct Graph {
    void* handle = nullptr;
    std::string name;
    std::vector<Task> nodes;
    std::vector<Access> accesses;  // of all nodes together
    std::weak_ptr<Context> context;
    uint64_t launched = 0, finished = 0;
    Epoch last;
};

int begin_capture(void* stream, int mode);
int end_capture(void* stream, void** graph);
int capture_info(void* stream, int* status, void** graph);
int exchange_mode(int* mode);
int launch_graph(void* graph, void* stream);
int destroy_graph(void* graph);

/** Adds a task to the capture of its stream. Lock held. */
int capture_task(const std::shared_ptr<Stream>& stream, Task task);
void invalidate(const std::shared_ptr<Capture>& capture, const std::string& why);
/** 107027 and an invalid capture when the stream captures, else 0. Lock held. */
int forbid_captured(const std::shared_ptr<Stream>& stream, const char* function);
/** For device and context wide calls: 107027 when any stream of the context captures. Lock held. */
int forbid_captured_context(const std::shared_ptr<Context>& context, const char* function);
/** For aclrtMemcpy, aclrtMemset: 107041 when a capture's mode forbids them on this thread. Lock held. */
int forbid_synchronous_copy(const char* function);

}  // namespace emu
