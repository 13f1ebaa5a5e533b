// Device memory as another address space, and pinned host memory.
//
// A device is one sparse memory file. Callers get addresses of a reservation that cannot be read or written, so a host
// dereference traps as it does on a machine with a card; the emulator works through a second mapping of the file.
// Addresses are never given out twice in a process: every stale one is recognised.
//
// All functions that look at allocations want the world's lock held.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "elements.h"

namespace emu {

constexpr int most_devices = 16;

struct Allocation {
    uint64_t begin;
    uint64_t size;      // as asked for
    uint64_t capacity;  // rounded as the product rounds
    int device;
};

bool is_device(uint64_t address);
int device_of(uint64_t address);
/** The same byte in the emulator's own mapping. Needs no lock. */
void* device_pointer(uint64_t address);

/** Fresh memory, filled with 0xFF (a NaN in every float type); 0 when the device has no more. */
uint64_t allocate(int device, uint64_t size);
/** False when no allocation starts there. */
bool release(uint64_t address);
/** The live allocation that holds the whole range, or nullptr. */
const Allocation* allocation_of(ByteRange range);
const std::map<uint64_t, Allocation>& allocations();
uint64_t memory_used(int device);
void release_all_devices();

/** Pinned host memory: allocated here, or the caller's own pages registered. */
void* allocate_pinned(uint64_t size);
bool release_pinned(void* pointer);
bool register_pinned(void* pointer, uint64_t size);
bool unregister_pinned(void* pointer);
bool is_pinned(ByteRange range);
/** Bytes of the pinned block that starts there, 0 when none does. */
uint64_t pinned_size(const void* pointer);
size_t pinned_count();
void release_all_pinned();

/** Whether the range is live device memory or live pinned memory. */
bool is_live(ByteRange range);

std::string hex(uint64_t v);
std::string describe(ByteRange range);

}  // namespace emu
