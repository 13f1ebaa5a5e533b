// Fibers: stacks between which a host thread switches. A switch saves what a called function must preserve, nothing more.
#pragma once

#include <cstddef>

namespace weft::simt {

struct Fiber {
    void *stack_pointer = nullptr;
    char *stack = nullptr;  // lowest byte; a guard page lies below
};

constexpr size_t stack_bytes = 128 << 10;
constexpr size_t stack_guard_bytes = 256 << 10;

/** A fiber that begins with `entry`, which must not return. Its stack lives as long as the process. */
Fiber *make_fiber(void (*entry)());
/** Forgets what the fiber was doing; it begins with `entry` again. */
void reset(Fiber &fiber, void (*entry)());
/** Goes on with `to`; returns when somebody goes on with `from`. */
void go_on(Fiber &from, Fiber &to);

}  // namespace weft::simt
