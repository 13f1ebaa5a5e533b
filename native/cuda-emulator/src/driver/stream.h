// Streams: a queue of work, carried out in order by a thread of its own.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "world.h"

namespace weft::driver {

struct Capture;

/** Work of a stream or of a node of a graph. Carried out without the lock; gives a result and may be repeated. */
using Work = std::function<int()>;

/** One recording of an event, or none of the kind: the point in a stream after which it is complete. */
struct Record {
    bool complete = false;
    std::chrono::steady_clock::time_point when;
};

struct Event {
    std::shared_ptr<Context> context;
    bool timed = true;
    std::shared_ptr<Record> record;     // the last one; null if there was none
    std::shared_ptr<Capture> capture;   // if the last one was captured
    std::vector<size_t> nodes;          // and what it waits for there
};

struct Task {
    Work work;                                // may be empty
    std::shared_ptr<Record> waits, records;
};

struct Stream : std::enable_shared_from_this<Stream> {
    std::shared_ptr<Context> context;
    uint64_t number = 0;                      // for the delays
    std::deque<Task> queue;
    uint64_t submitted = 0, completed = 0;
    bool started = false, stopping = false;
    std::shared_ptr<Capture> capture;
    std::vector<size_t> last;                 // nodes of the capture that the next one follows

    bool is_idle() const { return submitted == completed; }
    void submit(Task task);
    void wait_until_idle(Lock &lock);
    /** Lets the thread end after its queue. */
    void stop();

private:
    void run();
};

/** Waits for all streams of the context. */
void synchronize(const std::shared_ptr<Context> &context, Lock &lock);

}  // namespace weft::driver
