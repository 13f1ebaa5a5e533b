/* A libcuda.so.1 that does nothing at once: what is left of a step's time is spent in Java.
 *   cc -O2 -shared -fPIC -o FOLDER/libcuda.so.1 benchmarks/src/main/c/idle_cuda.c */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CALL_BYTES 1208 /* sizeof(weft::Call) */

static uint64_t handles = 0x1000;

static int made(uint64_t *out) {
    *out = handles += 0x10;
    return 0;
}

#define NOTHING(name) \
    int name() { return 0; }
#define MAKES(name) \
    int name(uint64_t *out) { return made(out); }

NOTHING(cuInit)
NOTHING(cuDevicePrimaryCtxRelease_v2)
NOTHING(cuCtxSetCurrent)
NOTHING(cuMemFree_v2)
NOTHING(cuMemcpyHtoDAsync_v2)
NOTHING(cuMemcpyDtoHAsync_v2)
NOTHING(cuMemsetD8Async)
NOTHING(cuStreamDestroy_v2)
NOTHING(cuStreamQuery)
NOTHING(cuStreamWaitEvent)
NOTHING(cuEventDestroy_v2)
NOTHING(cuEventRecord)
NOTHING(cuEventQuery)
NOTHING(cuModuleUnload)
NOTHING(cuFuncSetAttribute)
NOTHING(cuLaunchKernelEx)
NOTHING(cuStreamBeginCapture_v2)
NOTHING(cuGraphLaunch)
NOTHING(cuGraphExecDestroy)
NOTHING(cuGraphDestroy)
MAKES(cuDevicePrimaryCtxRetain)
MAKES(cuStreamCreate)
MAKES(cuEventCreate)
MAKES(cuModuleLoadDataEx)
MAKES(cuModuleGetFunction)
MAKES(cuGraphInstantiateWithFlags)

int cuStreamEndCapture(uint64_t stream, uint64_t *out) {
    (void)stream;
    return made(out);
}

int cuDriverGetVersion(int *out) {
    *out = 13000;
    return 0;
}

int cuFuncGetAttribute(int *out) {
    *out = 0;
    return 0;
}

int cuGetErrorName(int code, const char **out) {
    (void)code;
    *out = "";
    return 0;
}

int cuGetErrorString(int code, const char **out) { return cuGetErrorName(code, out); }

int cuDeviceGetCount(int *out) {
    *out = 1;
    return 0;
}

int cuDeviceGet(int *out, int ordinal) {
    *out = ordinal;
    return 0;
}

int cuDeviceGetName(char *out, int capacity) {
    strncpy(out, "idle driver", (size_t)capacity);
    return 0;
}

int cuDeviceGetPCIBusId(char *out, int capacity) { return cuDeviceGetName(out, capacity); }

int cuDeviceTotalMem_v2(uint64_t *out) {
    *out = (uint64_t)1 << 37;
    return 0;
}

int cuDeviceGetAttribute(int *out, int attribute) {
    *out = attribute == 75 ? 9 : attribute == 76 ? 0 : 1 << 17;
    return 0;
}

int cuMemGetInfo_v2(uint64_t *free_bytes, uint64_t *total) {
    *free_bytes = *total = (uint64_t)1 << 37;
    return 0;
}

int cuMemAlloc_v2(uint64_t *out, uint64_t bytes) {
    handles += (bytes + 0xfff) & ~(uint64_t)0xfff;
    *out = (handles + 0xfff) & ~(uint64_t)0xfff;
    handles = *out + bytes;
    return 0;
}

int cuMemHostAlloc(void **out, uint64_t bytes) {
    *out = malloc(bytes);
    return *out ? 0 : 2;
}

int cuMemFreeHost(void *memory) {
    free(memory);
    return 0;
}

int cuFuncGetParamInfo(uint64_t function, uint64_t index, uint64_t *offset, uint64_t *bytes) {
    (void)function, (void)index;
    *offset = 0;
    *bytes = CALL_BYTES;
    return 0;
}
