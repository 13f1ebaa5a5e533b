#include "prefetches.h"

#include <atomic>

namespace weft::simt {

namespace {

constexpr uintptr_t unit = 16;

std::atomic<uint64_t> prefetched;

}  // namespace

void Prefetches::clear(bool watches) {
    watches_ = watches;
    sees_loads_ = false;
    asked_.clear();
    read_.clear();
}

void Prefetches::expect_loads() {
    watches_ = sees_loads_ = true;
}

void Prefetches::run(uintptr_t from, size_t bytes) {
    asked_.push_back({from, bytes, true});
    prefetched += bytes;
}

void Prefetches::read(const void *from, size_t bytes) {
    auto first = reinterpret_cast<uintptr_t>(from);
    if (watches_ && bytes != 0) {
        for (uintptr_t i = first / unit; i <= (first + bytes - 1) / unit; i++) {
            read_.insert(i);
        }
    }
}

uintptr_t Prefetches::unread() const {
    if (!sees_loads_ && read_.empty()) {
        return 0;
    }
    for (const Asked &asked : asked_) {
        for (uintptr_t at = asked.from; at < asked.from + asked.bytes; at += unit) {
            if ((asked.is_run || sees_loads_) && !read_.contains(at / unit)) {
                return at;
            }
        }
    }
    return 0;
}

uint64_t take_prefetched() {
    return prefetched.exchange(0);
}

}  // namespace weft::simt
