#include "pool.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <memory>
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

/** A thread takes this part of what is left of a share at a time: few claims, yet single items at the end. */
constexpr uint64_t CLAIM_DIVISOR = 2;

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
 * A job is announced on one cache line, which workers watch. Its items are claimed on others, one for each thread's equal
 * share: a thread claims from its own first, which nobody disputes, and then from those of threads that are behind. All
 * lines hold a ticket, the job's number in the upper half and items in the lower one, on a share's line those not yet
 * claimed. A thread claims by lowering it. That can only succeed while the job it knows is unfinished, so a thread that
 * wakes up late never mixes two jobs, and run() need not wait for threads that found nothing to do.
 */
struct Pool::State {
    /** What the caller has handed over last; the ticket is written last. */
    struct Announced {
        std::atomic<uint64_t> ticket{0};
        std::atomic<void *> context{nullptr};
        std::atomic<Body> body{nullptr};
    };
    struct alignas(64) Share {
        std::atomic<uint64_t> ticket{0};
    };

    alignas(64) Announced announced;

    /** Items that workers have finished since the pool exists; the caller counts its own by itself. */
    alignas(64) std::atomic<uint64_t> done{0};

    // written rarely or never, read by workers at every job and while they wait
    alignas(64) const uint64_t threads;
    const std::unique_ptr<Share[]> shares;
    std::atomic<bool> stepping{false};
    std::atomic<bool> stopping{false};
    std::atomic<uint32_t> sleepers{0};

    // the caller's, written at every job
    alignas(64) uint64_t expected = 0;
    Trace *trace = nullptr;
    RotaryMemo *rotary_memo = nullptr;

    std::mutex mutex;
    std::condition_variable wake;
    std::vector<std::thread> workers;

    static constexpr uint64_t ITEMS = 0xFFFFFFFFu;

    explicit State(int32_t count) : threads(uint64_t(count)), shares(new Share[threads]) {}

    static uint64_t job(uint64_t ticket) { return ticket & ~ITEMS; }

    /** How many of a share's `left` items a thread takes at once. */
    static uint64_t portion(uint64_t left) { return left <= CLAIM_DIVISOR ? 1 : left / CLAIM_DIVISOR; }

    /** Where share `i` of `count` begins, and share `i - 1` ends. */
    static uint64_t begin(uint64_t items, uint64_t i, uint64_t count) { return items * i / count; }

    /**
     * Runs items of a job until none is left to claim. `finished(n)` is told when n more are.
     *
     * @param ticket as announced
     * @param own items not claimed of the thread's own share, if nobody else was there: by comparing without looking
     *     first, the line comes for writing at once
     */
    template <class Finished>
    void take_part(uint64_t ticket, uint64_t own, uint64_t thread, const Finished &finished) {
        void *const argument = announced.context.load(std::memory_order_relaxed);
        const Body run = announced.body.load(std::memory_order_relaxed);
        const uint64_t items = ticket & ITEMS;
        const uint64_t count = items < threads ? items : threads;
        for (uint64_t i = 0; i < count; i++) {
            const uint64_t at = (thread + i) % count;
            std::atomic<uint64_t> &share = shares[at].ticket;
            uint64_t seen = i == 0 ? job(ticket) | own : share.load(std::memory_order_acquire);
            while (job(seen) == job(ticket) && (seen & ITEMS) != 0) {
                const uint64_t taken = portion(seen & ITEMS);
                if (share.compare_exchange_strong(seen, seen - taken, std::memory_order_acq_rel,
                                                  std::memory_order_acquire)) {
                    const uint64_t first = begin(items, at + 1, count) - (seen & ITEMS);
                    seen -= taken;
                    run(argument, int64_t(first), int64_t(first + taken), int32_t(thread));
                    finished(taken);
                }
            }
        }
    }

    /** Items of a thread's own share, 1 if it has none and begins with another's. */
    uint64_t share_items(uint64_t items, uint64_t thread) const {
        return items < threads ? 1 : begin(items, thread + 1, threads) - begin(items, thread, threads);
    }

    void work(uint64_t thread) {
        uint64_t seen = 0;
        const auto has_work = [this, &seen] {
            return announced.ticket.load(std::memory_order_acquire) != seen ||
                   stopping.load(std::memory_order_relaxed);
        };
        while (!stopping.load()) {
            if (spin(has_work) || stay_awake(has_work)) {
                seen = announced.ticket.load(std::memory_order_acquire);
                // told at once: the caller may be waiting for these items only
                take_part(seen, share_items(seen & ITEMS, thread), thread,
                          [this](uint64_t n) { done.fetch_add(n, std::memory_order_release); });
                continue;
            }
            std::unique_lock lock(mutex);
            // counted before looking again, all sequentially consistent: who begins a step either sees the sleeper or has
            // done so before we look
            sleepers.fetch_add(1);
            wake.wait(lock, [this] { return stepping.load() || stopping.load(); });
            sleepers.fetch_sub(1);
        }
    }

    /** Waits for work; false if there is none for a while after a step. */
    template <class HasWork>
    bool stay_awake(const HasWork &has_work) {
        const auto start = Clock::now();
        auto stepped = start;
        while (!spin(has_work)) {
            const auto now = Clock::now();
            if (stepping.load(std::memory_order_relaxed)) {
                stepped = now;
                if (now > start + SPIN) {
                    std::this_thread::yield();
                }
            } else if (now > stepped + AWAKE) {
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

    /**
     * Hands over a job, of which the caller does the first `own` items without claiming them. Plain stores: it goes on
     * while the lines are still on their way.
     *
     * @return the ticket
     */
    uint64_t publish(uint64_t items, uint64_t own, void *argument, Body run) {
        const uint64_t next = job(announced.ticket.load(std::memory_order_relaxed)) + (ITEMS + 1);
        for (uint64_t i = 0; i < threads && i < items; i++) {
            const uint64_t left = share_items(items, i) - (i == 0 ? own : 0);
            shares[i].ticket.store(next | left, std::memory_order_relaxed);
        }
        announced.context.store(argument, std::memory_order_relaxed);
        announced.body.store(run, std::memory_order_relaxed);
        announced.ticket.store(next | items, std::memory_order_release);
        return next | items;
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
        pool = new Pool(new State(threads));
        State *state = pool->state_;
        state->rotary_memo = RotaryMemo::create();
        if (state->rotary_memo == nullptr) {
            throw std::bad_alloc();
        }
        state->workers.reserve(size_t(threads) - 1);
        for (int32_t i = 1; i < threads; i++) {
            state->workers.emplace_back([state, i] { state->work(uint64_t(i)); });
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
    return int32_t(state_->threads);
}

int32_t Pool::processor(int32_t thread) const {
    return thread < 1 || thread >= threads() ? -1 : pinned_to(state_->workers[size_t(thread) - 1].native_handle());
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
    const auto count = uint64_t(items);
    const uint64_t share = s.share_items(count, 0);
    uint64_t own = State::portion(share);
    const uint64_t ticket = s.publish(count, own, context, body);
    body(context, 0, int64_t(own), 0);
    s.take_part(ticket, share - own, 0, [&own](uint64_t n) { own += n; });
    s.expected += count - own;
    await([&] { return s.done.load(std::memory_order_acquire) == s.expected; });
}

}  // namespace weft
