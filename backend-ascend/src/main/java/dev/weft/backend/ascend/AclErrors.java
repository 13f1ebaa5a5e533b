package dev.weft.backend.ascend;

import java.util.Map;

/**
 * What CANN's return codes mean: symbolic name, kind of failure and remedy. Names are those of CANN's headers
 * {@code acl_base_rt.h}, {@code acl_rt.h} and {@code aclnn_base.h}.
 */
final class AclErrors {
    static final int OK = 0;
    static final int REPEATED_INIT = 100002;
    static final int SYNC_TIMEOUT = 507046;

    /** How a failure changes what can be done next. */
    enum Kind {
        /** The device's context is poisoned: nothing works until it is closed and opened again. */
        LOST,
        /** Device memory does not suffice. */
        MEMORY,
        /** The device or its installed kernels have no such operator. */
        REFUSED,
        /** The operator does not take these shapes or types. */
        SHAPE,
        /** Anything else: the call failed, the device goes on. */
        CALL
    }

    private record Entry(String name, String remedy) {}

    private static final Map<Integer, Entry> ENTRIES = Map.ofEntries(
            entry(100000, "ACL_ERROR_INVALID_PARAM", ""),
            entry(100001, "ACL_ERROR_UNINITIALIZE", ""),
            entry(100002, "ACL_ERROR_REPEAT_INITIALIZE", ""),
            entry(100024, "ACL_ERROR_OP_NOT_FOUND", "install the operator package of this product"),
            entry(
                    100039,
                    "ACL_ERROR_COMPILING_STUB_MODE",
                    "the library is a link-time stub; put the driver's and toolkit's lib64 before any stub folder"),
            entry(107000, "ACL_ERROR_RT_PARAM_INVALID", ""),
            entry(107001, "ACL_ERROR_RT_INVALID_DEVICEID", "compare with npu-smi info and ASCEND_RT_VISIBLE_DEVICES"),
            entry(107002, "ACL_ERROR_RT_CONTEXT_NULL", ""),
            entry(107003, "ACL_ERROR_RT_STREAM_CONTEXT", ""),
            entry(107008, "ACL_ERROR_RT_ADDR_UNALIGNED", ""),
            entry(107016, "ACL_ERROR_RT_INVALID_MEMORY_TYPE", ""),
            entry(107017, "ACL_ERROR_RT_INVALID_HANDLE", ""),
            entry(107019, "ACL_ERROR_RT_WAIT_TIMEOUT", ""),
            entry(107020, "ACL_ERROR_RT_TASK_TIMEOUT", ""),
            entry(107024, "ACL_ERROR_RT_CAPTURE_DEPENDENCY", ""),
            entry(107025, "ACL_ERROR_RT_STREAM_UNJOINED", ""),
            entry(107026, "ACL_ERROR_RT_MODEL_CAPTURED", ""),
            entry(107027, "ACL_ERROR_RT_STREAM_CAPTURED", ""),
            entry(107028, "ACL_ERROR_RT_EVENT_CAPTURED", ""),
            entry(107029, "ACL_ERROR_RT_STREAM_NOT_CAPTURED", ""),
            entry(107030, "ACL_ERROR_RT_CAPTURE_MODE_NOT_SUPPORT", ""),
            entry(107031, "ACL_ERROR_RT_STREAM_CAPTURE_IMPLICIT", ""),
            entry(107036, "ACL_ERROR_RT_STREAM_CAPTURE_UNMATCHED", ""),
            entry(107037, "ACL_ERROR_RT_MODEL_RUNNING", ""),
            entry(107038, "ACL_ERROR_RT_STREAM_CAPTURE_WRONG_THREAD", ""),
            entry(107041, "ACL_ERROR_RT_CAPTURE_MODE_BLOCK_ASYNC", ""),
            entry(207000, "ACL_ERROR_RT_FEATURE_NOT_SUPPORT", "the driver or firmware may be older than the toolkit"),
            entry(
                    207001,
                    "ACL_ERROR_RT_MEMORY_ALLOCATION",
                    "close other processes on the device, or use fewer sequences"),
            entry(207004, "ACL_ERROR_RT_NO_DEVICE", "npu-smi info must list the device"),
            entry(207005, "ACL_ERROR_RT_RESOURCE_ALLOC_FAIL", ""),
            entry(
                    207006,
                    "ACL_ERROR_RT_NO_PERMISSION",
                    "the user must be in the group that owns the device files, usually HwHiAiUser"),
            entry(207007, "ACL_ERROR_RT_NO_EVENT_RESOURCE", ""),
            entry(207008, "ACL_ERROR_RT_NO_STREAM_RESOURCE", ""),
            entry(207018, "ACL_ERROR_RT_DEVICE_OOM", "close other processes on the device, or use fewer sequences"),
            entry(507011, "ACL_ERROR_RT_MODEL_EXECUTE", ""),
            entry(507014, "ACL_ERROR_RT_AICORE_TIMEOUT", ""),
            entry(507015, "ACL_ERROR_RT_AICORE_EXCEPTION", "an operator read or wrote outside its tensors"),
            entry(507017, "ACL_ERROR_RT_AICPU_TIMEOUT", ""),
            entry(507018, "ACL_ERROR_RT_AICPU_EXCEPTION", ""),
            entry(507033, "ACL_ERROR_RT_DEV_SETUP_ERROR", "compare the driver's version with the toolkit's"),
            entry(507034, "ACL_ERROR_RT_VECTOR_CORE_TIMEOUT", ""),
            entry(507035, "ACL_ERROR_RT_VECTOR_CORE_EXCEPTION", "an operator read or wrote outside its tensors"),
            entry(507046, "ACL_ERROR_RT_STREAM_SYNC_TIMEOUT", ""),
            entry(507053, "ACL_ERROR_RT_DEVICE_MEM_ERROR", "the device's memory is faulty; see npu-smi info -t ecc"),
            entry(
                    507054,
                    "ACL_ERROR_RT_HBM_MULTI_BIT_ECC_ERROR",
                    "the device's memory is faulty; see npu-smi info -t ecc"),
            entry(507899, "ACL_ERROR_RT_DRV_INTERNAL_ERROR", "see the driver's log"),
            entry(161001, "ACLNN_ERR_PARAM_NULLPTR", ""),
            entry(161002, "ACLNN_ERR_PARAM_INVALID", ""),
            entry(361001, "ACLNN_ERR_RUNTIME_ERROR", "the operator may not exist for this product"),
            entry(561000, "ACLNN_ERR_INNER", ""),
            entry(561001, "ACLNN_ERR_INNER_INFERSHAPE_ERROR", ""),
            entry(561002, "ACLNN_ERR_INNER_TILING_ERROR", ""),
            entry(
                    561003,
                    "ACLNN_ERR_INNER_FIND_KERNEL_ERROR",
                    "install the operator package (kernels) of this product in the toolkit's version"),
            entry(561101, "ACLNN_ERR_INNER_CREATE_EXECUTOR", ""),
            entry(561102, "ACLNN_ERR_INNER_NOT_TRANS_EXECUTOR", ""),
            entry(561103, "ACLNN_ERR_INNER_NULLPTR", ""),
            entry(561106, "ACLNN_ERR_INNER_ATTR_NUM_OUT_OF_BOUND", ""),
            entry(561107, "ACLNN_ERR_INNER_OPP_PATH_NOT_FOUND", "set ASCEND_OPP_PATH: source set_env.sh before Java"),
            entry(
                    561112,
                    "ACLNN_ERR_INNER_OPP_KERNEL_PKG_NOT_FOUND",
                    "install the operator package (kernels) of this product in the toolkit's version"));

    private AclErrors() {}

    private static Map.Entry<Integer, Entry> entry(int code, String name, String remedy) {
        return Map.entry(code, new Entry(name, remedy));
    }

    /** Symbolic name, or the number alone. */
    static String name(int code) {
        Entry e = ENTRIES.get(code);
        return e == null ? "unknown code" : e.name();
    }

    /** What to do, empty if nothing is known. */
    static String remedy(int code) {
        Entry e = ENTRIES.get(code);
        return e == null ? "" : e.remedy();
    }

    /** What the failure means for the device. */
    static Kind kind(int code) {
        return switch (code) {
            case 207001, 207018 -> Kind.MEMORY;
            case 361001, 561003, 561112, 561107, 100024 -> Kind.REFUSED;
            case 161001, 161002, 561001, 561002 -> Kind.SHAPE;
            case SYNC_TIMEOUT -> Kind.CALL;
            // device and driver failures; frameworks treat them all as the end of the context
            default -> code >= 507000 && code < 508000 ? Kind.LOST : Kind.CALL;
        };
    }
}
