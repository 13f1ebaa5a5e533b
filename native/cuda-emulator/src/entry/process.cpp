// Initialisation, errors, late lookup, and the emulator's own functions.
#include <dlfcn.h>

#include <cstring>
#include <map>

#include "driver/memory.h"
#include "entry.h"
#include "simt/prefetches.h"
#include "simt/trap.h"

using namespace weft::driver;

namespace {

struct Text {
    const char *name, *text;
};

const std::map<int, Text> &texts() {
    static const auto &all = *new std::map<int, Text>{
        {SUCCESS, {"CUDA_SUCCESS", "no error"}},
        {INVALID_VALUE, {"CUDA_ERROR_INVALID_VALUE", "invalid argument"}},
        {OUT_OF_MEMORY, {"CUDA_ERROR_OUT_OF_MEMORY", "out of memory"}},
        {NOT_INITIALIZED, {"CUDA_ERROR_NOT_INITIALIZED", "initialization error"}},
        {46, {"CUDA_ERROR_DEVICE_UNAVAILABLE", "CUDA-capable device(s) is/are busy or unavailable"}},
        {218, {"CUDA_ERROR_INVALID_PTX", "a PTX JIT compilation failed"}},
        {702, {"CUDA_ERROR_LAUNCH_TIMEOUT", "the launch timed out and was terminated"}},
        {801, {"CUDA_ERROR_NOT_SUPPORTED", "operation not supported"}},
        {802, {"CUDA_ERROR_SYSTEM_NOT_READY", "system not yet initialized"}},
        {803, {"CUDA_ERROR_SYSTEM_DRIVER_MISMATCH", "system has unsupported display driver / cuda driver combination"}},
        {804, {"CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE", "forward compatibility was attempted on non supported HW"}},
        {999, {"CUDA_ERROR_UNKNOWN", "unknown error"}},
        {STUB_LIBRARY, {"CUDA_ERROR_STUB_LIBRARY", "CUDA driver is a stub library"}},
        {NO_DEVICE, {"CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"}},
        {INVALID_DEVICE, {"CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"}},
        {INVALID_IMAGE, {"CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid"}},
        {INVALID_CONTEXT, {"CUDA_ERROR_INVALID_CONTEXT", "invalid device context"}},
        {NO_BINARY_FOR_GPU, {"CUDA_ERROR_NO_BINARY_FOR_GPU", "no kernel image is available for execution on the device"}},
        {UNSUPPORTED_PTX_VERSION,
         {"CUDA_ERROR_UNSUPPORTED_PTX_VERSION", "the provided PTX was compiled with an unsupported toolchain"}},
        {INVALID_HANDLE, {"CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"}},
        {ILLEGAL_STATE, {"CUDA_ERROR_ILLEGAL_STATE", "the operation cannot be performed in the present state"}},
        {NOT_FOUND, {"CUDA_ERROR_NOT_FOUND", "named symbol not found"}},
        {NOT_READY, {"CUDA_ERROR_NOT_READY", "device not ready"}},
        {ILLEGAL_ADDRESS, {"CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"}},
        {LAUNCH_OUT_OF_RESOURCES, {"CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", "too many resources requested for launch"}},
        {PRIMARY_CONTEXT_ACTIVE, {"CUDA_ERROR_PRIMARY_CONTEXT_ACTIVE", "cannot set while device is active in this process"}},
        {HOST_MEMORY_ALREADY_REGISTERED,
         {"CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED", "part or all of the requested memory range is already mapped"}},
        {HOST_MEMORY_NOT_REGISTERED,
         {"CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED", "pointer does not correspond to a registered memory region"}},
        {MISALIGNED_ADDRESS, {"CUDA_ERROR_MISALIGNED_ADDRESS", "misaligned address"}},
        {LAUNCH_FAILED, {"CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"}},
        {STREAM_CAPTURE_UNSUPPORTED,
         {"CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED", "operation not permitted when stream is capturing"}},
        {STREAM_CAPTURE_INVALIDATED,
         {"CUDA_ERROR_STREAM_CAPTURE_INVALIDATED", "operation failed due to a previous error during capture"}},
        {STREAM_CAPTURE_MERGE,
         {"CUDA_ERROR_STREAM_CAPTURE_MERGE", "operation would result in a merge of separate capture sequences"}},
        {STREAM_CAPTURE_UNMATCHED, {"CUDA_ERROR_STREAM_CAPTURE_UNMATCHED", "capture was not ended in the same stream as it began"}},
        {STREAM_CAPTURE_UNJOINED, {"CUDA_ERROR_STREAM_CAPTURE_UNJOINED", "capturing stream has unjoined work"}},
        {STREAM_CAPTURE_ISOLATION,
         {"CUDA_ERROR_STREAM_CAPTURE_ISOLATION", "dependency created on uncaptured work in another stream"}},
        {CAPTURED_EVENT, {"CUDA_ERROR_CAPTURED_EVENT", "operation not permitted on an event last recorded in a capturing stream"}},
        {STREAM_CAPTURE_WRONG_THREAD,
         {"CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD", "attempt to terminate a thread-local capture sequence from another thread"}},
        {GRAPH_EXEC_UPDATE_FAILURE,
         {"CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE", "the graph update was not performed because it included changes which violated constraints"}},
        {INVALID_CLUSTER_SIZE, {"CUDA_ERROR_INVALID_CLUSTER_SIZE", "cluster misconfiguration"}}};
    return all;
}

int text_of(int code, const char **out, const char *Text::*part) {
    auto found = texts().find(code);
    *out = found == texts().end() ? nullptr : found->second.*part;
    return *out == nullptr ? INVALID_VALUE : SUCCESS;
}

}  // namespace

