package dev.weft.backend.cuda;

import dev.weft.spi.nativelib.Symbol;
import java.lang.foreign.MemorySegment;

/**
 * The functions of the CUDA driver that the backend calls, under the names without version, each bound to the version
 * that {@code cuda.h} gives the name. Handles and device addresses are {@code long}: neither is ever followed by Java.
 * {@code size_t} is {@code long}, enums are {@code int}; {@code out} parameters are addresses of the caller's memory. All
 * but {@link #cuDriverGetVersion} answer with a {@code CUresult}.
 */
interface Driver {
    int cuInit(int flags);

    int cuDriverGetVersion(MemorySegment outVersion);

    int cuGetErrorName(int code, MemorySegment outText);

    int cuGetErrorString(int code, MemorySegment outText);

    // devices and contexts

    int cuDeviceGetCount(MemorySegment outCount);

    int cuDeviceGet(MemorySegment outDevice, int ordinal);

    int cuDeviceGetName(MemorySegment outName, int capacity, int device);

    @Symbol("cuDeviceTotalMem_v2")
    int cuDeviceTotalMem(MemorySegment outBytes, int device);

    int cuDeviceGetAttribute(MemorySegment outValue, int attribute, int device);

    int cuDeviceGetPCIBusId(MemorySegment outText, int capacity, int device);

    int cuDevicePrimaryCtxRetain(MemorySegment outContext, int device);

    @Symbol("cuDevicePrimaryCtxRelease_v2")
    int cuDevicePrimaryCtxRelease(int device);

    int cuCtxSetCurrent(long context);

    // memory

    @Symbol("cuMemGetInfo_v2")
    int cuMemGetInfo(MemorySegment outFree, MemorySegment outTotal);

    @Symbol("cuMemAlloc_v2")
    int cuMemAlloc(MemorySegment outAddress, long bytes);

    @Symbol("cuMemFree_v2")
    int cuMemFree(long address);

    int cuMemHostAlloc(MemorySegment outAddress, long bytes, int flags);

    int cuMemFreeHost(MemorySegment address);

    @Symbol("cuMemcpyHtoDAsync_v2")
    int cuMemcpyHtoDAsync(long target, MemorySegment source, long bytes, long stream);

    @Symbol("cuMemcpyDtoHAsync_v2")
    int cuMemcpyDtoHAsync(MemorySegment target, long source, long bytes, long stream);

    @Symbol("cuMemcpyDtoDAsync_v2")
    int cuMemcpyDtoDAsync(long target, long source, long bytes, long stream);

    @Symbol("cuMemcpy2DAsync_v2")
    int cuMemcpy2DAsync(MemorySegment copy, long stream);

    int cuMemsetD8Async(long address, int value, long bytes, long stream);

    // streams and events

    int cuStreamCreate(MemorySegment outStream, int flags);

    @Symbol("cuStreamDestroy_v2")
    int cuStreamDestroy(long stream);

    int cuStreamQuery(long stream);

    int cuStreamWaitEvent(long stream, long event, int flags);

    int cuEventCreate(MemorySegment outEvent, int flags);

    @Symbol("cuEventDestroy_v2")
    int cuEventDestroy(long event);

    int cuEventRecord(long event, long stream);

    int cuEventQuery(long event);

    int cuEventElapsedTime(MemorySegment outMilliseconds, long start, long end);

    // images and launches

    int cuModuleLoadDataEx(
            MemorySegment outModule, MemorySegment image, int options, MemorySegment names, MemorySegment values);

    int cuModuleUnload(long module);

    int cuModuleGetFunction(MemorySegment outFunction, long module, MemorySegment name);

    int cuFuncGetParamInfo(long function, long index, MemorySegment outOffset, MemorySegment outBytes);

    int cuFuncGetAttribute(MemorySegment outValue, int attribute, long function);

    int cuFuncSetAttribute(long function, int attribute, int value);

    int cuLaunchKernelEx(MemorySegment config, long function, MemorySegment parameters, MemorySegment extra);

    // graphs

    @Symbol("cuStreamBeginCapture_v2")
    int cuStreamBeginCapture(long stream, int mode);

    int cuStreamEndCapture(long stream, MemorySegment outGraph);

    @Symbol("cuGraphInstantiateWithFlags")
    int cuGraphInstantiate(MemorySegment outExecutable, long graph, long flags);

    int cuGraphLaunch(long executable, long stream);

    int cuGraphExecDestroy(long executable);

    int cuGraphDestroy(long graph);
}
