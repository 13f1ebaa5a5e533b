#include "fault.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <mutex>
#include <optional>

#include "config.h"

namespace emu {

namespace {

std::mutex mutex;
std::string collected;

thread_local std::optional<std::string> message;
thread_local std::string handed_out;
thread_local int last_code = 0;

}  // namespace

void fault(const char* rule, const std::string& detail) {
    for (const Rule& r : rules()) {
        if (std::strcmp(r.name, rule) == 0) {
            std::string line = std::string(rule) + ": " + detail + " [" + r.cite + "]";
            log("FAULT " + line);
            std::lock_guard lock(mutex);
            collected += (collected.empty() ? "" : "\n") + line;
            return;
        }
    }
    std::cerr << "cann-emulator: fault names no rule: " << rule << std::endl;
    std::abort();
}

std::string take_faults() {
    std::lock_guard lock(mutex);
    std::string all = std::move(collected);
    collected.clear();
    return all;
}

int fail(int code, const std::string& text) {
    std::string cite = cite_of(code);
    if (cite.empty()) {
        std::cerr << "cann-emulator: a check answers " << code << ", which no document lists: " << text << std::endl;
        std::abort();
    }
    return tell(code, text + " [" + cite + "]");
}

int tell(int code, const std::string& text) {
    message = std::to_string(code) + ": " + text;
    last_code = code;
    log("error " + *message);
    return code;
}

int last_error(bool reset) {
    int code = last_code;
    if (reset) {
        last_code = 0;
    }
    return code;
}

const char* take_message() {
    if (!message) {
        return nullptr;
    }
    handed_out = *message;
    message.reset();
    return handed_out.c_str();
}

void expire_message() {
    // a caller that kept the pointer shall notice
    std::fill(handed_out.begin(), handed_out.end(), '#');
}

}  // namespace emu
