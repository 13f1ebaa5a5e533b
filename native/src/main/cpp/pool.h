// Worker threads that run the items of one kernel at a time.
//
// Kernels of every instruction-set level include this file, so it holds no inline function that the linker could merge
// across levels: the one template is instantiated with types of the level's namespace.
#ifndef WEFT_POOL_H
#define WEFT_POOL_H

#include <stdint.h>

namespace weft {

class RotaryMemo;

class Pool {
public:
    using Body = void (*)(void *context, int64_t begin, int64_t end, int32_t thread);

    /**
     * Null if `threads` is below 1, the system gives no more threads or memory, or one cannot be pinned.
     *
     * @param processors where threads are pinned: thread i >= 1 runs on processors[i % count] only; thread 0 is the
     *     caller's and stays as it is. Not read if `count` is 0: no thread is pinned
     */
    static Pool *create(int32_t threads, const int32_t *processors, int32_t count) noexcept;
    /** Waits for the workers to leave. Must not run at the same time as a kernel. */
    static void destroy(Pool *pool) noexcept;

    /** Number of threads that may run items, the caller's included. */
    int32_t threads() const;

    /** The only processor that thread `thread` >= 1 may run on; -1 if there are several. */
    int32_t processor(int32_t thread) const;

    /** Begins a series of run() calls: wakes the workers and keeps them awake. */
    void begin_step();
    /** Lets the workers sleep after a while. */
    void end_step();

    /**
     * Calls body(context, begin, end, thread) for ranges that make up [0, items) and returns when all are done. Each thread
     * begins with an equal share of its own, in ascending order, in ranges that become shorter towards its end, and then
     * helps those that are behind; `thread` in [0, threads()) names it, for per-thread scratch memory. Must not be called
     * from inside a body. Less than 2^32 items. Workers that sleep stay asleep: call between begin_step() and end_step().
     */
    void run(int64_t items, void *context, Body body);

    /** What the pool's kernels remember from one command to the next. For the thread that calls run() only. */
    RotaryMemo &rotary_memo();

    /** Where run() notes its numbers of items from now on; null for nowhere. */
    void trace(class Trace *to);

    /** run() for a callable f(int64_t begin, int64_t end, int32_t thread): what is done at once costs less than alone. */
    template <class F>
    void parallel_claims(int64_t items, const F &f) {
        run(items, const_cast<F *>(&f), [](void *context, int64_t begin, int64_t end, int32_t thread) {
            (*static_cast<const F *>(context))(begin, end, thread);
        });
    }

    /** run() for a callable f(int64_t item, int32_t thread). */
    template <class F>
    void parallel_for(int64_t items, const F &f) {
        parallel_claims(items, [&](int64_t begin, int64_t end, int32_t thread) {
            for (int64_t item = begin; item < end; item++) {
                f(item, thread);
            }
        });
    }

    /** Cuts [0, total) into ranges of `grain` (the last may be shorter) and calls f(begin, end, thread) for each. */
    template <class F>
    void parallel_ranges(int64_t total, int64_t grain, const F &f) {
        parallel_for((total + grain - 1) / grain, [&](int64_t item, int32_t thread) {
            int64_t begin = item * grain;
            f(begin, total - begin < grain ? total : begin + grain, thread);
        });
    }

private:
    struct State;
    explicit Pool(State *state);
    ~Pool();
    State *state_;
};

}  // namespace weft

#endif
