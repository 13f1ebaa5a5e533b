// One block of a launch: its threads, who of them runs, and what they wait for. A block stays on one host thread.
//
// Threads run one after the other until they wait for others. A thread that never waits costs a call: a fiber takes
// thread after thread until one of them has to wait and keeps it. The order is drawn from the seed, so that a program
// that depends on an order sooner or later meets one that breaks it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "copies.h"
#include "fiber.h"
#include "prefetches.h"
#include "products.h"
#include "weft/cuda/simt.h"

namespace weft::simt {

/** Why a launch ended early, and the CUresult that says so. */
struct Failure {
    int code = 0;
    std::string rule, detail;
};

struct Launch {
    std::string name;
    Body body = nullptr;
    const Call *call = nullptr;
    Body ahead = nullptr;  // that every thread calls first; nullptr for nothing
    const Call *ahead_call = nullptr;
    dim3 grid, block;
    unsigned shared_bytes = 0;
    uint64_t seed = 0;
    bool own_features = false;  // of an image for exactly this chip
    unsigned static_bytes = 0;  // of shared memory, before the dynamic
};

constexpr unsigned most_threads = 1024;
constexpr unsigned most_shared_bytes = 256 << 10;

struct Thread {
    uint3 index;
    unsigned number;
    Fiber *fiber;
    int result;            // of the barrier
    const char *waits_for; // nullptr while it runs
    unsigned detail;       // line of the barrier, mask of the collective
    Copies copies;
    Products products;
    bool is_ahead;         // has not come to the wait for the kernels ahead
    bool may_begin_products;  // since its last wgmma.fence
    unsigned stores;          // counts its fences between stores and products
};

struct BarrierState {
    unsigned came = 0;
    Barrier kind;
    int line;
    unsigned sum;  // of the predicates
    std::vector<Thread *> waiting;
};

struct OpenMeeting : Meeting {
    Collective what;
    unsigned mask, staying;
    void (*finish)(Meeting &);
};

struct Warp {
    unsigned alive = 0;
    uint64_t products = 0;  // hash of those that it carried out
    std::vector<OpenMeeting *> open;
};

class Block {
public:
    Block();
    /** Runs the block with this index; code 0 if all went well. @param failed whether another of the launch has not */
    Failure run(const Launch &launch, uint3 index, uint64_t number, const std::atomic<bool> &failed);

    int barrier(Barrier kind, int predicate, int line);
    void named_barrier(int id, unsigned threads);
    OpenMeeting &meet(Collective what, unsigned mask, const unsigned *words, int count, void (*finish)(Meeting &));
    void leave(OpenMeeting &meeting);
    void pause();
    [[noreturn]] void fail(int code, const std::string &rule, const std::string &detail);

    Thread &running() { return *running_; }
    char *shared() { return shared_; }
    unsigned shared_bytes() const { return launch_->shared_bytes; }
    StoreMarks &store_marks() { return store_marks_; }
    Prefetches &prefetches() { return prefetches_; }
    const Thread &thread(unsigned number) const { return threads_[number]; }
    /** The running warp has carried out this product of a warpgroup. */
    void note_product(uint64_t descriptor);
    bool own_features() const { return launch_->own_features; }
    /** Lowest byte of the guard page of the running fiber's stack. */
    uintptr_t stack_guard() const { return reinterpret_cast<uintptr_t>(current_->stack) - stack_guard_bytes; }
    bool is_running() const { return running_ != nullptr; }
    /** "kernel NAME, block (x, y, z), thread (x, y, z)". */
    std::string where() const;

private:
    static void fiber_main();
    void take_threads();
    bool start_next();
    void finish_thread();
    void pass_on();
    void wait(const char *what, unsigned detail);
    void wake(Thread *thread);
    Thread *next_ready();
    void release(BarrierState &barrier);
    void complete(Warp &warp, OpenMeeting &meeting);
    void complete_if_all_came(Warp &warp);
    std::string who_waits() const;
    bool warpgroups_agree() const;
    uint64_t random();

    std::vector<Thread> threads_;
    std::vector<Warp> warps_;
    std::vector<BarrierState> barriers_;
    std::vector<Fiber *> fibers_, idle_;
    std::vector<std::unique_ptr<OpenMeeting>> meetings_;
    std::vector<OpenMeeting *> free_meetings_;
    std::vector<Thread *> ready_;  // a ring
    unsigned first_ready_ = 0, ready_count_ = 0;
    Fiber scheduler_, *current_ = nullptr;
    Thread *running_ = nullptr;
    const Launch *launch_ = nullptr;
    const std::atomic<bool> *failed_ = nullptr;
    unsigned count_ = 0, alive_ = 0, started_ = 0, order_ = 0, span_ = 0;
    bool start_first_ = false;
    uint64_t random_ = 0;
    Failure failure_;
    char *shared_end_ = nullptr, *shared_ = nullptr;
    StoreMarks store_marks_;
    Prefetches prefetches_;
};

/** The block that this host thread runs. */
extern __thread Block *this_block __attribute__((tls_model("initial-exec")));

}  // namespace weft::simt
