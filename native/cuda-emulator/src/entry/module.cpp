// Modules, functions, launches.
#include <algorithm>
#include <cstring>

#include "driver/image.h"
#include "driver/launch.h"
#include "entry.h"

using namespace weft::driver;

namespace {

/** CUlaunchConfig. */
struct Config {
    unsigned grid[3], block[3], shared_bytes;
    void *stream;
    struct Attribute *attributes;
    unsigned attribute_count;
};
static_assert(sizeof(Config) == 56);

/** CUlaunchAttribute. */
struct Attribute {
    int id, padding;
    unsigned value[16];
};
static_assert(sizeof(Attribute) == 72);

enum : int { ACCESS_WINDOW = 1, COOPERATIVE = 2, CLUSTER = 4, CLUSTER_SCHEDULING = 5, PROGRAMMATIC = 6, PRIORITY = 8,
             MEMORY_DOMAIN_MAP = 9, MEMORY_DOMAIN = 10, CARVEOUT = 14 };

enum : int { ERROR_LOG = 5, ERROR_LOG_BYTES = 6 };  // CUjit_option

int load(void **out, const void *data, Entered &e, unsigned options, const int *names, void **values) {
    std::shared_ptr<Image> image;
    std::string why;
    int code = load_image(data, e.context, image, why);
    *out = image ? world().images.add(image) : nullptr;
    char *log = nullptr;
    size_t capacity = 0;
    for (unsigned i = 0; i < options; i++) {
        if (names[i] == ERROR_LOG) {
            log = static_cast<char *>(values[i]);
        } else if (names[i] == ERROR_LOG_BYTES) {
            capacity = reinterpret_cast<uintptr_t>(values[i]) & 0xFFFFFFFF;
        }
    }
    if (log != nullptr && capacity != 0) {
        log[why.copy(log, capacity - 1)] = 0;
    }
    return code;
}

std::shared_ptr<Function> find_function(const void *handle, const Entered &e) {
    auto function = world().functions.find(handle, e.function);
    auto image = function ? function->image.lock() : nullptr;
    if (image && image->context != e.context) {
        fault("wrong-context", std::string(e.function) + ": the function belongs to another context");
        return nullptr;
    }
    return function;
}

int check_attributes(const Config &config, const Function &function) {
    for (unsigned i = 0; i < config.attribute_count; i++) {
        const Attribute &a = config.attributes[i];
        switch (a.id) {
            case CLUSTER: {
                unsigned blocks = a.value[0] * a.value[1] * a.value[2];
                if (settings().chip->sm < 90 || blocks == 0 || blocks > 8) {
                    return INVALID_CLUSTER_SIZE;
                }
                for (int axis = 0; axis < 3; axis++) {
                    if (config.grid[axis] % a.value[axis] != 0) {
                        return INVALID_CLUSTER_SIZE;
                    }
                }
                break;
            }
            case PROGRAMMATIC:
                if (settings().chip->sm < 90 || a.value[0] > 1) {
                    return INVALID_VALUE;
                }
                if (a.value[0] == 1 && function.sm < 90) {
                    fault("no-dependency-wait", function.module + "/" + function.kernel.name + ": compiled for sm_" +
                                                    std::to_string(function.sm) +
                                                    ", which cannot wait for the kernel ahead of it");
                }
                break;
            case ACCESS_WINDOW:
            case COOPERATIVE:
            case CLUSTER_SCHEDULING:
            case PRIORITY:
            case MEMORY_DOMAIN_MAP:
            case MEMORY_DOMAIN:
            case CARVEOUT:
                break;
            default:
                return INVALID_VALUE;
        }
    }
    return SUCCESS;
}

int launch(const Config &config, void *handle, void **parameters, void **extra, Entered &e) {
    auto function = find_function(handle, e);
    if (!function) {
        return INVALID_HANDLE;
    }
    if (parameters == nullptr || parameters[0] == nullptr || extra != nullptr) {
        fault("launch-parameters", function->kernel.name + ": expected one weft::Call and nothing in `extra`");
        return INVALID_VALUE;
    }
    auto launch = std::make_shared<KernelLaunch>();
    launch->function = function;
    launch->calls.resize(static_cast<size_t>(function->kernel.calls));
    std::memcpy(launch->calls.data(), parameters[0], launch->calls.size() * sizeof(weft::Call));
    launch->grid = {config.grid[0], config.grid[1], config.grid[2]};
    launch->block = {config.block[0], config.block[1], config.block[2]};
    launch->shared_bytes = config.shared_bytes;
    std::string why;
    int code = check(*launch, why);
    if (code == SUCCESS) {
        code = check_attributes(config, *function);
        why = "attributes";
    }
    if (code != SUCCESS) {
        fault("launch-refused", function->module + "/" + function->kernel.name + ": " + why);
        return code;
    }
    return submit(config.stream, e, {NodeType::KERNEL, [launch] { return run(*launch); }, {}});
}

}  // namespace

WEFT_DRIVER cuModuleLoadData(void **out, const void *data) {
    return call("cuModuleLoadData", CONTEXT | NO_CAPTURE,
                [&](Entered &e) -> int { return load(out, data, e, 0, nullptr, nullptr); });
}

WEFT_DRIVER cuModuleLoadDataEx(void **out, const void *data, unsigned options, const int *names, void **values) {
    return call("cuModuleLoadDataEx", CONTEXT | NO_CAPTURE,
                [&](Entered &e) -> int { return load(out, data, e, options, names, values); });
}

