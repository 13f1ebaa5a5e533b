#include "pool.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <new>
#include <thread>
#include <vector>

#include "processors.h"
#include "rotary_memo.h"
#include "trace.h"

namespace weft {

namespace {

using Clock = std::chrono::steady_clock;

// Kernels of one step follow each other within microseconds, and steps of a decode within tens of them; waking a
// sleeping thread costs as much as a small kernel.
constexpr auto SPIN = std::chrono::microseconds(40);
constexpr auto AWAKE = std::chrono::microseconds(100);
constexpr int CHECKS_PER_CLOCK = 32;

/** A thread takes this part of its fair share of what is left at a time: few claims, yet single items at the end. */
constexpr uint64_t CLAIMS_PER_SHARE = 2;

void pause_briefly() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

/** Spins a few times until `ready` holds; says whether it holds. */
template <class Ready>
bool spin(const Ready &ready) {
    for (int i = 0; i < CHECKS_PER_CLOCK; i++) {
        if (ready()) {
            return true;
        }
        pause_briefly();
    }
    return false;
}

/** Waits until `ready` holds: spinning at first, then letting others have the processor in between. */
template <class Ready>
void await(const Ready &ready) {
    if (spin(ready)) {
        return;
    }
    auto patience = Clock::now() + SPIN;
    while (!spin(ready)) {
        if (Clock::now() > patience) {
            std::this_thread::yield();
        }
    }
}

}  // namespace

/**
 * A job is published in `ticket`: its number in the upper half, the items not yet claimed in the lower one. A thread
 * claims items by lowering the ticket. That can only succeed while the job it has read is unfinished, so a thread
 * that wakes up late never mixes two jobs, and run() need not wait for threads that found nothing to do.
 */
struct Pool::State {
    // one cache line: who claims items needs all of it
    alignas(64) std::atomic<uint64_t> ticket{0};
    std::atomic<uint64_t> items{0};
    std::atomic<void *> context{nullptr};
    std::atomic<Body> body{nullptr};

    /** Items that workers have finished since the pool exists; the caller counts its own by itself. */
    alignas(64) std::atomic<uint64_t> done{0};

    // written rarely, read by spinning workers
    alignas(64) std::atomic<bool> stepping{false};
    std::atomic<bool> stopping{false};
    std::atomic<uint32_t> sleepers{0};

    // the caller's
    alignas(64) uint64_t expected = 0;
    Trace *trace = nullptr;
    RotaryMemo *rotary_memo = nullptr;
    uint64_t claims = CLAIMS_PER_SHARE;
    int32_t threads = 1;
    std::mutex mutex;
    std::condition_variable wake;
    std::vector<std::thread> workers;

    static constexpr uint64_t REMAINING = 0xFFFFFFFFu;

    /** How many of `left` items a thread takes at once. */
    uint64_t portion(uint64_t left) const { return left <= claims ? 1 : left / claims; }

    /** Runs items of the current job until none is left to claim. `finished(n)` is told when n more are. */
    template <class Finished>
    void take_part(int32_t thread, const Finished &finished) {
        uint64_t seen = ticket.load(std::memory_order_acquire);
        while ((seen & REMAINING) != 0) {
            uint64_t left = seen & REMAINING;
            uint64_t taken = portion(left);
            uint64_t first = items.load(std::memory_order_relaxed) - left;
            Body run = body.load(std::memory_order_relaxed);
            void *argument = context.load(std::memory_order_relaxed);
            if (ticket.compare_exchange_weak(seen, seen - taken, std::memory_order_acq_rel,
                                             std::memory_order_acquire)) {
                run(argument, int64_t(first), int64_t(first + taken), thread);
                finished(taken);
                seen = ticket.load(std::memory_order_acquire);
            }
        }
    }

    bool has_work() const { return (ticket.load() & REMAINING) != 0 || stopping.load(std::memory_order_relaxed); }

