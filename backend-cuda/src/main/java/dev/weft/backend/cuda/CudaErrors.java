package dev.weft.backend.cuda;

import static dev.weft.backend.cuda.DriverConstants.*;

/** What codes of {@code CUresult} mean for the device and what to do about them. Names and texts come from the driver. */
final class CudaErrors {
    /** How a failure changes what can be done next. */
    enum Kind {
        /** The device's context is poisoned: nothing works until it is closed and opened again. */
        LOST,
        /** Device memory does not suffice. */
        MEMORY,
        /** The kernels that are here do not run on this device or driver. */
        REFUSED,
        /** Anything else: the call failed, the device goes on. */
        CALL
    }

    private CudaErrors() {}

    /** What the failure means for the device. */
    static Kind kind(int code) {
        return switch (code) {
            case CUDA_ERROR_OUT_OF_MEMORY -> Kind.MEMORY;
            // errors that the driver documents as "the context cannot be used any more", and hardware faults
            case CUDA_ERROR_DEINITIALIZED,
                    CUDA_ERROR_DEVICE_UNAVAILABLE,
                    CUDA_ERROR_ECC_UNCORRECTABLE,
                    CUDA_ERROR_NVLINK_UNCORRECTABLE,
                    CUDA_ERROR_CONTAINED,
                    CUDA_ERROR_ILLEGAL_ADDRESS,
                    CUDA_ERROR_LAUNCH_TIMEOUT,
                    CUDA_ERROR_CONTEXT_IS_DESTROYED,
                    CUDA_ERROR_ASSERT,
                    CUDA_ERROR_HARDWARE_STACK_ERROR,
                    CUDA_ERROR_ILLEGAL_INSTRUCTION,
                    CUDA_ERROR_MISALIGNED_ADDRESS,
                    CUDA_ERROR_INVALID_ADDRESS_SPACE,
                    CUDA_ERROR_INVALID_PC,
                    CUDA_ERROR_LAUNCH_FAILED,
                    CUDA_ERROR_TENSOR_MEMORY_LEAK -> Kind.LOST;
            case CUDA_ERROR_INVALID_IMAGE,
                    CUDA_ERROR_NO_BINARY_FOR_GPU,
                    CUDA_ERROR_INVALID_PTX,
                    CUDA_ERROR_JIT_COMPILER_NOT_FOUND,
                    CUDA_ERROR_UNSUPPORTED_PTX_VERSION,
                    CUDA_ERROR_JIT_COMPILATION_DISABLED,
                    CUDA_ERROR_INVALID_SOURCE,
                    CUDA_ERROR_NOT_FOUND,
                    CUDA_ERROR_NOT_SUPPORTED -> Kind.REFUSED;
            default -> Kind.CALL;
        };
    }

    /** What to do, empty if nothing is known. */
    static String remedy(int code) {
        return switch (code) {
            case CUDA_ERROR_OUT_OF_MEMORY ->
                "close other programs on the device (nvidia-smi lists them), or use fewer sequences";
            case CUDA_ERROR_STUB_LIBRARY ->
                "this is the toolkit's stub for linking; take its folder from the library path and let the driver's own"
                        + " library be found";
            case CUDA_ERROR_NO_DEVICE -> "nvidia-smi must list the device; CUDA_VISIBLE_DEVICES may hide it";
            case CUDA_ERROR_DEVICE_UNAVAILABLE ->
                "another program may hold it exclusively; see nvidia-smi -q -d COMPUTE";
            case CUDA_ERROR_INVALID_DEVICE -> "compare with nvidia-smi -L and CUDA_VISIBLE_DEVICES";
            case CUDA_ERROR_INVALID_IMAGE ->
                "the image is damaged, or newer than the driver; install the kernels again, or update the driver";
            case CUDA_ERROR_NO_BINARY_FOR_GPU -> "the image is for other devices; build the kernels for this one";
            case CUDA_ERROR_ECC_UNCORRECTABLE, CUDA_ERROR_NVLINK_UNCORRECTABLE ->
                "the device's memory or link is faulty; see nvidia-smi -q -d ECC";
            case CUDA_ERROR_INVALID_PTX -> "the PTX does not compile; build the kernels again";
            case CUDA_ERROR_UNSUPPORTED_PTX_VERSION -> "the PTX is newer than the driver; update the driver";
            case CUDA_ERROR_JIT_COMPILER_NOT_FOUND ->
                "the driver's compiler libnvidia-ptxjitcompiler is not there; install it with the driver, or kernels that"
                        + " are built for this device";
            case CUDA_ERROR_JIT_COMPILATION_DISABLED ->
                "CUDA_DISABLE_PTX_JIT forbids the driver to compile; unset it, or install kernels that are built for this"
                        + " device";
            case CUDA_ERROR_INVALID_SOURCE ->
                "the driver takes the image for none of its kinds; install the kernels again";
            case CUDA_ERROR_NOT_FOUND -> "image and library are of different versions; build them together";
            case CUDA_ERROR_ILLEGAL_ADDRESS, CUDA_ERROR_MISALIGNED_ADDRESS ->
                "a kernel read or wrote outside its operands";
            case CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES ->
                "the block needs more registers or shared memory than the device has";
            case CUDA_ERROR_LAUNCH_TIMEOUT -> "a display's watchdog ends long kernels; use a device without a display";
            case CUDA_ERROR_SYSTEM_NOT_READY ->
                "the fabric manager of this machine is not running yet; see systemctl status nvidia-fabricmanager";
            case CUDA_ERROR_SYSTEM_DRIVER_MISMATCH ->
                "the libcuda that was found does not belong to the loaded kernel module; reboot or reinstall the"
                        + " driver";
            case CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE ->
                "forward compatibility is only for data-centre devices; use a libcuda of the driver's version";
            case CUDA_ERROR_UNKNOWN ->
                "see dmesg for the driver's report; loading the nvidia-uvm module anew often helps";
            default -> "";
        };
    }
}
