#include "trap.h"

#include <dlfcn.h>
#include <signal.h>
#include <ucontext.h>

#include <cstdio>
#include <cstdlib>
#include <mutex>

#include "block.h"

namespace weft::simt {

std::string (*describe_address)(uintptr_t) = nullptr;
uintptr_t (*reach_address)(uintptr_t, size_t) = nullptr;

namespace {

constexpr size_t handler_stack_bytes = 64 << 10;

struct Trap {
    int signal;
    uintptr_t address, at;
    char *stack;  // on which the fault is reported: the kernel's own may have overflowed
};
__thread Trap trap __attribute__((tls_model("initial-exec")));

struct sigaction before[NSIG];

std::string place_in_library(uintptr_t at) {
    Dl_info info;
    char text[32];
    if (dladdr(reinterpret_cast<void *>(at), &info) == 0) {
        return "";
    }
    std::snprintf(text, sizeof text, " 0x%zx", static_cast<size_t>(at - reinterpret_cast<uintptr_t>(info.dli_fbase)));
    return std::string(" [addr2line -e ") + info.dli_fname + text + "]";
}

[[noreturn]] void report() {
    Block &block = *this_block;
    std::string place = place_in_library(trap.at);
    char address[32];
    std::snprintf(address, sizeof address, "0x%zx", static_cast<size_t>(trap.address));
    switch (trap.signal) {
        case SIGILL:
        case SIGTRAP:
            block.fail(716, "undefined-operation",
                       "misaligned access, index outside an array, shift by more than the width or division by 0" + place);
        case SIGFPE:
            block.fail(719, "division-by-zero", "integer division by 0" + place);
        default: {
            auto shared = reinterpret_cast<uintptr_t>(block.shared());
            if (trap.address - shared < (size_t{64} << 20)) {
                block.fail(700, "shared-out-of-bounds",
                           "byte " + std::to_string(trap.address - shared) + " of " +
                               std::to_string(block.shared_bytes()) + " of shared memory" + place);
            }
            if (trap.address - block.stack_guard() < stack_guard_bytes) {
                block.fail(719, "stack-overflow", "more than " + std::to_string(stack_bytes) + " bytes of stack" + place);
            }
            // before it waits, a kernel has the addresses of callers, where nothing is mapped
            if (block.running().is_ahead && reach_address(trap.address, 1) != 0) {
                block.fail(719, "read-before-wait",
                           "global memory while kernels ahead may write it, " + describe_address(trap.address) + place);
            }
            block.fail(700, "illegal-address",
                       std::string(address) + (describe_address ? ": " + describe_address(trap.address) : "") + place);
        }
    }
}

void on_signal(int signal, siginfo_t *info, void *context) {
    if (this_block != nullptr && this_block->is_running()) {
        auto &machine = static_cast<ucontext_t *>(context)->uc_mcontext;
        trap.signal = signal;
        trap.address = reinterpret_cast<uintptr_t>(info->si_addr);
        // the handler returns into report(), on a stack of its own, with the signals as they were
        auto stack = reinterpret_cast<uintptr_t>(trap.stack + handler_stack_bytes) & ~uintptr_t{15};
#if defined(__x86_64__)
        trap.at = static_cast<uintptr_t>(machine.gregs[REG_RIP]);
        machine.gregs[REG_RIP] = reinterpret_cast<greg_t>(report);
        machine.gregs[REG_RSP] = static_cast<greg_t>(stack - 8);  // as if called
#elif defined(__aarch64__)
        trap.at = machine.pc;
        machine.pc = reinterpret_cast<uintptr_t>(report);
        machine.sp = stack;
#endif
        return;
    }
    const struct sigaction &other = before[signal];
    if (other.sa_flags & SA_SIGINFO) {
        other.sa_sigaction(signal, info, context);
    } else if (other.sa_handler != SIG_DFL && other.sa_handler != SIG_IGN) {
        other.sa_handler(signal);
    } else {
        sigaction(signal, &other, nullptr);  // happens again, without us
    }
}

}  // namespace

void install_traps() {
    static std::once_flag once;
    std::call_once(once, [] {
        for (int signal : {SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE}) {
            struct sigaction action {};
            action.sa_sigaction = on_signal;
            action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
            sigfillset(&action.sa_mask);
            sigaction(signal, &action, &before[signal]);
        }
    });
}

void prepare_thread() {
    stack_t stack{};
    stack.ss_size = handler_stack_bytes;
    stack.ss_sp = std::malloc(stack.ss_size);
    sigaltstack(&stack, nullptr);
    trap.stack = static_cast<char *>(std::malloc(handler_stack_bytes));
}

}  // namespace weft::simt
