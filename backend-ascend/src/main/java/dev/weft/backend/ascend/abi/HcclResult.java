package dev.weft.backend.ascend.abi;

import java.util.List;

/** {@code HcclResult} (hccl/hccl_types.h): status codes of collectives. */
public final class HcclResult {
    /** The call was taken. */
    public static final int SUCCESS = 0;

    private static final List<String> NAMES = List.of(
            "SUCCESS",
            "E_PARA",
            "E_PTR",
            "E_MEMORY",
            "E_INTERNAL",
            "E_NOT_SUPPORT",
            "E_NOT_FOUND",
            "E_UNAVAIL",
            "E_SYSCALL",
            "E_TIMEOUT",
            "E_OPEN_FILE_FAILURE",
            "E_TCP_CONNECT",
            "E_ROCE_CONNECT",
            "E_TCP_TRANSFER",
            "E_ROCE_TRANSFER",
            "E_RUNTIME",
            "E_DRV",
            "E_PROFILING",
            "E_CCE",
            "E_NETWORK",
            "E_AGAIN",
            "E_REMOTE",
            "E_SUSPENDING");

    private HcclResult() {}

    /** Name and number. */
    public static String name(int code) {
        String name = code >= 0 && code < NAMES.size() ? "HCCL_" + NAMES.get(code) : "unknown HCCL code";
        return name + " (" + code + ")";
    }

    /** Name and, for the failures users meet, the remedy. */
    public static String describe(int code) {
        String remedy = switch (code) {
            case 9 ->
                "; all ranks must make the same calls in the same order, and reach each other: see HCCL_CONNECT_TIMEOUT,"
                        + " HCCL_SOCKET_IFNAME and HCCL_WHITELIST_DISABLE";
            case 11, 13, 19 -> "; see HCCL_SOCKET_IFNAME, HCCL_IF_IP and the host's firewall";
            case 3 -> "; lower HCCL_BUFFSIZE or free device memory";
            default -> "";
        };
        return name(code) + remedy;
    }
}
