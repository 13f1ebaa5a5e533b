// The functions of libcublasLt.so.13 that the backend calls, on the public functions of the emulated driver.
#include <cstring>
#include <functional>
#include <stdexcept>
#include <utility>

#include "product.h"

#define WEFT_CUBLASLT extern "C" __attribute__((visibility("default"))) int

extern "C" int cuCtxGetCurrent(void **context);
extern "C" int cuCtxSetCurrent(void *context);
extern "C" int cuCtxGetDevice(int *device);
extern "C" int cuDeviceGetAttribute(int *value, int attribute, int device);
extern "C" int cuStreamIsCapturing(void *stream, int *status);
extern "C" int cuLaunchHostFunc(void *stream, void (*function)(void *), void *argument);

using namespace weft::cublaslt;

namespace {

/** Counts the call and takes the lock. */
int call(const char *function, const std::function<int()> &body) {
    Lock lock(world().mutex);
    int status = injected(function);
    return status != SUCCESS ? status : body();
}

template <class T>
int set(const char *function, Table<T> &table, void *handle, const Sizes &sizes, int attribute, const void *value, size_t bytes) {
    return call(function, [&]() -> int {
        auto object = table.find(handle, function);
        auto size = sizes.find(attribute);
        if (!object || value == nullptr || size == sizes.end() || size->second != bytes) {
            fault("attribute", std::string(function) + ": " + std::to_string(attribute) + " with " + std::to_string(bytes) + " bytes");
            return INVALID_VALUE;
        }
        uint64_t number = 0;
        std::memcpy(&number, value, bytes);
        object->values[attribute] = number;
        return SUCCESS;
    });
}

/** Compute capability times ten of the current device. */
int current_sm() {
    int device = 0, major = 0, minor = 0;
    constexpr int major_attribute = 75, minor_attribute = 76;
    cuCtxGetDevice(&device);
    cuDeviceGetAttribute(&major, major_attribute, device);
    cuDeviceGetAttribute(&minor, minor_attribute, device);
    return 10 * major + minor;
}

/** The product that descriptors name; false if one is none, or extents do not fit together. */
bool product_of(const char *function, void *operation, void *a, void *b, void *c, void *d, Product &out) {
    World &w = world();
    auto descriptor = w.descriptors.find(operation, function);
    auto la = w.layouts.find(a, function), lb = w.layouts.find(b, function);
    auto lc = w.layouts.find(c, function), ld = w.layouts.find(d, function);
    if (!descriptor || !la || !lb || !lc || !ld) {
        return false;
    }
    out = {*la, *lb, *ld, *descriptor, descriptor->compute, descriptor->scale};
    bool a_transposed = out.operation.get(TRANSA) == OP_T, b_transposed = out.operation.get(TRANSB) == OP_T;
    bool fits = (a_transposed ? la->columns : la->rows) == ld->rows && (b_transposed ? lb->rows : lb->columns) == ld->columns &&
                (b_transposed ? lb->columns : lb->rows) == out.inputs() && lc->rows == ld->rows && lc->columns == ld->columns &&
                lc->type == ld->type;
    for (const Layout &m : {*la, *lb, *lc, *ld}) {
        fits &= m.rows > 0 && m.columns > 0 && m.pitch >= static_cast<int64_t>(m.rows);
    }
    if (!fits) {
        fault("layout", std::string(function) + ": extents or pitches that do not fit together");
    }
    return fits;
}

/** What a stream carries out; a graph keeps it. */
struct Launch {
    void *context;
    Product product;
    Algorithm algorithm;
    Places at;
    float alpha;
    bool recorded;

    static void run(void *self) {
        auto *launch = static_cast<Launch *>(self);
        cuCtxSetCurrent(launch->context);
        carry_out(launch->product, launch->algorithm, launch->at, launch->alpha);
        if (!launch->recorded) {
            delete launch;
        }
    }
};

/** Whether operands are where the algorithm may expect them. */
bool is_placed(const Algorithm &algorithm, const Places &at, uint64_t c, size_t workspace_bytes) {
    const uint64_t operands[] = {at.a, at.b, c, at.d};
    for (int i = 0; i < 4; i++) {
        if (operands[i] == 0 || operands[i] % algorithm.alignment(i) != 0) {
            fault("misaligned", "operand " + std::string(1, static_cast<char>('A' + i)) + " is not at a multiple of " +
                  std::to_string(algorithm.alignment(i)) + " bytes");
            return false;
        }
    }
    for (uint64_t scales : {at.a_scales, at.b_scales}) {
        if (scales % 16 != 0) {
            fault("misaligned", "scales are not at a multiple of 16 bytes");
            return false;
        }
    }
    if (algorithm.workspace > 0 && (workspace_bytes < algorithm.workspace || at.workspace % 256 != 0)) {
        fault("workspace", std::to_string(workspace_bytes) + " bytes, the algorithm takes " + std::to_string(algorithm.workspace) +
              " at a multiple of 256");
        return false;
    }
    return true;
}

}  // namespace

