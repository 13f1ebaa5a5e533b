// The driver's functions that the tests call, and checks. Every test runs on a device of its own, on a thread of its own.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "weft/cuda/call.cuh"

extern "C" {
using CUdeviceptr = unsigned long long;

struct CUlaunchConfig {
    unsigned grid[3], block[3], shared_bytes;
    void *stream;
    void *attributes;
    unsigned attribute_count;
};

int weftEmulatorConfigure(const char *key, const char *value);
const char *weftEmulatorFaults();
uint64_t weftEmulatorPrefetched();

int cuInit(unsigned);
int cuDriverGetVersion(int *);
int cuGetErrorName(int, const char **);
int cuGetErrorString(int, const char **);
int cuGetProcAddress_v2(const char *, void **, int, unsigned long long, int *);
int cuDeviceGetCount(int *);
int cuDeviceGet(int *, int);
int cuDeviceGetAttribute(int *, int, int);
int cuDeviceGetDefaultMemPool(void **, int);
int cuDevicePrimaryCtxRetain(void **, int);
int cuDevicePrimaryCtxRelease_v2(int);
int cuCtxSetCurrent(void *);
int cuCtxGetCurrent(void **);
int cuCtxPushCurrent_v2(void *);
int cuCtxPopCurrent_v2(void **);
int cuCtxSynchronize();
int cuMemGetInfo_v2(size_t *, size_t *);
int cuMemAlloc_v2(CUdeviceptr *, size_t);
int cuMemFree_v2(CUdeviceptr);
int cuMemAllocAsync(CUdeviceptr *, size_t, void *);
int cuMemFreeAsync(CUdeviceptr, void *);
int cuMemHostAlloc(void **, size_t, unsigned);
int cuMemFreeHost(void *);
int cuMemHostRegister_v2(void *, size_t, unsigned);
int cuMemHostUnregister(void *);
int cuMemcpyHtoD_v2(CUdeviceptr, const void *, size_t);
int cuMemcpyDtoH_v2(void *, CUdeviceptr, size_t);
int cuMemcpyHtoDAsync_v2(CUdeviceptr, const void *, size_t, void *);
int cuMemcpyDtoHAsync_v2(void *, CUdeviceptr, size_t, void *);
int cuMemcpyDtoDAsync_v2(CUdeviceptr, CUdeviceptr, size_t, void *);
int cuMemsetD8Async(CUdeviceptr, unsigned char, size_t, void *);
int cuMemsetD32Async(CUdeviceptr, unsigned, size_t, void *);
int cuStreamCreate(void **, unsigned);
int cuStreamDestroy_v2(void *);
int cuStreamSynchronize(void *);
int cuStreamQuery(void *);
int cuStreamWaitEvent(void *, void *, unsigned);
int cuStreamBeginCapture_v2(void *, int);
int cuStreamEndCapture(void *, void **);
int cuStreamGetCaptureInfo_v2(void *, int *, unsigned long long *, void **, const void **, size_t *);
int cuUserObjectCreate(void **, void *, void (*)(void *), unsigned, unsigned);
int cuGraphRetainUserObject(void *, void *, unsigned, unsigned);
int cuEventCreate(void **, unsigned);
int cuEventDestroy_v2(void *);
int cuEventRecord(void *, void *);
int cuEventQuery(void *);
int cuEventSynchronize(void *);
int cuEventElapsedTime(float *, void *, void *);
int cuModuleLoadDataEx(void **, const void *, unsigned, const int *, void **);
int cuModuleUnload(void *);
int cuModuleGetFunction(void **, void *, const char *);
int cuFuncGetParamInfo(void *, size_t, size_t *, size_t *);
int cuFuncSetAttribute(void *, int, int);
int cuLaunchHostFunc(void *, void (*)(void *), void *);
int cuLaunchKernelEx(const CUlaunchConfig *, void *, void **, void **);
int cuGraphInstantiateWithFlags(void **, void *, unsigned long long);
int cuGraphLaunch(void *, void *);
int cuGraphExecUpdate_v2(void *, void *, int *);
int cuGraphExecDestroy(void *);
int cuGraphDestroy(void *);
}

namespace test {

struct Case {
    const char *name;
    std::vector<std::pair<const char *, const char *>> settings;
    std::function<void()> body;
};

std::vector<Case> &cases();

struct Add {
    Add(const char *name, std::function<void()> body) { cases().push_back({name, {}, std::move(body)}); }
    Add(const char *name, std::vector<std::pair<const char *, const char *>> settings, std::function<void()> body) {
        cases().push_back({name, std::move(settings), std::move(body)});
    }
};

void check(bool ok, const char *what, const char *file, int line);
void check_equal(long long found, long long expected, const char *what, const char *file, int line);
/** The faults since the last look break exactly this rule, "" for none. */
void expect_fault(const std::string &rule, const char *file, int line);

#define CHECK(condition) test::check((condition), #condition, __FILE__, __LINE__)
#define EQUAL(found, expected) test::check_equal((found), (expected), #found, __FILE__, __LINE__)
#define OK(call) EQUAL(call, 0)
#define FAULT(rule) test::expect_fault(rule, __FILE__, __LINE__)
#define TEST(identifier, ...) static const test::Add identifier(#identifier, __VA_ARGS__)

// ---- short forms; each fails the test when the driver refuses

/** Device 0 as the current context of this thread, and a stream; given back by the destructor. */
struct Device {
    void *context = nullptr, *stream = nullptr;
    Device();
    ~Device();
};

std::string image(const std::string &module, const std::string &target = "sm_90a.cubin");

/** The kernels of test/kernels.cu or of another module, loaded. */
struct Kernels {
    void *module = nullptr;
    explicit Kernels(const char *name = "kernels");
    ~Kernels();
    void *function(const char *name) const;
};

/** Memory of the device with the values, or so many bytes. */
struct Memory {
    CUdeviceptr address = 0;
    size_t bytes;
    explicit Memory(size_t bytes);
    explicit Memory(const std::vector<float> &values);
    ~Memory();
    std::vector<float> floats() const;
};

/** Holds a stream until it is opened. */
class Gate {
public:
    explicit Gate(void *stream);
    void open() { open_ = true; }

private:
    std::atomic<bool> open_{false};
};

struct Launch {
    weft::Call call{};
    unsigned grid = 1, block = 32, shared_bytes = 0;

    /** Operands' addresses, in order. */
    explicit Launch(std::vector<CUdeviceptr> operands = {});
    int on(void *stream, void *function);
};

}  // namespace test
