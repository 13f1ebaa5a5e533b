#include "processors.h"

#if defined(__linux__)
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace weft {

#if defined(__linux__)

namespace {

// values of the kernel's interface, whose header needs libnuma's package
constexpr int MPOL_INTERLEAVE_MODE = 3;
constexpr unsigned long MEMORY_ALLOWED = 1ul << 2;
constexpr int MOST_NODES = 1024;
constexpr int WORD_BITS = 64;

/** A bit per memory node. */
struct Nodes {
    unsigned long words[MOST_NODES / WORD_BITS] = {};
    bool known() { return syscall(SYS_get_mempolicy, nullptr, words, MOST_NODES, nullptr, MEMORY_ALLOWED) == 0; }
};

/** A set of processors of any size the system has. */
class ProcessorSet {
public:
    ProcessorSet() : set_(CPU_ALLOC(MOST)) { CPU_ZERO_S(BYTES, set_); }
    ~ProcessorSet() { CPU_FREE(set_); }
    ProcessorSet(const ProcessorSet &) = delete;
    ProcessorSet &operator=(const ProcessorSet &) = delete;

    static constexpr int MOST = 4096;
    static constexpr size_t BYTES = MOST / 8;
    cpu_set_t *get() { return set_; }
    bool has(int i) const { return CPU_ISSET_S(i, BYTES, set_); }

private:
    cpu_set_t *set_;
};

}  // namespace

int32_t usable_processors(int32_t *processors, int32_t capacity) {
    ProcessorSet set;
    int32_t n = 0;
    if (sched_getaffinity(0, ProcessorSet::BYTES, set.get()) != 0) {
        return 0;
    }
    for (int i = 0; i < ProcessorSet::MOST; i++) {
        if (set.has(i)) {
            if (n < capacity) {
                processors[n] = i;
            }
            n++;
        }
    }
    return n;
}

bool pin(pthread_t thread, int32_t processor) {
    if (processor < 0 || processor >= ProcessorSet::MOST) {
        return false;
    }
    ProcessorSet set;
    CPU_SET_S(processor, ProcessorSet::BYTES, set.get());
    return pthread_setaffinity_np(thread, ProcessorSet::BYTES, set.get()) == 0;
}

int32_t pinned_to(pthread_t thread) {
    ProcessorSet set;
    if (pthread_getaffinity_np(thread, ProcessorSet::BYTES, set.get()) != 0 ||
        CPU_COUNT_S(ProcessorSet::BYTES, set.get()) != 1) {
        return -1;
    }
    int32_t i = 0;
    while (!set.has(i)) {
        i++;
    }
    return i;
}

int32_t memory_nodes() {
    Nodes nodes;
    int32_t n = 0;
    if (nodes.known()) {
        for (unsigned long word : nodes.words) {
            n += __builtin_popcountl(word);
        }
    }
    return n;
}

bool interleave(void *memory, int64_t bytes) {
    Nodes nodes;
    const uintptr_t page = uintptr_t(sysconf(_SC_PAGESIZE));
    const uintptr_t begin = (uintptr_t(memory) + page - 1) / page * page;
    const uintptr_t end = (uintptr_t(memory) + uintptr_t(bytes)) / page * page;
    if (!nodes.known()) {
        return false;
    }
    return begin >= end || syscall(SYS_mbind, begin, end - begin, MPOL_INTERLEAVE_MODE, nodes.words, MOST_NODES, 0) == 0;
}

#else

int32_t usable_processors(int32_t *, int32_t) { return 0; }
bool pin(pthread_t, int32_t) { return false; }
int32_t pinned_to(pthread_t) { return -1; }
int32_t memory_nodes() { return 0; }
bool interleave(void *, int64_t) { return false; }

#endif

}  // namespace weft
