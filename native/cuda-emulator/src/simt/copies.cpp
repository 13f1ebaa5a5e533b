#include "copies.h"

#include <cstring>

#include "block.h"

namespace weft::simt {

void Copies::begin(void *to, const void *from, unsigned bytes, unsigned valid) {
    std::memset(to, 0xFF, bytes);
    copies_.push_back({to, from, bytes, valid});
}

void Copies::commit() {
    group_ends_.push_back(copies_.size());
}

void Copies::wait(unsigned pending) {
    if (group_ends_.size() <= pending) {
        return;
    }
    size_t groups = group_ends_.size() - pending, count = group_ends_[groups - 1];
    land(count);
    group_ends_.erase(group_ends_.begin(), group_ends_.begin() + static_cast<std::ptrdiff_t>(groups));
    for (size_t &end : group_ends_) {
        end -= count;
    }
}

void Copies::wait_all() {
    land(copies_.size());
    group_ends_.clear();
}

void Copies::clear() {
    copies_.clear();
    group_ends_.clear();
}

void Copies::land(size_t count) {
    for (size_t i = 0; i < count; i++) {
        const Copy &copy = copies_[i];
        std::memcpy(copy.to, copy.from, copy.valid);
        std::memset(static_cast<char *>(copy.to) + copy.valid, 0, copy.bytes - copy.valid);
        this_block->store_marks().mark(copy.to, copy.bytes, this_block->running());
    }
    copies_.erase(copies_.begin(), copies_.begin() + static_cast<std::ptrdiff_t>(count));
}

}  // namespace weft::simt
