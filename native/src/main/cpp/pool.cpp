#include "pool.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace weft {

namespace {

// Kernels of one step follow each other within microseconds; waking a sleeping thread costs as much as a small kernel.
constexpr auto SPIN = std::chrono::microseconds(40);

void pause_briefly() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

/** Spins until `ready` holds or the time is up; says whether it holds. */
template <class Ready>
bool spin_until(const Ready &ready) {
    auto deadline = std::chrono::steady_clock::now() + SPIN;
    do {
        for (int i = 0; i < 32; i++) {
            if (ready()) {
                return true;
            }
            pause_briefly();
        }
    } while (std::chrono::steady_clock::now() < deadline);
    return ready();
}

}  // namespace

/**
 * A job is published in `ticket`: its number in the upper half, the items not yet claimed in the lower one. A thread
 * claims an item by decrementing the ticket. That can only succeed while the job it has read is unfinished, so a thread
 * that wakes up late never mixes two jobs, and run() need not wait for threads that found nothing to do.
 */
struct Pool::State {
    std::atomic<uint64_t> ticket{0};
    std::atomic<uint64_t> items{0};
    std::atomic<void *> context{nullptr};
    std::atomic<Body> body{nullptr};
    alignas(64) std::atomic<uint64_t> done{0};
    alignas(64) std::atomic<uint32_t> sleepers{0};
    std::atomic<bool> stopping{false};
    std::mutex mutex;
    std::condition_variable wake;
    std::vector<std::thread> workers;
    int32_t threads = 1;

    static constexpr uint64_t REMAINING = 0xFFFFFFFFu;

    bool has_work() const { return (ticket.load(std::memory_order_acquire) & REMAINING) != 0 || stopping.load(); }

    /** Runs one item of the current job; false if there is none left to claim. */
    bool run_one(int32_t thread) {
        uint64_t seen = ticket.load(std::memory_order_acquire);
        while ((seen & REMAINING) != 0) {
            uint64_t item = items.load(std::memory_order_relaxed) - (seen & REMAINING);
            Body run = body.load(std::memory_order_relaxed);
            void *argument = context.load(std::memory_order_relaxed);
            if (ticket.compare_exchange_weak(seen, seen - 1, std::memory_order_acq_rel, std::memory_order_acquire)) {
                run(argument, int64_t(item), thread);
                done.fetch_add(1, std::memory_order_release);
                return true;
            }
        }
        return false;
    }

    void work(int32_t thread) {
        while (!stopping.load()) {
            while (run_one(thread)) {
            }
            if (spin_until([this] { return has_work(); })) {
                continue;
            }
            std::unique_lock lock(mutex);
            // counted before looking again: publish() either sees the sleeper or has published what we now see
            sleepers.fetch_add(1);
            std::atomic_thread_fence(std::memory_order_seq_cst);
            wake.wait(lock, [this] { return has_work(); });
            sleepers.fetch_sub(1);
        }
    }

    void publish(uint64_t count, void *argument, Body run) {
        uint64_t job = (ticket.load(std::memory_order_relaxed) >> 32) + 1;
        done.store(0, std::memory_order_relaxed);
        items.store(count, std::memory_order_relaxed);
        context.store(argument, std::memory_order_relaxed);
        body.store(run, std::memory_order_relaxed);
        ticket.store(job << 32 | count, std::memory_order_release);
        wake_sleepers();
    }

    void wake_sleepers() {
        std::atomic_thread_fence(std::memory_order_seq_cst);
        if (sleepers.load() != 0) {
            std::lock_guard lock(mutex);
            wake.notify_all();
        }
    }

    void stop() {
        stopping.store(true);
        wake_sleepers();
        for (std::thread &worker : workers) {
            worker.join();
        }
    }
};

Pool::Pool(State *state) : state_(state) {}

Pool::~Pool() {
    state_->stop();
    delete state_;
}

Pool *Pool::create(int32_t threads) noexcept {
    if (threads < 1) {
        return nullptr;
    }
    Pool *pool = nullptr;
    try {
        pool = new Pool(new State);
        State *state = pool->state_;
        state->threads = threads;
        state->workers.reserve(size_t(threads) - 1);
        for (int32_t i = 1; i < threads; i++) {
            state->workers.emplace_back([state, i] { state->work(i); });
        }
        return pool;
    } catch (const std::exception &) {
        destroy(pool);
        return nullptr;
    }
}

void Pool::destroy(Pool *pool) noexcept {
    delete pool;
}

int32_t Pool::threads() const {
    return state_->threads;
}

void Pool::run(int64_t items, void *context, Body body) {
    if (items <= 1 || state_->threads == 1) {
        for (int64_t i = 0; i < items; i++) {
            body(context, i, 0);
        }
        return;
    }
    auto count = uint64_t(items);
    state_->publish(count, context, body);
    while (state_->run_one(0)) {
    }
    auto finished = [&] { return state_->done.load(std::memory_order_acquire) == count; };
    while (!spin_until(finished)) {
        std::this_thread::yield();
    }
}

}  // namespace weft
