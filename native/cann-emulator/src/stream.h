// Streams: a queue and a worker thread each. Order between streams exists only where events or the host make it.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "world.h"

namespace emu {

struct EventState;

struct Task {
    std::string label;
    std::vector<Access> accesses;
    std::function<void()> run = {};                // on the worker, without the lock; may throw DeviceException
    std::shared_ptr<EventState> waits = nullptr;   // ready when that record is complete
    std::shared_ptr<EventState> records = nullptr; // completed by this task
    bool work = true;                    // counts for the injected failure "stream"
    bool calls_host = false;
};

struct Stream {
    void* handle = nullptr;
    int id = 0;
    uint32_t actor = 0;
    uint32_t flags = 0;
    bool is_default = false;
    std::weak_ptr<Context> context;
    int device = 0;
    std::deque<Task> queue;
    uint64_t submitted = 0, completed = 0;
    bool started = false, stopping = false, stopped = false;
    Clock clock;  // everything ordered before the end of the last submitted task
    std::shared_ptr<Capture> capture;
    Clock capture_clock;
    std::mt19937_64 random;

    bool idle() const { return submitted == completed; }
};

std::shared_ptr<Stream> make_stream(const std::shared_ptr<Context>& context, uint32_t flags, bool is_default);
/** Finds the stream, NULL being the default stream of the current context. 0 or 107002, 107003, 107017. Lock held. */
int find_stream(const void* handle, const char* function, std::shared_ptr<Stream>& stream);
/** Queues the task, or records it when the stream captures. 0 or the context's sticky error. Lock held. */
int submit(const std::shared_ptr<Stream>& stream, Task task);
/** Waits until everything submitted so far is over; -1 waits forever. Lock held on entry and exit. */
int synchronize(const std::shared_ptr<Stream>& stream, Lock& lock, int timeout_ms);
/** Lets the worker end after its queue; waits for it. */
void stop(const std::shared_ptr<Stream>& stream, Lock& lock);
int destroy_stream(const void* handle, bool force, Lock& lock);

/** Whether this thread is a stream's worker (a host function runs on it). */
bool on_worker();
/** The device of this worker's stream, -1 on other threads. */
int worker_device();
std::mt19937_64& worker_random();

constexpr size_t most_streams = 1984;  // per device; runtime docs, limits
constexpr size_t most_events = 65536;

}  // namespace emu
