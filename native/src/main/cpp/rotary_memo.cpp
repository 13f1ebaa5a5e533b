#include "rotary_memo.h"

#include <string.h>

#include <new>

namespace weft {

namespace {

constexpr int64_t MOST_FREQUENCIES = 64;
constexpr int64_t MOST_POSITIONS = 1024;
/** Of one table: all positions at the model's 64 rotated lanes. */
constexpr int64_t MOST_FACTORS = MOST_POSITIONS * 2 * 64;
/** A model has two lists of frequencies: for its windows and for its compressed layers. */
constexpr int64_t ENTRIES = 2;

}  // namespace

struct RotaryMemo::Entry {
    int64_t frequency_count;  // 0: unused
    int64_t position_count;
    float frequencies[MOST_FREQUENCIES];
    int32_t positions[MOST_POSITIONS];
    alignas(64) float factors[MOST_FACTORS];

    bool has(const float *f, int64_t count) const {
        return frequency_count == count && memcmp(frequencies, f, uint64_t(count) * sizeof *f) == 0;
    }

    bool is_at(const int32_t *p, int64_t count) const {
        return position_count == count && memcmp(positions, p, uint64_t(count) * sizeof *p) == 0;
    }
};

RotaryMemo *RotaryMemo::create() noexcept {
    // not initialised beyond the counts: pages that no model needs are never touched
    auto *entries = new (std::nothrow) Entry[ENTRIES];
    if (entries == nullptr) {
        return nullptr;
    }
    for (int64_t i = 0; i < ENTRIES; i++) {
        entries[i].frequency_count = 0;
        entries[i].position_count = 0;
    }
    auto *memo = new (std::nothrow) RotaryMemo(entries);
    if (memo == nullptr) {
        delete[] entries;
    }
    return memo;
}

RotaryMemo::~RotaryMemo() {
    delete[] entries_;
}

void RotaryMemo::destroy(RotaryMemo *memo) noexcept {
    delete memo;
}

RotaryMemo::Table RotaryMemo::table(const float *frequencies, int64_t dim, const int32_t *positions,
                                    int64_t count) noexcept {
    const int64_t half = dim / 2;
    if (half < 1 || half > MOST_FREQUENCIES || count > MOST_POSITIONS || count * 2 * dim > MOST_FACTORS) {
        return {nullptr, false};
    }
    Entry *entry = nullptr;
    for (int64_t i = 0; i < ENTRIES && entry == nullptr; i++) {
        entry = entries_[i].has(frequencies, half) ? &entries_[i] : nullptr;
    }
    if (entry != nullptr && entry->is_at(positions, count)) {
        return {entry->factors, true};
    }
    if (entry == nullptr) {
        entry = &entries_[displaced_++ % ENTRIES];
        entry->frequency_count = half;
        memcpy(entry->frequencies, frequencies, uint64_t(half) * sizeof *frequencies);
    }
    entry->position_count = count;
    memcpy(entry->positions, positions, uint64_t(count) * sizeof *positions);
    return {entry->factors, false};
}

}  // namespace weft