extern "C" __attribute__((visibility("default"))) size_t cublasLtGetVersion() {
    Lock lock(world().mutex);
    return std::stoull(world().settings["version"]);
}

extern "C" __attribute__((visibility("default"))) const char *cublasLtGetStatusName(int status) {
    static const std::map<int, const char *> names{{SUCCESS, "CUBLAS_STATUS_SUCCESS"}, {NOT_INITIALIZED, "CUBLAS_STATUS_NOT_INITIALIZED"},
        {3, "CUBLAS_STATUS_ALLOC_FAILED"}, {INVALID_VALUE, "CUBLAS_STATUS_INVALID_VALUE"}, {8, "CUBLAS_STATUS_ARCH_MISMATCH"},
        {11, "CUBLAS_STATUS_MAPPING_ERROR"}, {EXECUTION_FAILED, "CUBLAS_STATUS_EXECUTION_FAILED"},
        {14, "CUBLAS_STATUS_INTERNAL_ERROR"}, {NOT_SUPPORTED, "CUBLAS_STATUS_NOT_SUPPORTED"}};
    auto found = names.find(status);
    return found == names.end() ? "unrecognized status" : found->second;
}

extern "C" __attribute__((visibility("default"))) const char *cublasLtGetStatusString(int status) {
    return status == SUCCESS ? "success" : "words of the emulator";
}

WEFT_CUBLASLT cublasLtCreate(void **out) {
    return call("cublasLtCreate", [&]() -> int {
        void *context = nullptr;
        if (cuCtxGetCurrent(&context) != 0 || context == nullptr) {
            return NOT_INITIALIZED;
        }
        *out = world().handles.add({context});
        return SUCCESS;
    });
}

WEFT_CUBLASLT cublasLtDestroy(void *handle) {
    return call("cublasLtDestroy", [&] { return world().handles.remove(handle, "cublasLtDestroy") ? SUCCESS : INVALID_VALUE; });
}

WEFT_CUBLASLT cublasLtMatmulDescCreate(void **out, int compute, int scale) {
    return call("cublasLtMatmulDescCreate", [&] {
        Descriptor descriptor;
        descriptor.compute = compute;
        descriptor.scale = scale;
        *out = world().descriptors.add(descriptor);
        return SUCCESS;
    });
}

WEFT_CUBLASLT cublasLtMatmulDescSetAttribute(void *descriptor, int attribute, const void *value, size_t bytes) {
    return set("cublasLtMatmulDescSetAttribute", world().descriptors, descriptor, descriptor_sizes, attribute, value, bytes);
}

WEFT_CUBLASLT cublasLtMatmulDescDestroy(void *descriptor) {
    return call("cublasLtMatmulDescDestroy", [&] {
        return world().descriptors.remove(descriptor, "cublasLtMatmulDescDestroy") ? SUCCESS : INVALID_VALUE;
    });
}

WEFT_CUBLASLT cublasLtMatrixLayoutCreate(void **out, int type, uint64_t rows, uint64_t columns, int64_t pitch) {
    return call("cublasLtMatrixLayoutCreate", [&] {
        *out = world().layouts.add({type, rows, columns, pitch});
        return SUCCESS;
    });
}

WEFT_CUBLASLT cublasLtMatrixLayoutDestroy(void *layout) {
    return call("cublasLtMatrixLayoutDestroy", [&] {
        return world().layouts.remove(layout, "cublasLtMatrixLayoutDestroy") ? SUCCESS : INVALID_VALUE;
    });
}

WEFT_CUBLASLT cublasLtMatmulPreferenceCreate(void **out) {
    return call("cublasLtMatmulPreferenceCreate", [&] {
        *out = world().preferences.add({});
        return SUCCESS;
    });
}

WEFT_CUBLASLT cublasLtMatmulPreferenceSetAttribute(void *preference, int attribute, const void *value, size_t bytes) {
    return set("cublasLtMatmulPreferenceSetAttribute", world().preferences, preference, preference_sizes, attribute, value, bytes);
}

WEFT_CUBLASLT cublasLtMatmulPreferenceDestroy(void *preference) {
    return call("cublasLtMatmulPreferenceDestroy", [&] {
        return world().preferences.remove(preference, "cublasLtMatmulPreferenceDestroy") ? SUCCESS : INVALID_VALUE;
    });
}

