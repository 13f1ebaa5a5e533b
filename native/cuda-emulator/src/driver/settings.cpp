#include "settings.h"

#include <cstdlib>
#include <map>
#include <mutex>
#include <sstream>
#include <stdexcept>
#include <vector>

#include "world.h"

namespace weft::driver {

namespace {

constexpr Chip chips[] = {{80, 108, 166912, 41943040, 1410000, 1215000, 5120},
                          {89, 128, 101376, 75497472, 2520000, 10501000, 384},
                          {90, 132, 232448, 62914560, 1980000, 3201000, 6144},
                          {100, 148, 232448, 132644864, 1965000, 3996000, 8192},
                          {120, 188, 101376, 134217728, 2617000, 14001000, 512}};

struct Injection {
    std::string point;
    uint64_t at;
    int code;
};

uint64_t number(const std::string &text) {
    size_t used = 0;
    uint64_t value = std::stoull(text, &used);
    if (used != text.size()) {
        throw std::invalid_argument(text);
    }
    return value;
}

uint64_t within(const std::string &text, uint64_t least, uint64_t most) {
    uint64_t value = number(text);
    if (value < least || value > most) {
        throw std::out_of_range(text);
    }
    return value;
}

const Chip *chip_of(int sm) {
    for (const Chip &chip : chips) {
        if (chip.sm == sm) {
            return &chip;
        }
    }
    throw std::out_of_range("sm");
}

std::vector<Injection> parse_failures(const std::string &text) {
    std::vector<Injection> out;
    std::istringstream in(text);
    for (std::string part; std::getline(in, part, ',');) {
        size_t first = part.find(':'), second = part.find(':', first + 1);
        if (second == std::string::npos) {
            throw std::invalid_argument(part);
        }
        out.push_back({part.substr(0, first), number(part.substr(first + 1, second - first - 1)),
                       static_cast<int>(number(part.substr(second + 1)))});
    }
    return out;
}

/** The settings and the calls counted for injected failures. */
struct State {
    std::mutex mutex;
    Settings settings;
    std::vector<Injection> injections;
    std::map<std::string, uint64_t> calls;

    State() {
        settings.chip = chip_of(90);
        for (const char *key : {"sm", "devices", "memory", "driver", "seed", "delay", "fail", "stub", "static"}) {
            std::string name = std::string("WEFT_CUDA_EMULATOR_") + key;
            for (char &c : name) {
                c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c);
            }
            if (const char *value = std::getenv(name.c_str())) {
                set(key, value);
            }
        }
    }

    void set(const std::string &key, const std::string &value) {
        if (key == "sm") {
            settings.chip = chip_of(static_cast<int>(number(value)));
        } else if (key == "devices") {
            settings.devices = static_cast<int>(within(value, 0, most_devices));
        } else if (key == "memory") {
            settings.memory = number(value);
        } else if (key == "driver") {
            settings.driver_version = static_cast<int>(within(value, 1000, 99990));
        } else if (key == "seed") {
            settings.seed = number(value);
        } else if (key == "delay") {
            settings.delay = static_cast<unsigned>(within(value, 0, 1000000));
        } else if (key == "stub") {
            settings.stub = within(value, 0, 1) == 1;
        } else if (key == "static") {
            settings.static_bytes = static_cast<int>(within(value, 0, 1 << 20));
        } else if (key == "fail") {
            injections = parse_failures(value);
            calls.clear();
        } else {
            throw std::invalid_argument(key);
        }
    }
};

State &state() {
    static State &it = *new State;  // threads of streams outlive static objects
    return it;
}

}  // namespace

const Settings &settings() {
    return state().settings;
}

int configure(const std::string &key, const std::string &value) {
    std::lock_guard lock(state().mutex);
    try {
        state().set(key, value);
        return 0;
    } catch (const std::logic_error &) {
        return 1;
    }
}

int injected_failure(const std::string &point) {
    State &s = state();
    std::lock_guard lock(s.mutex);
    if (s.injections.empty()) {
        return 0;
    }
    uint64_t call = ++s.calls[point];
    for (const Injection &injection : s.injections) {
        if (injection.point == point && injection.at == call) {
            return injection.code;
        }
    }
    return 0;
}

}  // namespace weft::driver
