// wgmma: products of a warpgroup that run beside the threads. Nothing happens until a thread waits: only then are A's
// registers and shared memory read and the sums written, which until then are NaN. So a program that touches one of them too
// early gets wrong numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "weft/cuda/ptx_products.h"

namespace weft::simt {

struct Thread;

/** The products that a thread began, in order. */
class Products {
public:
    void begin(const Product &product);
    void commit() { group_ends_.push_back(pending_.size()); }
    /** How many must be done for at most so many groups to be left. */
    size_t due(unsigned groups) const;
    const Product &operator[](size_t i) const { return pending_[i].product; }
    /** The sums of the next product to be done become what they were when it began. */
    void restore(size_t i);
    void done(size_t count, unsigned groups);
    bool empty() const { return pending_.empty(); }
    void clear();

private:
    struct Pending {
        Product product;
        bool is_first;  // on these sums: others add to what the one before it leaves
        std::vector<float> sums;
    };
    void take_sums(Pending &pending);

    std::vector<Pending> pending_;
    std::vector<size_t> group_ends_;
};

/** Who last wrote 16 bytes of shared memory and has not passed a fence to products since. */
class StoreMarks {
public:
    void cover(char *start) { start_ = start; }
    void clear() { is_used_ = false; }
    /** From now on in this block. */
    void use();
    void mark(const void *at, size_t bytes, const Thread &thread);
    /** Ends the launch if a thread stored here and passed no fence since. */
    void check(const void *at) const;

private:
    char *start_ = nullptr;
    bool is_used_ = false;
    std::vector<uint32_t> marks_;
};

}  // namespace weft::simt
