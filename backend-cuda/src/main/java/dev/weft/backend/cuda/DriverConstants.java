package dev.weft.backend.cuda;

/** The constants of {@code cuda.h} that the backend uses, under their names there. */
final class DriverConstants {
    // CUresult
    static final int CUDA_SUCCESS = 0;
    static final int CUDA_ERROR_OUT_OF_MEMORY = 2;
    static final int CUDA_ERROR_DEINITIALIZED = 4;
    static final int CUDA_ERROR_STUB_LIBRARY = 34;
    static final int CUDA_ERROR_DEVICE_UNAVAILABLE = 46;
    static final int CUDA_ERROR_NO_DEVICE = 100;
    static final int CUDA_ERROR_INVALID_DEVICE = 101;
    static final int CUDA_ERROR_INVALID_IMAGE = 200;
    static final int CUDA_ERROR_NO_BINARY_FOR_GPU = 209;
    static final int CUDA_ERROR_ECC_UNCORRECTABLE = 214;
    static final int CUDA_ERROR_INVALID_PTX = 218;
    static final int CUDA_ERROR_NVLINK_UNCORRECTABLE = 220;
    static final int CUDA_ERROR_JIT_COMPILER_NOT_FOUND = 221;
    static final int CUDA_ERROR_UNSUPPORTED_PTX_VERSION = 222;
    static final int CUDA_ERROR_JIT_COMPILATION_DISABLED = 223;
    static final int CUDA_ERROR_CONTAINED = 226;
    static final int CUDA_ERROR_INVALID_SOURCE = 300;
    static final int CUDA_ERROR_NOT_FOUND = 500;
    static final int CUDA_ERROR_NOT_READY = 600;
    static final int CUDA_ERROR_ILLEGAL_ADDRESS = 700;
    static final int CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES = 701;
    static final int CUDA_ERROR_LAUNCH_TIMEOUT = 702;
    static final int CUDA_ERROR_CONTEXT_IS_DESTROYED = 709;
    static final int CUDA_ERROR_ASSERT = 710;
    static final int CUDA_ERROR_HARDWARE_STACK_ERROR = 714;
    static final int CUDA_ERROR_ILLEGAL_INSTRUCTION = 715;
    static final int CUDA_ERROR_MISALIGNED_ADDRESS = 716;
    static final int CUDA_ERROR_INVALID_ADDRESS_SPACE = 717;
    static final int CUDA_ERROR_INVALID_PC = 718;
    static final int CUDA_ERROR_LAUNCH_FAILED = 719;
    static final int CUDA_ERROR_TENSOR_MEMORY_LEAK = 721;
    static final int CUDA_ERROR_NOT_SUPPORTED = 801;
    static final int CUDA_ERROR_SYSTEM_NOT_READY = 802;
    static final int CUDA_ERROR_SYSTEM_DRIVER_MISMATCH = 803;
    static final int CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE = 804;
    static final int CUDA_ERROR_UNKNOWN = 999;

    // CUdevice_attribute
    static final int CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT = 16;
    static final int CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE = 38;
    static final int CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR = 75;
    static final int CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR = 76;
    static final int CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN = 97;

    // CUstream_flags, CUevent_flags, CUstreamCaptureMode
    static final int CU_STREAM_NON_BLOCKING = 1;
    static final int CU_EVENT_DEFAULT = 0;
    static final int CU_EVENT_DISABLE_TIMING = 2;
    static final int CU_STREAM_CAPTURE_MODE_THREAD_LOCAL = 1;

    // CUjit_option, CUfunction_attribute, CUlaunchAttributeID, CUmemorytype
    static final int CU_JIT_ERROR_LOG_BUFFER = 5;
    static final int CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES = 6;
    static final int CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES = 1;
    static final int CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES = 8;
    static final int CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION = 6;
    static final int CU_MEMORYTYPE_DEVICE = 2;

    private DriverConstants() {}
}
