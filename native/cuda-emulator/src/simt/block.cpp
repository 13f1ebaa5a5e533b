#include "block.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstring>
#include <new>
#include <thread>

#include "statics.h"
#include "trap.h"

namespace weft::simt {

__thread Position position __attribute__((tls_model("initial-exec")));
__thread Block *this_block __attribute__((tls_model("initial-exec")));

namespace {

constexpr unsigned named_barriers = 16;  // number 0 is that of the whole block

std::string coordinates(const uint3 &v) {
    char text[64];
    std::snprintf(text, sizeof text, "(%u, %u, %u)", v.x, v.y, v.z);
    return text;
}

uint3 extents(const dim3 &v) {
    return {v.x, v.y, v.z};
}

}  // namespace

Block::Block() : threads_(most_threads), warps_(most_threads / 32), barriers_(named_barriers), ready_(most_threads) {
    constexpr size_t guard = 64 << 20;  // a wrong index is often a large one
    void *at = mmap(nullptr, most_shared_bytes + guard, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED || mprotect(at, most_shared_bytes, PROT_READ | PROT_WRITE) != 0) {
        throw std::bad_alloc();
    }
    shared_end_ = static_cast<char *>(at) + most_shared_bytes;
    store_marks_.cover(static_cast<char *>(at));
}

Failure Block::run(const Launch &launch, uint3 index, uint64_t number, const std::atomic<bool> &failed) {
    launch_ = &launch;
    failed_ = &failed;
    failure_ = {};
    random_ = launch.seed * 0x9E3779B97F4A7C15u + number * 0xD1B54A32D192ED03u + 1;
    count_ = launch.block.x * launch.block.y * launch.block.z;
    alive_ = count_;
    started_ = 0;
    span_ = std::bit_ceil(count_);
    order_ = launch.seed == 0 ? 0 : static_cast<unsigned>(random()) & (span_ - 1);
    start_first_ = launch.seed != 0 && random() % 2 == 0;
    for (unsigned w = 0; w * 32 < count_; w++) {
        unsigned lanes = std::min(32u, count_ - w * 32);
        warps_[w].alive = lanes == 32 ? 0xffffffffu : (1u << lanes) - 1;
        warps_[w].products = 0;
    }
    position = {{}, index, extents(launch.block), extents(launch.grid)};
    unsigned room = (launch.shared_bytes + 1023) & ~1023u;
    shared_ = shared_end_ - room;
    unsigned statics = (launch.static_bytes + 1023) & ~1023u;
    std::memset(shared_ - statics, 0xFF, statics + room);
    store_marks_.clear();
    prefetches_.clear(launch.ahead != nullptr);
    poison_statics(launch.body);

    current_ = &scheduler_;
    pass_on();  // comes back when no thread can run

    running_ = nullptr;
    if (failure_.code == 0 && alive_ != 0) {
        failure_ = {719, "deadlock", launch.name + ", block " + coordinates(index) + ": " + who_waits()};
    }
    if (failure_.code == 0 && !warpgroups_agree()) {
        failure_ = {719, "wgmma-arguments", launch.name + ", block " + coordinates(index) +
                                                ": the four warps of a group had different products"};
    }
    if (uintptr_t at = failure_.code == 0 ? prefetches_.unread() : 0) {
        failure_ = {719, "prefetch-not-read", launch.name + ", block " + coordinates(index) + ": " + describe_address(at)};
    }
    if (failure_.code == 0 && std::any_of(shared_ + launch.shared_bytes, shared_end_,
                                          [](char c) { return c != static_cast<char>(0xFF); })) {
        failure_ = {719, "shared-out-of-bounds", launch.name + ", block " + coordinates(index) + " wrote behind its " +
                                                     std::to_string(launch.shared_bytes) + " bytes of shared memory"};
    }
    if (failure_.code != 0) {
        // fibers that stopped midway never go on
        for (Fiber *fiber : fibers_) {
            reset(*fiber, fiber_main);
        }
        idle_ = fibers_;
        ready_count_ = 0;
        for (Warp &warp : warps_) {
            warp.open.clear();
        }
        for (BarrierState &barrier : barriers_) {
            barrier.came = 0;
            barrier.waiting.clear();
        }
        free_meetings_.clear();
        for (auto &meeting : meetings_) {
            free_meetings_.push_back(meeting.get());
        }
    }
    return failure_;
}

// ---- who runs

void Block::fiber_main() {
    this_block->take_threads();
}

void Block::take_threads() {
    while (true) {
        if (start_next()) {
            if (launch_->ahead != nullptr) {
                launch_->ahead(*launch_->ahead_call);
                running_->is_ahead = false;
            }
            launch_->body(*launch_->call);
            finish_thread();
        }
        if (ready_count_ != 0 || started_ == span_) {
            idle_.push_back(current_);
            pass_on();
        }
    }
}

bool Block::start_next() {
    while (started_ < span_) {
        unsigned number = started_++ ^ order_;
        if (number >= count_) {
            continue;
        }
        const dim3 &size = launch_->block;
        Thread &thread = threads_[number];
        thread.index = {number % size.x, number / size.x % size.y, number / (size.x * size.y)};
        thread.number = number;
        thread.fiber = current_;
        thread.waits_for = nullptr;
        thread.copies.clear();
        thread.products.clear();
        thread.is_ahead = launch_->ahead != nullptr;
        thread.may_begin_products = false;
        thread.stores = 0;
        running_ = &thread;
        position.thread = thread.index;
        return true;
    }
    return false;
}

void Block::finish_thread() {
    Thread &thread = *running_;
    if (!thread.copies.empty()) {
        fail(719, "copy-not-awaited", "returned without waiting for its cp.async copies");
    }
    if (!thread.products.empty()) {
        fail(719, "product-not-awaited", "returned without waiting for its wgmma products");
    }
    Warp &warp = warps_[thread.number / 32];
    warp.alive &= ~(1u << thread.number % 32);
    alive_--;
    thread.waits_for = "nothing: it returned";
    complete_if_all_came(warp);
    if (barriers_[0].came != 0 && barriers_[0].came == alive_) {
        release(barriers_[0]);
    }
}

/** Gives the host thread to somebody else; comes back when this fiber is chosen again. */
void Block::pass_on() {
    Fiber *next = &scheduler_;
    Thread *thread = nullptr;
    bool can_start = started_ < span_;
    if (ready_count_ != 0 && !(can_start && start_first_)) {
        thread = next_ready();
        next = thread->fiber;
        running_ = thread;
        position.thread = thread->index;
    } else if (can_start) {
        if (idle_.empty()) {
            fibers_.push_back(make_fiber(fiber_main));
            idle_.push_back(fibers_.back());
        }
        next = idle_.back();
        idle_.pop_back();
    }
    if (next != current_) {
        Fiber *from = current_;
        current_ = next;
        go_on(*from, *next);
    }
}

void Block::wait(const char *what, unsigned detail) {
    running_->waits_for = what;
    running_->detail = detail;
    running_->fiber = current_;
    pass_on();
}

void Block::wake(Thread *thread) {
    thread->waits_for = nullptr;
    ready_[(first_ready_ + ready_count_++) % most_threads] = thread;
}

Thread *Block::next_ready() {
    ready_count_--;
    return ready_[first_ready_++ % most_threads];
}

void Block::pause() {
    if (*failed_) {
        fail(719, "abandoned", "waits for others, of which one has failed");
    }
    std::this_thread::yield();
}

void Block::fail(int code, const std::string &rule, const std::string &detail) {
    failure_ = {code, rule, where() + ": " + detail};
    current_ = &scheduler_;
    Fiber abandoned;
    go_on(abandoned, scheduler_);
    __builtin_unreachable();
}

std::string Block::where() const {
    return launch_->name + ", block " + coordinates(position.block) +
           (running_ ? ", thread " + coordinates(running_->index) : "");
}

std::string Block::who_waits() const {
    std::string out = std::to_string(alive_) + " threads wait for others:";
    for (unsigned number = 0, told = 0; number < count_ && told < 4; number++) {
        const Thread &thread = threads_[number];
        if (warps_[number / 32].alive >> number % 32 & 1) {
            char detail[32];
            std::snprintf(detail, sizeof detail, thread.waits_for[0] == 'c' ? " 0x%x" : " %u", thread.detail);
            out += (told++ ? "; " : " ") + coordinates(thread.index) + " " + thread.waits_for + detail;
        }
    }
    return out;
}

void Block::note_product(uint64_t descriptor) {
    uint64_t &hash = warps_[running_->number / 32].products;
    hash = (hash ^ descriptor) * 0x9E3779B97F4A7C15u + 1;
}

bool Block::warpgroups_agree() const {
    for (unsigned w = 0; w * 32 < count_; w++) {
        unsigned first = w / 4 * 4;
        if (warps_[w].products != (first * 32 + 128 <= count_ ? warps_[first].products : 0)) {
            return false;
        }
    }
    return true;
}

uint64_t Block::random() {
    random_ ^= random_ << 13;
    random_ ^= random_ >> 7;
    random_ ^= random_ << 17;
    return random_ >> 11;
}

// ---- barriers

int Block::barrier(Barrier kind, int predicate, int line) {
    BarrierState &b = barriers_[0];
    Thread &thread = *running_;
    if (b.came == 0) {
        b.kind = kind;
        b.line = line;
        b.sum = 0;
    } else if (b.line != line || b.kind != kind) {
        fail(719, "barrier-divergence", "came to the barrier in line " + std::to_string(line) +
                                            " while others wait at that in line " + std::to_string(b.line));
    }
    b.came++;
    b.sum += predicate != 0;
    b.waiting.push_back(&thread);
    if (b.came == alive_) {
        release(b);
    } else {
        wait("at the barrier in line", static_cast<unsigned>(line));
    }
    return thread.result;
}

void Block::named_barrier(int id, unsigned threads) {
    if (id < 1 || id >= static_cast<int>(named_barriers) || threads == 0 || threads % 32 != 0) {
        fail(719, "barrier-arguments", "barrier " + std::to_string(id) + " of " + std::to_string(threads) +
                                           " threads; numbers go from 1 to 15, threads in warps");
    }
    BarrierState &b = barriers_[id];
    if (b.came == 0) {
        b.kind = Barrier::SYNC;
        b.line = static_cast<int>(threads);
        b.sum = 0;
    } else if (b.line != static_cast<int>(threads)) {
        fail(719, "barrier-divergence", "expects " + std::to_string(threads) + " threads at barrier " +
                                            std::to_string(id) + ", others expect " + std::to_string(b.line));
    }
    b.came++;
    b.waiting.push_back(running_);
    if (b.came == threads) {
        release(b);
    } else {
        wait("at barrier number", static_cast<unsigned>(id));
    }
}

void Block::release(BarrierState &b) {
    int result = b.kind == Barrier::OR    ? b.sum != 0
                 : b.kind == Barrier::AND ? b.sum == b.came
                                          : static_cast<int>(b.sum);
    unsigned count = static_cast<unsigned>(b.waiting.size()), span = std::bit_ceil(count);
    unsigned order = launch_->seed == 0 ? 0 : static_cast<unsigned>(random()) & (span - 1);
    for (unsigned i = 0; i < span; i++) {
        if ((i ^ order) < count) {
            Thread *thread = b.waiting[i ^ order];
            thread->result = result;
            if (thread->waits_for != nullptr) {  // not the one that came last: it goes on at once
                wake(thread);
            }
        }
    }
    b.came = 0;
    b.waiting.clear();
}

// ---- collectives

OpenMeeting &Block::meet(Collective what, unsigned mask, const unsigned *words, int count, void (*finish)(Meeting &)) {
    Thread &thread = *running_;
    Warp &warp = warps_[thread.number / 32];
    unsigned lane = thread.number % 32;
    if (!(mask >> lane & 1)) {
        fail(719, "lane-outside-mask",
             "lane " + std::to_string(lane) + " takes part in a collective whose mask leaves it out");
    }
    auto found = std::find_if(warp.open.begin(), warp.open.end(), [&](OpenMeeting *m) { return m->mask == mask; });
    OpenMeeting *meeting;
    if (found == warp.open.end()) {
        if (free_meetings_.empty()) {
            meetings_.push_back(std::make_unique<OpenMeeting>());
            free_meetings_.push_back(meetings_.back().get());
        }
        meeting = free_meetings_.back();
        free_meetings_.pop_back();
        meeting->what = what;
        meeting->mask = mask;
        meeting->came = 0;
        meeting->finish = finish;
        warp.open.push_back(meeting);
    } else {
        meeting = *found;
        if (meeting->what != what || meeting->finish != finish) {
            fail(719, "warp-divergence", "lanes of one mask came to different collectives");
        }
    }
    std::copy_n(words, count, meeting->word[lane]);
    meeting->came |= 1u << lane;
    if ((mask & warp.alive & ~meeting->came) == 0) {
        complete(warp, *meeting);
    } else {
        wait("collective of mask", mask);
    }
    return *meeting;
}

void Block::complete(Warp &warp, OpenMeeting &meeting) {
    warp.open.erase(std::find(warp.open.begin(), warp.open.end(), &meeting));
    if (meeting.finish != nullptr) {
        meeting.finish(meeting);
    }
    meeting.staying = static_cast<unsigned>(std::popcount(meeting.came));
    unsigned first = static_cast<unsigned>(&warp - warps_.data()) * 32;
    unsigned order = launch_->seed == 0 ? 0 : static_cast<unsigned>(random()) & 31;
    for (unsigned i = 0; i < 32; i++) {
        Thread &thread = threads_[first + (i ^ order)];
        if ((meeting.came >> (i ^ order) & 1) && thread.waits_for != nullptr) {
            wake(&thread);
        }
    }
}

/** A lane that returned is waited for no more. */
void Block::complete_if_all_came(Warp &warp) {
    for (size_t i = warp.open.size(); i-- > 0;) {
        OpenMeeting &meeting = *warp.open[i];
        if ((meeting.mask & warp.alive & ~meeting.came) == 0) {
            complete(warp, meeting);
        }
    }
}

void Block::leave(OpenMeeting &meeting) {
    if (--meeting.staying == 0) {
        free_meetings_.push_back(&meeting);
    }
}

}  // namespace weft::simt