WEFT_DRIVER cuModuleUnload(void *handle) {
    return call("cuModuleUnload", CONTEXT | NO_CAPTURE, [&](Entered &e) -> int {
        auto image = world().images.find(handle, e.function);
        if (!image || image->context != e.context) {
            return INVALID_HANDLE;
        }
        synchronize(e.context, e.lock);
        unload(*image);
        world().images.take(handle, e.function);
        return SUCCESS;
    });
}

WEFT_DRIVER cuModuleGetFunction(void **out, void *module, const char *name) {
    return call("cuModuleGetFunction", CONTEXT, [&](Entered &e) -> int {
        auto image = world().images.find(module, e.function);
        if (!image) {
            return INVALID_HANDLE;
        }
        auto found = image->functions.find(name);
        if (found == image->functions.end()) {
            return NOT_FOUND;
        }
        *out = found->second;
        return SUCCESS;
    });
}

WEFT_DRIVER cuFuncGetParamInfo(void *handle, size_t index, size_t *offset, size_t *bytes) {
    return call("cuFuncGetParamInfo", CONTEXT, [&](Entered &e) -> int {
        auto function = find_function(handle, e);
        if (!function) {
            return INVALID_HANDLE;
        }
        if (index != 0) {
            return INVALID_VALUE;
        }
        *offset = 0;
        if (bytes != nullptr) {
            *bytes = static_cast<size_t>(function->kernel.calls) * sizeof(weft::Call);
        }
        return SUCCESS;
    });
}

WEFT_DRIVER cuFuncLoad(void *handle) {
    return call("cuFuncLoad", CONTEXT,
                [&](Entered &e) -> int { return find_function(handle, e) ? SUCCESS : INVALID_HANDLE; });
}

namespace {

enum : int { MOST_THREADS = 0, STATIC_SHARED = 1, LOCAL_BYTES = 3, REGISTERS = 4, PTX_VERSION = 5, BINARY_VERSION = 6,
             MOST_DYNAMIC_SHARED = 8, SHARED_CARVEOUT = 9, NON_PORTABLE_CLUSTER = 14 };

}  // namespace

WEFT_DRIVER cuFuncGetAttribute(int *value, int attribute, void *handle) {
    return call("cuFuncGetAttribute", CONTEXT, [&](Entered &e) -> int {
        auto function = find_function(handle, e);
        if (!function) {
            return INVALID_HANDLE;
        }
        switch (attribute) {
            case MOST_THREADS:
                *value = function->kernel.threads;
                return SUCCESS;
            case MOST_DYNAMIC_SHARED:
                *value = function->most_shared_bytes;
                return SUCCESS;
            case PTX_VERSION:
            case BINARY_VERSION:
                *value = settings().chip->sm;
                return SUCCESS;
            case STATIC_SHARED:
                *value = settings().static_bytes + static_cast<int>(function->kernel.static_bytes);
                return SUCCESS;
            case LOCAL_BYTES:  // not known here: what the compiler for the device makes of a kernel
            case REGISTERS:
                *value = 0;
                return SUCCESS;
            default:
                return INVALID_VALUE;
        }
    });
}

WEFT_DRIVER cuFuncSetAttribute(void *handle, int attribute, int value) {
    return call("cuFuncSetAttribute", CONTEXT, [&](Entered &e) -> int {
        auto function = find_function(handle, e);
        if (!function) {
            return INVALID_HANDLE;
        }
        if (attribute == SHARED_CARVEOUT || attribute == NON_PORTABLE_CLUSTER) {
            return SUCCESS;
        }
        if (attribute != MOST_DYNAMIC_SHARED || value < 0 ||
            value > settings().chip->shared_bytes - settings().static_bytes -
                        static_cast<int>(function->kernel.static_bytes)) {
            return INVALID_VALUE;
        }
        function->most_shared_bytes = value;
        return SUCCESS;
    });
}

WEFT_DRIVER cuOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, void *handle, int threads, size_t shared_bytes) {
    return call("cuOccupancyMaxActiveBlocksPerMultiprocessor", CONTEXT, [&](Entered &e) -> int {
        auto function = find_function(handle, e);
        if (!function) {
            return INVALID_HANDLE;
        }
        if (threads < 1 || threads > function->kernel.threads) {
            return INVALID_VALUE;
        }
        size_t by_memory = (static_cast<size_t>(settings().chip->shared_bytes) + 1024) / (shared_bytes + 1024);
        *blocks = static_cast<int>(std::min<size_t>({by_memory, static_cast<size_t>(2048 / threads), 32}));
        return SUCCESS;
    });
}

WEFT_DRIVER cuLaunchKernelEx(const Config *config, void *function, void **parameters, void **extra) {
    return call("cuLaunchKernelEx", CONTEXT,
                [&](Entered &e) -> int { return launch(*config, function, parameters, extra, e); });
}

WEFT_DRIVER cuLaunchKernel(void *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                           unsigned shared_bytes, void *stream, void **parameters, void **extra) {
    return call("cuLaunchKernel", CONTEXT, [&](Entered &e) -> int {
        return launch({{gx, gy, gz}, {bx, by, bz}, shared_bytes, stream, nullptr, 0}, function, parameters, extra, e);
    });
}
