// What kernels call, for the block that their host thread runs.
#include "weft/cuda/simt.h"

#include <chrono>
#include <cstdint>
#include <string>

#include "block.h"
#include "registry.h"
#include "trap.h"

namespace weft::simt {

Registration::Registration(const char *name, int threads, Body body, int calls, unsigned static_bytes,
                           Body ahead) {
    add_kernel({name, threads, body, calls, static_bytes, ahead});
}

void *shared_memory() {
    return this_block->shared();
}

int barrier(Barrier kind, int predicate, int line) {
    return this_block->barrier(kind, predicate, line);
}

void named_barrier(int id, int threads) {
    this_block->named_barrier(id, static_cast<unsigned>(threads));
}

Meeting &meet(Collective what, unsigned mask, const unsigned *words, int count, void (*finish)(Meeting &)) {
    return this_block->meet(what, mask, words, count, finish);
}

void leave(Meeting &meeting) {
    this_block->leave(static_cast<OpenMeeting &>(meeting));
}

unsigned lane() {
    return this_block->running().number % 32;
}

unsigned shuffle(unsigned mask, unsigned value, int from) {
    Meeting &meeting = meet(Collective::SHUFFLE, mask, &value, 1);
    if (!(meeting.came >> from & 1)) {
        die("shuffle-from-absent-lane", ("lane " + std::to_string(from) + " took no part").c_str());
    }
    unsigned result = meeting.word[from][0];
    leave(meeting);
    return result;
}

unsigned vote(unsigned mask, bool predicate) {
    unsigned word = predicate;
    Meeting &meeting = meet(Collective::VOTE, mask, &word, 1);
    unsigned result = 0;
    for (int i = 0; i < 32; i++) {
        result |= (meeting.came >> i & 1 & meeting.word[i][0]) << i;
    }
    leave(meeting);
    return result;
}

unsigned match(unsigned mask, unsigned value) {
    Meeting &meeting = meet(Collective::MATCH, mask, &value, 1);
    unsigned result = 0;
    for (int i = 0; i < 32; i++) {
        result |= static_cast<unsigned>((meeting.came >> i & 1) && meeting.word[i][0] == value) << i;
    }
    leave(meeting);
    return result;
}

void begin_copy(void *to, const void *from, unsigned bytes, unsigned valid) {
    auto both = reinterpret_cast<uintptr_t>(to) | reinterpret_cast<uintptr_t>(from);  // however much is valid
    if (both % bytes != 0 || valid > bytes) {
        this_block->fail(716, "copy-arguments", "cp.async of " + std::to_string(valid) + " valid bytes of " +
                                                    std::to_string(bytes) + ", or an address that is no multiple of it");
    }
    this_block->running().copies.begin(to, from, bytes, valid);
    this_block->prefetches().read(from, valid);
}

void commit_copies() {
    this_block->running().copies.commit();
}

void wait_copies(int pending) {
    this_block->running().copies.wait(static_cast<unsigned>(pending));
}

namespace {

/** Where the host finds what is prefetched. */
uintptr_t prefetched(const void *from, unsigned bytes) {
    auto address = reinterpret_cast<uintptr_t>(from);
    uintptr_t found = reach_address(address, bytes);
    if (found == 0) {
        this_block->fail(700, "illegal-address",
                         "prefetch of " + std::to_string(bytes) + " bytes: " + describe_address(address));
    }
    return found;
}

}  // namespace

void prefetch_run(const void *from, unsigned bytes) {
    if (reinterpret_cast<uintptr_t>(from) % 16 != 0 || bytes % 16 != 0 || bytes == 0) {
        this_block->fail(716, "prefetch-arguments", "prefetch of " + std::to_string(bytes) +
                                                        " bytes, or from an address, that is no multiple of 16");
    }
    this_block->prefetches().run(prefetched(from, bytes), bytes);
}

void prefetch_sector(const void *from) {
    this_block->prefetches().sector(prefetched(from, 1));
}

void expect_prefetches() {
    this_block->prefetches().expect_loads();
}

void note_load(const void *from, unsigned bytes) {
    this_block->prefetches().read(from, bytes);
}

void pause() {
    this_block->pause();
}

unsigned long long nanoseconds() {
    return static_cast<unsigned long long>(
        std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1));
}

void require_own_features() {
    if (!this_block->own_features()) {
        die("not-in-image", "the image is not for exactly this chip, so the compiler left a trap here");
    }
}

void die(const char *rule, const char *detail) {
    this_block->fail(719, rule, detail);
}

}  // namespace weft::simt
