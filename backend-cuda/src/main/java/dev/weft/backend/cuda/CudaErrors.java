package dev.weft.backend.cuda;

/** What codes of {@code CUresult} mean for the device and what to do about them. Names and texts come from the driver. */
final class CudaErrors {
    static final int OK = 0;
    static final int OUT_OF_MEMORY = 2;
    static final int STUB_LIBRARY = 34;
    static final int NO_DEVICE = 100;
    static final int NOT_READY = 600;

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
            case OUT_OF_MEMORY -> Kind.MEMORY;
            // errors that the driver documents as "the context cannot be used any more", and hardware faults
            case 4, 46, 214, 220, 226, 700, 702, 709, 710, 714, 715, 716, 717, 718, 719, 721 -> Kind.LOST;
            case 200, 209, 218, 222, 500, 801 -> Kind.REFUSED;
            default -> Kind.CALL;
        };
    }

    /** What to do, empty if nothing is known. */
    static String remedy(int code) {
        return switch (code) {
            case OUT_OF_MEMORY -> "close other programs on the device (nvidia-smi lists them), or use fewer sequences";
            case STUB_LIBRARY ->
                "this is the toolkit's stub for linking; take its folder from the library path and let the driver's own"
                        + " library be found";
            case NO_DEVICE -> "nvidia-smi must list the device; CUDA_VISIBLE_DEVICES may hide it";
            case 46 -> "another program may hold it exclusively; see nvidia-smi -q -d COMPUTE";
            case 101 -> "compare with nvidia-smi -L and CUDA_VISIBLE_DEVICES";
            case 200 -> "the image is damaged; build or install the kernels again";
            case 209 -> "the image is for other devices; build the kernels for this one";
            case 214, 220 -> "the device's memory or link is faulty; see nvidia-smi -q -d ECC";
            case 218 -> "the PTX does not compile; build the kernels again";
            case 222 -> "the PTX is newer than the driver; update the driver";
            case 500 -> "image and library are of different versions; build them together";
            case 700, 716 -> "a kernel read or wrote outside its operands";
            case 701 -> "the block needs more registers or shared memory than the device has";
            case 702 -> "a display's watchdog ends long kernels; use a device without a display";
            case 802 ->
                "the fabric manager of this machine is not running yet; see systemctl status nvidia-fabricmanager";
            case 803 ->
                "the libcuda that was found does not belong to the loaded kernel module; reboot or reinstall the"
                        + " driver";
            case 804 -> "forward compatibility is only for data-centre devices; use a libcuda of the driver's version";
            case 999 -> "see dmesg for the driver's report; loading the nvidia-uvm module anew often helps";
            default -> "";
        };
    }
}
