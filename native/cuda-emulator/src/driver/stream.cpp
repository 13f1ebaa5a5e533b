#include "stream.h"

#include <sys/prctl.h>

#include <random>
#include <thread>

#include "settings.h"

namespace weft::driver {

void Stream::submit(Task task) {
    queue.push_back(std::move(task));
    submitted++;
    if (!started) {
        started = true;
        std::thread([self = shared_from_this()] { self->run(); }).detach();
    }
    world().changed.notify_all();
}

void Stream::run() {
    World &w = world();
    std::mt19937_64 random(settings().seed * 1000003 + number);
    prctl(PR_SET_TIMERSLACK, 1000UL);
    Lock lock(w.mutex);
    while (true) {
        w.changed.wait(lock, [&] { return !queue.empty() || stopping; });
        if (queue.empty()) {
            return;
        }
        Task task = std::move(queue.front());
        queue.pop_front();
        if (task.waits) {
            w.changed.wait(lock, [&] { return task.waits->complete; });
        }
        if (task.work && context->error == 0) {
            unsigned most = settings().delay;
            lock.unlock();
            if (most != 0) {
                std::this_thread::sleep_for(std::chrono::microseconds(random() % (most + 1)));
            }
            int code = task.work();
            lock.lock();
            if (code != 0 && context->error == 0) {
                context->error = code;
            }
        }
        if (task.records) {
            task.records->complete = true;
            task.records->when = std::chrono::steady_clock::now();
        }
        completed++;
        w.changed.notify_all();
    }
}

void Stream::wait_until_idle(Lock &lock) {
    uint64_t target = submitted;
    world().changed.wait(lock, [&] { return completed >= target; });
}

void Stream::stop() {
    stopping = true;
    world().changed.notify_all();
}

void synchronize(const std::shared_ptr<Context> &context, Lock &lock) {
    std::vector<std::shared_ptr<Stream>> streams;
    for (auto &[handle, stream] : world().streams.all()) {
        if (stream->context == context) {
            streams.push_back(stream);
        }
    }
    for (auto &stream : streams) {
        stream->wait_until_idle(lock);
    }
}

}  // namespace weft::driver
