#include "device_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <random>
#include <stdexcept>

#include "config.h"
#include "world.h"

namespace emu {

namespace {

#ifdef __SANITIZE_THREAD__
constexpr uint64_t span = 1ULL << 31;  // the thread sanitizer leaves little address space
#else
constexpr uint64_t span = 1ULL << 40;  // address space of one device
#endif
constexpr uint64_t page = 4096;

/** Reserves the addresses of all devices: where real device addresses lie if that is free, else anywhere. */
uint64_t reserve() {
    void* wanted = reinterpret_cast<void*>(0x124000000000);
    void* at = mmap(wanted, span * most_devices, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) {
        throw std::runtime_error("cann-emulator: cannot reserve addresses for device memory");
    }
    return reinterpret_cast<uint64_t>(at);
}

const uint64_t first_address = reserve();

struct Space {
    int file = -1;
    uint8_t* mapped = nullptr;  // the emulator's view
    uint64_t used = 0;          // bytes allocated
    uint64_t next = page;       // offset of the next allocation; grows for the life of the process
};

Space spaces[most_devices];
std::map<uint64_t, Allocation> live;

struct Pinned {
    uint64_t size;
    bool registered;
};
std::map<uint64_t, Pinned> pinned;

void open_space(int device) {
    Space& s = spaces[device];
    s.file = memfd_create("weft-cann-emulator", MFD_CLOEXEC);
    if (s.file < 0 || ftruncate(s.file, static_cast<off_t>(span)) != 0) {
        throw std::runtime_error("cann-emulator: cannot make device memory");
    }
    void* at = mmap(nullptr, span, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, s.file, 0);
    if (at == MAP_FAILED) {
        throw std::runtime_error("cann-emulator: cannot map device memory");
    }
    s.mapped = static_cast<uint8_t*>(at);
}

uint64_t align_up(uint64_t v, uint64_t to) {
    return (v + to - 1) / to * to;
}

/** runtime docs aclrtMalloc: rounded up to 32 bytes on 950, to 32 bytes plus 32 on A2/A3. */
uint64_t capacity_for(uint64_t size) {
    bool old = config().soc == Soc::A2 || config().soc == Soc::A3;
    return align_up(size, 32) + (old ? 32 : 0);
}

}  // namespace

bool is_device(uint64_t address) {
    return address >= first_address && address < first_address + most_devices * span;
}

int device_of(uint64_t address) {
    return static_cast<int>((address - first_address) / span);
}

void* device_pointer(uint64_t address) {
    if (!is_device(address) || spaces[device_of(address)].mapped == nullptr) {
        throw std::logic_error("not a device address: " + hex(address));
    }
    return spaces[device_of(address)].mapped + (address - first_address) % span;
}

uint64_t allocate(int device, uint64_t size) {
    Space& s = spaces[device];
    if (s.file < 0) {
        open_space(device);
    }
    uint64_t capacity = capacity_for(size);
    if (size > config().memory || s.used + capacity > config().memory) {
        return 0;
    }
    // 64 bytes is all the documentation promises, so no allocation is better aligned than that
    static std::mt19937_64 random(config().seed);
    uint64_t offset = s.next + 64 * (1 + 2 * (random() % 16));
    if (offset + capacity + 2 * page > span) {
        return 0;
    }
    s.next = align_up(offset + capacity, page) + page;
    s.used += capacity;
    uint64_t address = first_address + static_cast<uint64_t>(device) * span + offset;
    std::memset(s.mapped + offset, 0xFF, capacity);
    live.emplace(address, Allocation{address, size, capacity, device});
    return address;
}

bool release(uint64_t address) {
    auto found = live.find(address);
    if (found == live.end()) {
        return false;
    }
    const Allocation& a = found->second;
    Space& s = spaces[a.device];
    s.used -= a.capacity;
    uint64_t offset = (address - first_address) % span / page * page;
    uint64_t end = align_up((address - first_address) % span + a.capacity, page);
    fallocate(s.file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
              static_cast<off_t>(end - offset));
    live.erase(found);
    return true;
}

const Allocation* allocation_of(ByteRange range) {
    auto next = live.upper_bound(range.begin);
    if (next == live.begin()) {
        return nullptr;
    }
    const Allocation& a = std::prev(next)->second;
    return range.end <= a.begin + a.capacity ? &a : nullptr;
}

const std::map<uint64_t, Allocation>& allocations() {
    return live;
}

uint64_t memory_used(int device) {
    return spaces[device].used;
}

void release_all_devices() {
    while (!live.empty()) {
        release(live.begin()->first);
    }
}

void* allocate_pinned(uint64_t size) {
    uint64_t length = align_up(size, page);
    void* at = mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) {
        return nullptr;
    }
    std::memset(at, 0xFF, length);
    pinned.emplace(reinterpret_cast<uint64_t>(at), Pinned{size, false});
    return at;
}

bool release_pinned(void* pointer) {
    auto found = pinned.find(reinterpret_cast<uint64_t>(pointer));
    if (found == pinned.end() || found->second.registered) {
        return false;
    }
    munmap(pointer, align_up(found->second.size, page));
    pinned.erase(found);
    return true;
}

bool register_pinned(void* pointer, uint64_t size) {
    return pinned.emplace(reinterpret_cast<uint64_t>(pointer), Pinned{size, true}).second;
}

bool unregister_pinned(void* pointer) {
    auto found = pinned.find(reinterpret_cast<uint64_t>(pointer));
    if (found == pinned.end() || !found->second.registered) {
        return false;
    }
    pinned.erase(found);
    return true;
}

bool is_pinned(ByteRange range) {
    auto next = pinned.upper_bound(range.begin);
    if (next == pinned.begin()) {
        return false;
    }
    auto block = std::prev(next);
    return range.end <= block->first + block->second.size;
}

uint64_t pinned_size(const void* pointer) {
    auto found = pinned.find(reinterpret_cast<uint64_t>(pointer));
    return found == pinned.end() ? 0 : found->second.size;
}

size_t pinned_count() {
    return pinned.size();
}

void release_all_pinned() {
    while (!pinned.empty()) {
        void* pointer = reinterpret_cast<void*>(pinned.begin()->first);
        if (!release_pinned(pointer)) {
            unregister_pinned(pointer);
        }
    }
}

bool is_live(ByteRange range) {
    return is_device(range.begin) ? allocation_of(range) != nullptr : is_pinned(range);
}

std::string hex(uint64_t v) {
    char text[32];
    std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(v));
    return text;
}

std::string describe(ByteRange range) {
    return hex(range.begin) + ".." + hex(range.end);
}

}  // namespace emu