/** cublasLtMatmulHeuristicResult_t. */
struct HeuristicResult {
    Algorithm algorithm;
    size_t workspace;
    int state;
    float waves;
    int reserved[4];
};
static_assert(sizeof(HeuristicResult) == 96);

WEFT_CUBLASLT cublasLtMatmulAlgoGetHeuristic(void *handle, void *operation, void *a, void *b, void *c, void *d, void *preference,
                                             int requested, HeuristicResult *results, int *returned) {
    constexpr const char *function = "cublasLtMatmulAlgoGetHeuristic";
    return call(function, [&]() -> int {
        Product product;
        auto preferred = world().preferences.find(preference, function);
        if (!world().handles.find(handle, function)) {
            return NOT_INITIALIZED;
        }
        if (!preferred || !product_of(function, operation, a, b, c, d, product) ||
            requested < 1) {
            return INVALID_VALUE;
        }
        *returned = 0;
        Algorithm algorithm;
        int status = choose(product, *preferred, current_sm(), algorithm);
        if (status == SUCCESS) {
            *results = {algorithm, algorithm.workspace, SUCCESS, 1, {}};
            *returned = 1;
        }
        return status;
    });
}

WEFT_CUBLASLT cublasLtMatmul(void *handle, void *operation, const float *alpha, uint64_t a, void *layout_a, uint64_t b,
                             void *layout_b, const float *beta, uint64_t c, void *layout_c, uint64_t d, void *layout_d,
                             const Algorithm *algorithm, uint64_t workspace, size_t workspace_bytes, void *stream) {
    constexpr const char *function = "cublasLtMatmul";
    std::unique_ptr<Launch> launch;
    int status = call(function, [&]() -> int {
        Product product;
        auto owner = world().handles.find(handle, function);
        if (!owner) {
            return NOT_INITIALIZED;
        }
        if (!product_of(function, operation, layout_a, layout_b, layout_c, layout_d, product) || alpha == nullptr ||
            beta == nullptr || algorithm == nullptr) {
            return INVALID_VALUE;
        }
        void *context = nullptr;
        cuCtxGetCurrent(&context);
        if (context != owner->context) {
            fault("wrong-context", "cublasLtMatmul: the handle belongs to another context");
            return INVALID_VALUE;
        }
        if (algorithm->magic != MAGIC || algorithm->product != product.identity()) {
            fault("algorithm", "cublasLtMatmul: it was chosen for another product");
            return INVALID_VALUE;
        }
        if (*beta != 0) {
            fault("not-played", "cublasLtMatmul: adding to what was there");
            return NOT_SUPPORTED;
        }
        Places at{a, b, d, product.operation.get(A_SCALE_POINTER), product.operation.get(B_SCALE_POINTER), workspace};
        if (!is_placed(*algorithm, at, c, workspace_bytes)) {
            return INVALID_VALUE;
        }
        int capturing = 0;
        cuStreamIsCapturing(stream, &capturing);
        launch.reset(new Launch{context, product, *algorithm, at, *alpha, capturing != 0});
        return SUCCESS;
    });
    if (status == SUCCESS) {
        if (cuLaunchHostFunc(stream, Launch::run, launch.get()) != 0) {
            return EXECUTION_FAILED;
        }
        launch.release();  // the stream's, or the graph's
    }
    return status;
}

/** Changes a setting; failures are counted from here on. 0, or 1 for an unknown key. */
WEFT_CUBLASLT weftCublasLtConfigure(const char *key, const char *value) {
    World &w = world();
    Lock lock(w.mutex);
    auto setting = w.settings.find(key);
    if (setting == w.settings.end()) {
        return 1;
    }
    setting->second = value;
    w.calls.clear();
    return 0;
}

/** Calls of a function since a setting was changed. */
extern "C" __attribute__((visibility("default"))) uint64_t weftCublasLtCalls(const char *function) {
    World &w = world();
    Lock lock(w.mutex);
    return w.calls[function];
}

/** Faults since the last call, "rule: detail", one a line, and what is open. */
extern "C" __attribute__((visibility("default"))) const char *weftCublasLtFaults() {
    static thread_local std::string faults;
    World &w = world();
    Lock lock(w.mutex);
    size_t descriptors = w.descriptors.open() + w.layouts.open() + w.preferences.open();
    if (w.handles.open() + descriptors > 0) {
        fault("open", std::to_string(w.handles.open()) + " handles and " + std::to_string(descriptors) + " descriptors");
    }
    faults = std::exchange(w.faults, {});
    return faults.c_str();
}
