#include "config.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <mutex>
#include <sstream>
#include <stdexcept>
#include <vector>

#include "world.h"

namespace emu {

namespace {

constexpr uint64_t GiB = 1ULL << 30;

// core counts, memory and L2: of the platform files of cann/runtime for 950; for the others plausible, read nowhere
const Product products[] = {{"Ascend950DT_9591", Soc::DT950, 36, 72, 144 * GiB, 128ULL << 20},
                            {"Ascend950PR_9589", Soc::PR950, 32, 64, 128 * GiB, 128ULL << 20},
                            {"Ascend910_9382", Soc::A3, 24, 48, 64 * GiB, 192ULL << 20},
                            {"Ascend910B1", Soc::A2, 24, 48, 64 * GiB, 192ULL << 20}};

struct Injection {
    std::string point;
    uint64_t at;
    int code;
};

std::mutex mutex;
Config current;
std::map<std::string, std::string> told;  // by weftEmulatorConfigure, for every later world
std::vector<Injection> injections;
std::map<std::string, uint64_t> calls;

uint64_t number(const std::string& text) {
    size_t used = 0;
    uint64_t value = std::stoull(text, &used);
    if (used != text.size()) {
        throw std::invalid_argument(text);
    }
    return value;
}

std::vector<Injection> parse_failures(const std::string& text) {
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

void set(Config& c, const std::string& key, const std::string& value) {
    if (key == "soc") {
        for (const Product& p : products) {
            if (value == p.name) {
                c.soc_name = value;
                c.soc = p.soc;
                return;
            }
        }
        throw std::invalid_argument(value);
    } else if (key == "devices") {
        c.devices = static_cast<int>(number(value));
        if (c.devices < 1 || c.devices > most_devices) {
            throw std::invalid_argument(value);
        }
    } else if (key == "memory") {
        c.memory = number(value);
    } else if (key == "seed") {
        c.seed = number(value);
    } else if (key == "delay") {
        c.delay = static_cast<uint32_t>(number(value));
    } else if (key == "jitter") {
        c.jitter = number(value) != 0;
    } else if (key == "cold") {
        c.cold = static_cast<uint32_t>(number(value));
    } else if (key == "short_quotients") {
        c.short_quotients = number(value) != 0;
    } else if (key == "fail") {
        parse_failures(value);
        c.fail = value;
    } else if (key == "version") {
        int parts[3];
        if (std::sscanf(value.c_str(), "%d.%d.%d", &parts[0], &parts[1], &parts[2]) != 3) {
            throw std::invalid_argument(value);
        }
        c.version = value;
    } else if (key == "log") {
        c.log = value;
    } else if (key == "hccl_timeout") {
        c.hccl_timeout = std::stod(value);
    } else {
        throw std::invalid_argument(key);
    }
}

void from_environment(Config& c) {
    for (const char* key : {"soc", "devices", "memory", "seed", "delay", "cold", "jitter", "short_quotients", "fail",
                            "version", "log", "hccl_timeout"}) {
        std::string name = std::string("WEFT_EMULATOR_") + key;
        for (char& letter : name) {
            letter = static_cast<char>(std::toupper(letter));
        }
        if (const char* value = std::getenv(name.c_str())) {
            set(c, key, value);
        }
    }
}

}  // namespace

const Config& config() {
    return current;
}

int configure(const std::string& key, const std::string& value) {
    if (world().ready) {
        return fail(ACL_ERROR_REPEAT_INITIALIZE, "weftEmulatorConfigure(" + key +
                    "): only before aclInit or after aclFinalize");
    }
    try {
        Config probe;
        set(probe, key, value);
    } catch (const std::exception&) {
        return fail(ACL_ERROR_INVALID_PARAM, "weftEmulatorConfigure: no such key or value: " + key + "=" + value);
    }
    std::lock_guard lock(mutex);
    told[key] = value;
    return 0;
}

void start_configuration() {
    std::lock_guard lock(mutex);
    Config next;
    from_environment(next);
    for (const auto& [key, value] : told) {
        set(next, key, value);
    }
    injections = parse_failures(next.fail);
    calls.clear();
    current = next;
    if (current.memory == 0) {
        uint64_t host = static_cast<uint64_t>(sysconf(_SC_AVPHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
        current.memory = std::min(product().memory, host / 2);
    }
}

int injected_failure(const char* point) {
    if (injections.empty()) {
        return 0;
    }
    std::lock_guard lock(mutex);
    uint64_t call = ++calls[point];
    for (const Injection& i : injections) {
        if (i.at == call && i.point == point) {
            return i.code;
        }
    }
    return 0;
}

const Product& product() {
    for (const Product& p : products) {
        if (current.soc_name == p.name) {
            return p;
        }
    }
    return products[0];
}

void log(const std::string& line) {
    if (current.log.empty()) {
        return;
    }
    std::lock_guard lock(mutex);
    if (current.log == "1") {
        std::cerr << "[cann-emulator] " << line << std::endl;
    } else {
        std::ofstream(current.log, std::ios::app) << line << "\n";
    }
}

}  // namespace emu
