// The functions of NVRTC.
#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "includes.h"
#include "stub.h"

#define WEFT_NVRTC extern "C" __attribute__((visibility("default")))

namespace {

enum Result { SUCCESS = 0, INVALID_INPUT = 3, INVALID_PROGRAM = 4, INVALID_OPTION = 5, COMPILATION = 6 };

constexpr std::array architectures{75, 80, 86, 87, 88, 89, 90, 100, 103, 110, 120, 121};
const std::string arch_option = "--gpu-architecture=";

struct Program {
    std::string source, name, log, cubin;
    std::map<std::string, std::string> headers;
};

std::mutex mutex;
int compilations = 0;

/** "sm_90a" of "--gpu-architecture=sm_90a", empty for what no image is made for. */
std::string target_of(const std::string &option) {
    std::string target = option.substr(arch_option.size());
    if (target.compare(0, 3, "sm_") != 0) {
        return "";
    }
    size_t end = 0;
    int number = std::atoi(target.c_str() + 3);
    while (end + 3 < target.size() && std::isdigit(target[end + 3])) {
        end++;
    }
    std::string features = target.substr(end + 3);
    bool known = std::find(architectures.begin(), architectures.end(), number) != architectures.end();
    return known && (features.empty() || features == "a" || features == "f") ? target : "";
}

int compile(Program &program, int count, const char *const *options) {
    std::string target;
    // results are held against those of images that nvcc made with the same
    std::vector<std::string> wanted{"--std=c++20", "--fmad=false", "--device-as-default-execution-space"};
    for (int i = 0; i < count; i++) {
        std::string option = options[i];
        bool known = std::erase(wanted, option) != 0;
        if (!known && option.compare(0, arch_option.size(), arch_option) == 0) {
            target = target_of(option);
            known = !target.empty();
        }
        if (!known) {
            program.log = "nvrtc: error: invalid value or option " + option + "\n";
            return INVALID_OPTION;
        }
    }
    if (target.empty() || !wanted.empty()) {
        program.log = "nvrtc: error: the emulator misses option " + (wanted.empty() ? arch_option : wanted.front()) + "\n";
        return INVALID_OPTION;
    }
    weft::nvrtc::Includes includes(program.headers);
    if (!includes.read(program.name, program.source)) {
        program.log = includes.log();
        return COMPILATION;
    }
    compilations++;
    program.cubin = weft::cubin_stub(program.name.substr(0, program.name.find('.')), target);
    return SUCCESS;
}

/** A text with its zero, or bytes. */
int copy(const std::string &from, bool text, char *to) {
    std::memcpy(to, from.data(), from.size() + (text ? 1 : 0));
    return SUCCESS;
}

}  // namespace

WEFT_NVRTC int weftNvrtcCompilations() {
    std::lock_guard lock(mutex);
    return compilations;
}

WEFT_NVRTC int nvrtcVersion(int *major, int *minor) {
    *major = 13;
    *minor = 0;
    return SUCCESS;
}

WEFT_NVRTC const char *nvrtcGetErrorString(int result) {
    switch (result) {
        case SUCCESS:
            return "NVRTC_SUCCESS";
        case INVALID_INPUT:
            return "NVRTC_ERROR_INVALID_INPUT";
        case INVALID_PROGRAM:
            return "NVRTC_ERROR_INVALID_PROGRAM";
        case INVALID_OPTION:
            return "NVRTC_ERROR_INVALID_OPTION";
        case COMPILATION:
            return "NVRTC_ERROR_COMPILATION";
        default:
            return "NVRTC_ERROR unknown";
    }
}

WEFT_NVRTC int nvrtcGetNumSupportedArchs(int *count) {
    *count = static_cast<int>(architectures.size());
    return SUCCESS;
}

WEFT_NVRTC int nvrtcGetSupportedArchs(int *out) {
    std::copy(architectures.begin(), architectures.end(), out);
    return SUCCESS;
}

WEFT_NVRTC int nvrtcCreateProgram(Program **out, const char *source, const char *name, int count,
                                  const char *const *headers, const char *const *names) {
    if (out == nullptr || source == nullptr || name == nullptr || count < 0) {
        return INVALID_INPUT;
    }
    auto *program = new Program{source, name, "", "", {}};
    for (int i = 0; i < count; i++) {
        program->headers[names[i]] = headers[i];
    }
    *out = program;
    return SUCCESS;
}

WEFT_NVRTC int nvrtcDestroyProgram(Program **program) {
    if (program == nullptr || *program == nullptr) {
        return INVALID_PROGRAM;
    }
    delete *program;
    *program = nullptr;
    return SUCCESS;
}

WEFT_NVRTC int nvrtcCompileProgram(Program *program, int count, const char *const *options) {
    if (program == nullptr) {
        return INVALID_PROGRAM;
    }
    std::lock_guard lock(mutex);
    return compile(*program, count, options);
}

WEFT_NVRTC int nvrtcGetProgramLogSize(Program *program, size_t *bytes) {
    *bytes = program->log.size() + 1;
    return SUCCESS;
}

WEFT_NVRTC int nvrtcGetProgramLog(Program *program, char *log) {
    return copy(program->log, true, log);
}

WEFT_NVRTC int nvrtcGetCUBINSize(Program *program, size_t *bytes) {
    *bytes = program->cubin.size();
    return program->cubin.empty() ? INVALID_PROGRAM : SUCCESS;
}

WEFT_NVRTC int nvrtcGetCUBIN(Program *program, char *cubin) {
    return copy(program->cubin, false, cubin);
}