    void work(int32_t thread) {
        while (!stopping.load()) {
            // at once: the caller may be waiting for these items only, and the line is not contended until then
            take_part(thread, [this](uint64_t n) { done.fetch_add(n, std::memory_order_release); });
            if (spin([this] { return has_work(); }) || stay_awake()) {
                continue;
            }
            std::unique_lock lock(mutex);
            // counted before looking again, all sequentially consistent: who publishes or begins a step either sees the
            // sleeper or has done so before we look
            sleepers.fetch_add(1);
            wake.wait(lock, [this] { return has_work() || stepping.load(); });
            sleepers.fetch_sub(1);
        }
    }

    /** Waits for work; false if there is none for a while after a step. */
    bool stay_awake() {
        auto start = Clock::now();
        while (!spin([this] { return has_work(); })) {
            auto now = Clock::now();
            if (stepping.load(std::memory_order_relaxed)) {
                if (now > start + SPIN) {
                    std::this_thread::yield();
                }
            } else if (now > start + AWAKE) {
                return false;
            }
        }
        return true;
    }

    void wake_sleepers() {
        if (sleepers.load() != 0) {
            std::lock_guard lock(mutex);
            wake.notify_all();
        }
    }

    /** Publishes all but the first `own` items, which the caller does. */
    void publish(uint64_t count, uint64_t own, void *argument, Body run) {
        uint64_t job = (ticket.load(std::memory_order_relaxed) >> 32) + 1;
        items.store(count, std::memory_order_relaxed);
        context.store(argument, std::memory_order_relaxed);
        body.store(run, std::memory_order_relaxed);
        ticket.exchange(job << 32 | (count - own));
        wake_sleepers();
    }

    void stop() {
        stopping.store(true);
        {
            std::lock_guard lock(mutex);
            wake.notify_all();
        }
        for (std::thread &worker : workers) {
            worker.join();
        }
    }
};

Pool::Pool(State *state) : state_(state) {}

Pool::~Pool() {
    state_->stop();
    RotaryMemo::destroy(state_->rotary_memo);
    delete state_;
}

Pool *Pool::create(int32_t threads, const int32_t *processors, int32_t count) noexcept {
    if (threads < 1) {
        return nullptr;
    }
    Pool *pool = nullptr;
    try {
        pool = new Pool(new State);
        State *state = pool->state_;
        state->threads = threads;
        state->claims = CLAIMS_PER_SHARE * uint64_t(threads);
        state->rotary_memo = RotaryMemo::create();
        if (state->rotary_memo == nullptr) {
            throw std::bad_alloc();
        }
        state->workers.reserve(size_t(threads) - 1);
        for (int32_t i = 1; i < threads; i++) {
            state->workers.emplace_back([state, i] { state->work(i); });
            if (count > 0 && !pin(state->workers.back().native_handle(), processors[i % count])) {
                destroy(pool);
                return nullptr;
            }
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

int32_t Pool::processor(int32_t thread) const {
    return thread < 1 || thread >= state_->threads ? -1
                                                   : pinned_to(state_->workers[size_t(thread) - 1].native_handle());
}

void Pool::begin_step() {
    if (state_->threads > 1) {
        state_->stepping.exchange(true);
        state_->wake_sleepers();
    }
}

void Pool::end_step() {
    state_->stepping.store(false, std::memory_order_relaxed);
}

RotaryMemo &Pool::rotary_memo() {
    return *state_->rotary_memo;
}

void Pool::trace(Trace *to) {
    state_->trace = to;
}

void Pool::run(int64_t items, void *context, Body body) {
    State &s = *state_;
    if (s.trace != nullptr) {
        s.trace->note(items);
    }
    if (items <= 1 || s.threads == 1) {
        if (items > 0) {
            body(context, 0, items, 0);
        }
        return;
    }
    auto count = uint64_t(items);
    uint64_t own = s.portion(count);
    s.publish(count, own, context, body);
    body(context, 0, int64_t(own), 0);
    s.take_part(0, [&own](uint64_t n) { own += n; });
    s.expected += count - own;
    await([&] { return s.done.load(std::memory_order_acquire) == s.expected; });
}

}  // namespace weft
