#include "fiber.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstring>
#include <new>

extern "C" void weft_simt_switch(void **save, void *load) __attribute__((visibility("hidden")));

#if defined(__x86_64__)
asm(R"(
.text
.globl weft_simt_switch
.hidden weft_simt_switch
.type weft_simt_switch, @function
weft_simt_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
.size weft_simt_switch, .-weft_simt_switch
)");
namespace {
constexpr size_t frame_words = 8;  // six registers, the address to return to, and that of the entry's caller: none
constexpr size_t entry_word = 6;
}  // namespace
#elif defined(__aarch64__)
asm(R"(
.text
.globl weft_simt_switch
.hidden weft_simt_switch
.type weft_simt_switch, %function
weft_simt_switch:
    sub sp, sp, #160
    stp x19, x20, [sp, #0]
    stp x21, x22, [sp, #16]
    stp x23, x24, [sp, #32]
    stp x25, x26, [sp, #48]
    stp x27, x28, [sp, #64]
    stp x29, x30, [sp, #80]
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    mov x9, sp
    str x9, [x0]
    mov sp, x1
    ldp x19, x20, [sp, #0]
    ldp x21, x22, [sp, #16]
    ldp x23, x24, [sp, #32]
    ldp x25, x26, [sp, #48]
    ldp x27, x28, [sp, #64]
    ldp x29, x30, [sp, #80]
    ldp d8, d9, [sp, #96]
    ldp d10, d11, [sp, #112]
    ldp d12, d13, [sp, #128]
    ldp d14, d15, [sp, #144]
    add sp, sp, #160
    ret
.size weft_simt_switch, .-weft_simt_switch
)");
namespace {
constexpr size_t frame_words = 20;
constexpr size_t entry_word = 11;
}  // namespace
#else
#error "the SIMT engine switches stacks on x86-64 and aarch64 only"
#endif

namespace weft::simt {

Fiber *make_fiber(void (*entry)()) {
    constexpr size_t guard = stack_guard_bytes;
    void *at = mmap(nullptr, guard + stack_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED || mprotect(static_cast<char *>(at) + guard, stack_bytes, PROT_READ | PROT_WRITE) != 0) {
        throw std::bad_alloc();
    }
    auto *fiber = new Fiber{nullptr, static_cast<char *>(at) + guard};
    reset(*fiber, entry);
    return fiber;
}

void reset(Fiber &fiber, void (*entry)()) {
    auto *frame = reinterpret_cast<uint64_t *>(fiber.stack + stack_bytes) - frame_words;
    std::memset(frame, 0, frame_words * sizeof *frame);
    frame[entry_word] = reinterpret_cast<uint64_t>(entry);
    fiber.stack_pointer = frame;
}

void go_on(Fiber &from, Fiber &to) {
    weft_simt_switch(&from.stack_pointer, to.stack_pointer);
}

}  // namespace weft::simt
