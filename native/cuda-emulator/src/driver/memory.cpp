#include "memory.h"

#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <set>

#include "fault.h"
#include "settings.h"
#include "world.h"

namespace weft::driver {

namespace {

#if defined(__x86_64__)
constexpr uint64_t range_bytes = uint64_t{4} << 40;
#else
constexpr uint64_t range_bytes = uint64_t{64} << 30;
#endif
constexpr uint64_t page = 64 << 10;
constexpr uint64_t alignment = 256;

struct Pinned {
    uint64_t bytes;
    bool registered;
};

struct Memory {
    uint64_t seen, real;  // first addresses of the two ranges
    uint64_t next = page;
    std::map<uint64_t, Allocation> live, freed;
    std::map<uint64_t, Pinned> pinned;

    Memory() {
        void *at = mmap(nullptr, 2 * range_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (at == MAP_FAILED) {
            std::perror("CUDA emulator: cannot reserve addresses");
            std::abort();
        }
        seen = reinterpret_cast<uint64_t>(at);
        real = seen + range_bytes;
    }
};

Memory &memory() {
    static Memory &it = *new Memory;
    return it;
}

uint64_t round_up(uint64_t value, uint64_t unit) {
    return (value + unit - 1) / unit * unit;
}

char *real_memory(uint64_t address) {
    return reinterpret_cast<char *>(address + range_bytes);
}

uint64_t room(uint64_t bytes) {
    return round_up(bytes, alignment);
}

const Allocation *at_or_before(const std::map<uint64_t, Allocation> &map, uint64_t address) {
    auto next = map.upper_bound(address);
    return next == map.begin() ? nullptr : &std::prev(next)->second;
}

std::string hex(uint64_t value) {
    char text[32];
    std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
    return text;
}

}  // namespace

uint64_t allocate(int device, uint64_t bytes) {
    Memory &m = memory();
    uint64_t taken = room(bytes), pages = round_up(taken, page);
    if (bytes > settings().memory || bytes_used(device) + taken > settings().memory) {
        return 0;
    }
    if (m.next + pages + page > range_bytes) {
        fault("addresses-exhausted", "this process has allocated " + hex(range_bytes) + " bytes in all");
        return 0;
    }
    // ends where the pages end: the next byte is not mapped
    uint64_t address = m.seen + m.next + pages - taken;
    if (mprotect(real_memory(m.seen + m.next), pages, PROT_READ | PROT_WRITE) != 0) {
        return 0;
    }
    std::memset(real_memory(m.seen + m.next), 0xFF, pages);
    m.next += pages + page;
    m.live.emplace(address, Allocation{address, bytes, device});
    return address;
}

bool release(uint64_t address) {
    Memory &m = memory();
    auto found = m.live.find(address);
    if (found == m.live.end()) {
        return false;
    }
    uint64_t first = address / page * page, bytes = found->second.bytes;
    for (uint64_t i = bytes; i < room(bytes); i++) {
        if (real_memory(address)[i] != static_cast<char>(0xFF)) {
            fault("out-of-bounds", "byte " + std::to_string(i) + " of an allocation of " + std::to_string(bytes) +
                                       " bytes was written");
            break;
        }
    }
    madvise(real_memory(first), address + room(bytes) - first, MADV_DONTNEED);
    mprotect(real_memory(first), address + room(bytes) - first, PROT_NONE);
    m.freed.emplace(*found);
    m.live.erase(found);
    return true;
}

const Allocation *find_allocation(uint64_t address) {
    const Allocation *a = at_or_before(memory().live, address);
    return a != nullptr && address <= a->end() ? a : nullptr;
}

uint64_t bytes_used(int device) {
    uint64_t sum = 0;
    for (const auto &[address, allocation] : memory().live) {
        sum += allocation.device == device ? room(allocation.bytes) : 0;
    }
    return sum;
}

std::string describe_allocations(int device) {
    uint64_t count = 0, bytes = 0;
    for (const auto &[address, allocation] : memory().live) {
        if (allocation.device == device) {
            count++;
            bytes += allocation.bytes;
        }
    }
    return count == 0 ? "" : std::to_string(count) + " allocations of together " + std::to_string(bytes) + " bytes";
}

void release_all(int device) {
    std::set<uint64_t> addresses;
    for (const auto &[address, allocation] : memory().live) {
        if (allocation.device == device) {
            addresses.insert(address);
        }
    }
    for (uint64_t address : addresses) {
        release(address);
    }
}

// ---- host memory

void *allocate_pinned(uint64_t bytes) {
    uint64_t pages = round_up(bytes, page);
    void *at = mmap(nullptr, pages + page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED || mprotect(at, pages, PROT_READ | PROT_WRITE) != 0) {
        return nullptr;
    }
    std::memset(at, 0xFF, bytes);
    memory().pinned.emplace(reinterpret_cast<uint64_t>(at), Pinned{bytes, false});
    return at;
}

bool release_pinned(void *address) {
    auto &pinned = memory().pinned;
    auto found = pinned.find(reinterpret_cast<uint64_t>(address));
    if (found == pinned.end() || found->second.registered) {
        return false;
    }
    munmap(address, round_up(found->second.bytes, page) + page);
    pinned.erase(found);
    return true;
}

bool register_pinned(void *address, uint64_t bytes) {
    return memory().pinned.emplace(reinterpret_cast<uint64_t>(address), Pinned{bytes, true}).second;
}

bool unregister_pinned(void *address) {
    auto &pinned = memory().pinned;
    auto found = pinned.find(reinterpret_cast<uint64_t>(address));
    if (found == pinned.end() || !found->second.registered) {
        return false;
    }
    pinned.erase(found);
    return true;
}

bool is_pinned(uint64_t address, uint64_t bytes) {
    const auto &pinned = memory().pinned;
    auto next = pinned.upper_bound(address);
    return next != pinned.begin() && address + bytes <= std::prev(next)->first + std::prev(next)->second.bytes;
}

uint64_t pinned_count() {
    return memory().pinned.size();
}

void release_all_pinned() {
    auto &pinned = memory().pinned;
    while (!pinned.empty()) {
        auto *address = reinterpret_cast<void *>(pinned.begin()->first);
        if (!release_pinned(address)) {
            pinned.erase(pinned.begin());
        }
    }
}

// ---- reaching

bool is_device_address(uint64_t address) {
    return address - memory().seen < range_bytes;
}

void *reach(uint64_t address, uint64_t bytes) {
    if (!is_device_address(address)) {
        return is_pinned(address, bytes) ? reinterpret_cast<void *>(address) : nullptr;
    }
    const Allocation *a = find_allocation(address);
    return a != nullptr && bytes <= a->end() - address ? real_memory(address) : nullptr;
}

void *reach_either(uint64_t address, uint64_t bytes) {
    return reach(address - memory().real < range_bytes ? address - range_bytes : address, bytes);
}

uint64_t translate(uint64_t pointer) {
    return is_device_address(pointer) && find_allocation(pointer) != nullptr ? pointer + range_bytes : pointer;
}

std::string describe(uint64_t address) {
    Memory &m = memory();
    if (address - m.seen >= 2 * range_bytes) {
        return address < page ? "a null pointer" : "no memory of a device";
    }
    uint64_t seen = address - m.seen < range_bytes ? address : address - range_bytes;
    const Allocation *live = at_or_before(m.live, seen), *freed = at_or_before(m.freed, seen);
    if (freed != nullptr && seen < freed->end()) {
        return "byte " + std::to_string(seen - freed->begin) + " of a freed allocation of " +
               std::to_string(freed->bytes) + " bytes";
    }
    if (live != nullptr && (freed == nullptr || freed->begin < live->begin)) {
        return "byte " + std::to_string(seen - live->begin) + " of an allocation of " + std::to_string(live->bytes) +
               " bytes";
    }
    auto next = m.live.upper_bound(seen);
    return next == m.live.end() ? "not allocated"
                                : std::to_string(next->first - seen) + " bytes before an allocation of " +
                                      std::to_string(next->second.bytes) + " bytes";
}

}  // namespace weft::driver
