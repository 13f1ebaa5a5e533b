#include "statics.h"

#include <link.h>

#include <cstdint>
#include <cstring>
#include <unordered_map>

// How compiled code finds a thread-local variable: makes the memory of the module if this thread has none yet.
struct tls_index {
    size_t module, offset;
};
extern "C" void *__tls_get_addr(tls_index *);

namespace weft::simt {

namespace {

struct Region {
    uintptr_t body;
    char *start = nullptr;
    size_t bytes = 0;
};

int visit(dl_phdr_info *info, size_t, void *argument) {
    auto *region = static_cast<Region *>(argument);
    const ElfW(Phdr) *statics = nullptr;
    bool holds = false;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) &part = info->dlpi_phdr[i];
        holds |= part.p_type == PT_LOAD && region->body - (info->dlpi_addr + part.p_vaddr) < part.p_memsz;
        if (part.p_type == PT_TLS) {
            statics = &part;
        }
    }
    // shared memory has no initial values: variables that have some are not ours
    if (holds && statics != nullptr && statics->p_filesz == 0) {
        tls_index index{info->dlpi_tls_modid, 0};
        region->start = static_cast<char *>(__tls_get_addr(&index));
        region->bytes = statics->p_memsz;
    }
    return holds;
}

}  // namespace

void poison_statics(Body body) {
    static thread_local std::unordered_map<Body, Region> regions;
    auto [found, fresh] = regions.try_emplace(body, Region{reinterpret_cast<uintptr_t>(body)});
    if (fresh) {
        dl_iterate_phdr(visit, &found->second);
    }
    if (found->second.bytes != 0) {
        std::memset(found->second.start, 0xFF, found->second.bytes);
    }
}

}  // namespace weft::simt
