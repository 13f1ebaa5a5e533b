package dev.weft.backend.ascend;

import dev.weft.BackendUnavailableException;
import dev.weft.spi.BackendConfig;
import java.util.Arrays;
import java.util.Locale;

/**
 * What can be set about Ascend devices, each as a property of the backend's configuration or as a system property.
 *
 * @param memoryLimit most bytes of device memory, 0 for what is there
 * @param timeoutSeconds how long a stream may work without finishing before its device counts as lost
 * @param capture whether repeated sequences of kernels are recorded as graphs
 * @param graphs recorded graphs kept per sequence, one per set of extents
 * @param probe whether operators are asked for every instance before it counts as supported
 * @param bufferMegabytes exchange buffer of each communicator
 * @param rankTable file by which HCCL finds the ranks, empty to find them through rank 0
 * @param packing who makes the layouts of weights that CANN has an operator for
 * @param deterministic level for {@code aclrtSetSysParamOpt(ACL_OPT_DETERMINISTIC)}, -1 to leave it as it is
 */
record AscendOptions(
        long memoryLimit,
        long timeoutSeconds,
        Capture capture,
        int graphs,
        boolean probe,
        Packing packing,
        int deterministic,
        int bufferMegabytes,
        String rankTable) {
    /** Seconds, see {@link #timeoutSeconds}. */
    static final String TIMEOUT = "weft.ascend.timeout";

    /** {@code on}, {@code off} or {@code require}. */
    static final String CAPTURE = "weft.ascend.capture";

    /** Number of graphs, see {@link #graphs}. */
    static final String GRAPHS = "weft.ascend.graphs";

    /** {@code true} or {@code false}, see {@link #probe}. */
    static final String PROBE = "weft.ascend.probe";

    /** {@code host} or {@code device}, see {@link #packing}. */
    static final String PACK = "weft.ascend.pack";

    /** {@code true}, or one of CANN's levels 0 to 3: off, deterministic, strong, batch-invariant. */
    static final String DETERMINISTIC = "weft.ascend.deterministic";

    /** Megabytes, see {@link #bufferMegabytes}; else the variable {@code HCCL_BUFFSIZE}, else HCCL's default. */
    static final String BUFFER = "weft.ascend.hccl.buffer";

    /** File, see {@link #rankTable}; else the variable {@value #RANK_TABLE_VARIABLE}. */
    static final String RANK_TABLE = "weft.ascend.hccl.ranktable";

    static final String RANK_TABLE_VARIABLE = "RANK_TABLE_FILE";
    private static final String BUFFER_VARIABLE = "HCCL_BUFFSIZE";
    private static final String DEFAULT_BUFFER = "200";

    /** Who makes layouts of weights; the bytes are the same. */
    enum Packing {
        /** This library, while the weights are read. */
        HOST,
        /** CANN's operator, from a copy of the weight in device memory. */
        DEVICE
    }

    /** How sequences of kernels are repeated. */
    enum Capture {
        /** As graphs; a sequence that cannot be recorded runs call by call, with a warning. */
        ON,
        /** Always call by call. */
        OFF,
        /** As graphs; a sequence that cannot be recorded is an error. */
        REQUIRE
    }

    static AscendOptions of(BackendConfig config) {
        String deterministic = value(config, DETERMINISTIC, "").toLowerCase(Locale.ROOT);
        return new AscendOptions(
                config.memoryLimit(),
                number(config, TIMEOUT, 600, 1),
                choice(Capture.class, CAPTURE, value(config, CAPTURE, "on")),
                (int) number(config, GRAPHS, 8, 1),
                flag(value(config, PROBE, "true")),
                choice(Packing.class, PACK, value(config, PACK, "host")),
                switch (deterministic) {
                    case "", "false" -> -1;
                    case "true" -> 1;
                    default -> (int) number(config, DETERMINISTIC, -1, 0);
                },
                (int) number(BUFFER, value(config, BUFFER, variable(BUFFER_VARIABLE, DEFAULT_BUFFER)), 1),
                value(config, RANK_TABLE, variable(RANK_TABLE_VARIABLE, "")));
    }

    private static <E extends Enum<E>> E choice(Class<E> type, String name, String text) {
        for (E choice : type.getEnumConstants()) {
            if (choice.name().equalsIgnoreCase(text)) {
                return choice;
            }
        }
        String known = Arrays.toString(type.getEnumConstants()).toLowerCase(Locale.ROOT);
        throw new BackendUnavailableException("-D" + name + "=" + text + ": expected one of " + known);
    }

    private static boolean flag(String text) {
        return switch (text.toLowerCase(Locale.ROOT)) {
            case "true" -> true;
            case "false" -> false;
            default -> throw new BackendUnavailableException("-D" + PROBE + "=" + text + ": expected true or false");
        };
    }

    private static String value(BackendConfig config, String name, String otherwise) {
        return config.properties()
                .getOrDefault(name, System.getProperty(name, otherwise))
                .strip();
    }

    private static String variable(String name, String otherwise) {
        String text = System.getenv().getOrDefault(name, "").strip();
        return text.isEmpty() ? otherwise : text;
    }

    private static long number(BackendConfig config, String name, long otherwise, long least) {
        return number(name, value(config, name, Long.toString(otherwise)), Math.min(least, otherwise));
    }

    private static long number(String name, String text, long least) {
        try {
            long number = Long.parseLong(text);
            if (number >= least) {
                return number;
            }
        } catch (NumberFormatException e) {
            // reported below
        }
        throw new BackendUnavailableException(
                "-D" + name + "=" + text + ": expected a whole number of at least " + least);
    }
}