WEFT_DRIVER cuInit(unsigned flags) {
    return call("cuInit", NOTHING, [&](Entered &) -> int {
        if (flags != 0) {
            return INVALID_VALUE;
        }
        if (settings().devices == 0) {
            return NO_DEVICE;
        }
        world().initialised = true;
        weft::simt::describe_address = [](uintptr_t address) {
            Lock lock(world().mutex);
            return describe(address);
        };
        weft::simt::reach_address = [](uintptr_t address, size_t bytes) {
            Lock lock(world().mutex);
            return reinterpret_cast<uintptr_t>(reach_either(address, bytes));
        };
        return SUCCESS;
    });
}

WEFT_DRIVER cuDriverGetVersion(int *version) {
    return call("cuDriverGetVersion", NOTHING, [&](Entered &) -> int {
        *version = settings().driver_version;
        return SUCCESS;
    });
}

WEFT_DRIVER cuGetErrorName(int code, const char **out) {
    return text_of(code, out, &Text::name);
}

WEFT_DRIVER cuGetErrorString(int code, const char **out) {
    return text_of(code, out, &Text::text);
}

WEFT_DRIVER cuGetProcAddress_v2(const char *symbol, void **function, int, unsigned long long, int *status) {
    return call("cuGetProcAddress_v2", NOTHING, [&](Entered &) -> int {
        Dl_info here;
        dladdr(reinterpret_cast<void *>(&cuInit), &here);
        void *library = dlopen(here.dli_fname, RTLD_NOW | RTLD_NOLOAD);
        *function = nullptr;
        for (const char *version : {"_v2", ""}) {
            if (*function == nullptr) {
                *function = dlsym(library, (std::string(symbol) + version).c_str());
            }
        }
        dlclose(library);
        if (status != nullptr) {
            *status = *function == nullptr ? 1 : 0;  // CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND
        }
        return *function == nullptr ? NOT_FOUND : SUCCESS;
    });
}

/** Changes a setting, at best while no device is open. 0, or 1 for an unknown key or value. */
WEFT_DRIVER weftEmulatorConfigure(const char *key, const char *value) {
    return configure(key, value);
}

/** Faults since the last call, "rule: detail", one a line. The text stays until this thread's next call. */
extern "C" __attribute__((visibility("default"))) const char *weftEmulatorFaults() {
    static thread_local std::string faults;
    faults = take_faults();
    return faults.c_str();
}

/** Bytes of the runs that kernels have prefetched since the last call. */
extern "C" __attribute__((visibility("default"))) uint64_t weftEmulatorPrefetched() {
    return weft::simt::take_prefetched();
}
