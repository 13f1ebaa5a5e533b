#include "plan.h"

#include "checks.h"

namespace emu {

namespace {

constexpr int64_t kMagic = 0x574D4C41;

uint64_t mix(uint64_t hash, uint64_t value) {  // FNV-1a
    for (int byte = 0; byte < 8; byte++) {
        hash = (hash ^ ((value >> (8 * byte)) & 0xFF)) * 0x100000001B3ULL;
    }
    return hash;
}

}  // namespace

uint64_t hash_lengths(const Run& run, const std::vector<const char*>& names) {
    uint64_t hash = 0xCBF29CE484222325ULL;
    for (const char* name : names) {
        const Tensor* tensor = present(run, name);
        hash = mix(hash, tensor == nullptr ? 0 : 1);
        if (tensor != nullptr) {
            for (int64_t value : run.ints(*tensor)) {
                hash = mix(hash, static_cast<uint64_t>(value));
            }
        }
    }
    return hash;
}

int64_t layout_code(const std::string& layout) {
    return layout == "TND" ? 1 : layout == "BSND" ? 0 : 2;
}

std::vector<int64_t> encode(Run& run, const Plan& plan) {
    std::vector<int64_t> words(static_cast<size_t>(kMetadataWords));
    for (int64_t& word : words) {
        word = static_cast<int32_t>(run.random()());
    }
    size_t at = 0;
    words[at++] = kMagic;
    words[at++] = static_cast<int32_t>(plan.lengths & 0xFFFFFFFFU);
    words[at++] = static_cast<int32_t>(plan.lengths >> 32);
    for (const auto& [name, value] : plan.fields) {
        words[at++] = static_cast<int32_t>(value);
    }
    return words;
}

void verify(Run& run, const Plan& plan, const std::vector<int64_t>& metadata, const char* cite) {
    size_t at = 0;
    if (metadata[at++] != kMagic) {
        run.device_exception("metadata was not written by the metadata operator", cite);
    }
    const uint64_t low = static_cast<uint32_t>(metadata[at++]);
    const uint64_t high = static_cast<uint32_t>(metadata[at++]);
    for (const auto& [name, value] : plan.fields) {
        const int64_t found = metadata[at++];
        if (found != value) {
            run.device_exception(std::string("metadata was made for ") + name + " " + std::to_string(found) +
                                     ", this call has " + std::to_string(value),
                                 cite);
        }
    }
    if ((low | (high << 32)) != plan.lengths) {
        run.device_exception("metadata was made for other sequence lengths: it is stale, or one of the two calls got "
                             "an optional length tensor that the other did not",
                             cite);
    }
}

}  // namespace emu
