// Memory of devices, and host memory that devices reach.
//
// Two ranges of addresses of equal size are reserved. Those of the first are what callers get: nothing is ever mapped
// there, so the host cannot touch device memory by mistake. The memory itself lies at the same distance in the second
// range; copies and kernels reach it there. Every allocation is filled with 0xFF, ends at an unmapped page and keeps its
// addresses for itself for the rest of the process. Functions are called under the lock of the world.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace weft::driver {

struct Allocation {
    uint64_t begin, bytes;
    int device;

    uint64_t end() const { return begin + bytes; }
};

/** The new allocation's address; 0 when the device has not that much left. */
uint64_t allocate(int device, uint64_t bytes);
/** Whether something began at this address. */
bool release(uint64_t address);
/** The allocation that holds this byte, or ends there. */
const Allocation *find_allocation(uint64_t address);
uint64_t bytes_used(int device);
/** Number and sum of what the device has allocated, for a report of leaks. */
std::string describe_allocations(int device);
void release_all(int device);

void *allocate_pinned(uint64_t bytes);
bool release_pinned(void *address);
bool register_pinned(void *address, uint64_t bytes);
bool unregister_pinned(void *address);
bool is_pinned(uint64_t address, uint64_t bytes);
uint64_t pinned_count();
void release_all_pinned();

/** Where the host finds these bytes of a device or of pinned memory; nullptr if they are not all allocated. */
void *reach(uint64_t address, uint64_t bytes);
/** The same by an address that callers or kernels have. */
void *reach_either(uint64_t address, uint64_t bytes);
/** As reach for a pointer of which it is not known how far it is followed; unchanged unless it lies in an allocation. */
uint64_t translate(uint64_t pointer);
bool is_device_address(uint64_t address);
/** What is or was at an address that could not be followed. */
std::string describe(uint64_t address);

}  // namespace weft::driver
