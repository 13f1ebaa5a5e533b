package dev.weft.backend.ascend;

import java.lang.foreign.MemorySegment;

/**
 * The functions of CANN's runtime and of its operator objects that the backend calls, under their C names. Sizes are
 * {@code size_t}, enums {@code int}; {@code out} parameters are addresses of the caller's memory.
 */
interface Acl {
    int aclInit(MemorySegment configPath);

    int aclFinalize();

    MemorySegment aclGetRecentErrMsg();

    int aclrtGetVersion(MemorySegment outMajor, MemorySegment outMinor, MemorySegment outPatch);

    int aclsysGetVersionStr(MemorySegment packageName, MemorySegment outVersion);

    int aclsysGetCANNVersion(int packageName, MemorySegment outVersion);

    // devices and contexts

    int aclrtGetDeviceCount(MemorySegment outCount);

    MemorySegment aclrtGetSocName();

    int aclrtGetDeviceInfo(int device, int attribute, MemorySegment outValue);

    int aclrtSetDevice(int device);

    int aclrtResetDevice(int device);

    int aclrtCreateContext(MemorySegment outContext, int device);

    int aclrtDestroyContext(MemorySegment context);

    int aclrtSetSysParamOpt(int option, long value);

    int aclrtGetSysParamOpt(int option, MemorySegment outValue);

    // memory

    int aclrtGetMemInfo(int attribute, MemorySegment outFree, MemorySegment outTotal);

    int aclrtMalloc(MemorySegment outAddress, long bytes, int policy);

    int aclrtFree(MemorySegment address);

    int aclrtMallocHost(MemorySegment outAddress, long bytes);

    int aclrtFreeHost(MemorySegment address);

    int aclrtMemset(MemorySegment address, long capacity, int value, long bytes);

    int aclrtMemcpy(MemorySegment target, long capacity, MemorySegment source, long bytes, int kind);

    int aclrtMemcpyAsync(
            MemorySegment target, long capacity, MemorySegment source, long bytes, int kind, MemorySegment stream);

    // streams and events

    int aclrtCreateStreamWithConfig(MemorySegment outStream, int priority, int flags);

    int aclrtDestroyStream(MemorySegment stream);

    int aclrtStreamAbort(MemorySegment stream);

    int aclrtSynchronizeStreamWithTimeout(MemorySegment stream, int milliseconds);

    int aclrtStreamQuery(MemorySegment stream, MemorySegment outStatus);

    int aclrtStreamWaitEvent(MemorySegment stream, MemorySegment event);

    int aclrtCreateEventExWithFlag(MemorySegment outEvent, int flags);

    int aclrtDestroyEvent(MemorySegment event);

    int aclrtRecordEvent(MemorySegment event, MemorySegment stream);

    int aclrtQueryEventStatus(MemorySegment event, MemorySegment outStatus);

    int aclrtSynchronizeEventWithTimeout(MemorySegment event, int milliseconds);

    // captured graphs

    int aclmdlRICaptureBegin(MemorySegment stream, int mode);

    int aclmdlRICaptureEnd(MemorySegment stream, MemorySegment outGraph);

    int aclmdlRIExecuteAsync(MemorySegment graph, MemorySegment stream);

    int aclmdlRIDestroy(MemorySegment graph);

    // objects of operator calls

    MemorySegment aclCreateTensor(
            MemorySegment viewDims,
            long viewRank,
            int type,
            MemorySegment strides,
            long offset,
            int format,
            MemorySegment storageDims,
            long storageRank,
            MemorySegment address);

    MemorySegment aclCreateScalar(MemorySegment value, int type);

    MemorySegment aclCreateIntArray(MemorySegment values, long count);

    MemorySegment aclCreateTensorList(MemorySegment tensors, long count);

    int aclDestroyTensor(MemorySegment tensor);

    int aclDestroyScalar(MemorySegment scalar);

    int aclDestroyIntArray(MemorySegment array);

    int aclDestroyTensorList(MemorySegment list);

    int aclSetAclOpExecutorRepeatable(MemorySegment executor);

    int aclDestroyAclOpExecutor(MemorySegment executor);
}
