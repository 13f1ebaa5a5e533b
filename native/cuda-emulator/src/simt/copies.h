// cp.async: copies from global to shared memory that a thread has begun. The destination is filled with 0xFF when the
// copy begins and gets its data only when the thread waits for it, so that both reading before the wait and beginning
// while others still read the old contents show.
#pragma once

#include <cstddef>
#include <vector>

namespace weft::simt {

class Copies {
public:
    /** 4, 8 or 16 bytes; those from `valid` on are zeroed. */
    void begin(void *to, const void *from, unsigned bytes, unsigned valid);
    void commit();
    /** Until at most `pending` groups are not done. */
    void wait(unsigned pending);
    void wait_all();
    bool empty() const { return copies_.empty(); }
    void clear();

private:
    struct Copy {
        void *to;
        const void *from;
        unsigned bytes, valid;
    };
    void land(size_t count);

    std::vector<Copy> copies_;
    std::vector<size_t> group_ends_;  // indices into copies_
};

}  // namespace weft::simt
