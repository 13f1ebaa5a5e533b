// What a block prefetches and what of global memory it reads: bytes that are prefetched and not read are a mistake, since memory
// delivers them in place of others. Kernels from PTX note every load; in a kernel's text only cp.async is seen, so there a block
// is asked for the runs that it prefetched, and only if it copies.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_set>
#include <vector>

namespace weft::simt {

class Prefetches {
public:
    void clear(bool watches);
    /** From now on in this block, whose loads are all noted. */
    void expect_loads();
    void run(uintptr_t from, size_t bytes);
    void sector(uintptr_t from) { asked_.push_back({from, 1, false}); }
    void read(const void *from, size_t bytes);
    /** Address of something prefetched that was not read; 0 if all was. */
    uintptr_t unread() const;

private:
    struct Asked {
        uintptr_t from;
        size_t bytes;
        bool is_run;
    };

    bool watches_ = false, sees_loads_ = false;
    std::vector<Asked> asked_;
    std::unordered_set<uintptr_t> read_;  // numbers of 16 bytes
};

/** Bytes of the runs that all blocks have prefetched since the last call. */
uint64_t take_prefetched();

}  // namespace weft::simt
