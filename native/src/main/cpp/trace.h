// The parallel loops of a step, so that it can be repeated with nothing in them: what is left is the overhead.
#ifndef WEFT_TRACE_H
#define WEFT_TRACE_H

#include <stdint.h>

#include <new>
#include <vector>

#include "pool.h"

namespace weft {

class Trace {
public:
    void clear() { marks_.clear(); }

    /** A command begins. */
    void next_command() noexcept { add(COMMAND); }

    /** The command runs a loop over that many items. */
    void note(int64_t items) noexcept { add(items); }

    /** Runs the loops of all commands with nothing in them; false if there are not that many commands. */
    bool repeat(Pool &pool, int64_t commands) const {
        int64_t begun = 0;
        for (int64_t mark : marks_) {
            if (mark == COMMAND) {
                begun++;
            } else {
                pool.run(mark, nullptr, [](void *, int64_t, int64_t, int32_t) {});
            }
        }
        return begun == commands;
    }

private:
    static constexpr int64_t COMMAND = -1;

    void add(int64_t mark) noexcept {
        try {
            marks_.push_back(mark);
        } catch (const std::bad_alloc &) {
            marks_.clear();  // too few commands: repeat() refuses
        }
    }

    std::vector<int64_t> marks_;
};

}  // namespace weft

#endif
