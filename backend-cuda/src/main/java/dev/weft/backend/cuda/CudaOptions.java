package dev.weft.backend.cuda;

import dev.weft.BackendUnavailableException;
import dev.weft.spi.BackendConfig;

/**
 * What can be set about CUDA devices, each as a property of the backend's configuration or as a system property.
 *
 * @param memoryLimit most bytes of device memory, 0 for what is there
 * @param timeoutSeconds how long a stream may work without finishing before its device counts as lost
 * @param capture whether repeated sequences of kernels are recorded as graphs
 * @param graphs recorded graphs kept per sequence, one per set of extents
 * @param overlap whether a kernel may start while the one before it ends (programmatic dependent launch), where driver and
 *     image can
 * @param images folder with kernel images, empty for those in the library
 * @param cache folder for images compiled on this machine, {@code off} for none, empty for the user's cache
 */
record CudaOptions(
        long memoryLimit,
        long timeoutSeconds,
        Capture capture,
        int graphs,
        boolean overlap,
        String images,
        String cache) {
    /** Seconds, see {@link #timeoutSeconds}. */
    static final String TIMEOUT = "weft.cuda.timeout";

    /** {@code on}, {@code off} or {@code require}. */
    static final String CAPTURE = "weft.cuda.capture";

    /** Number of graphs, see {@link #graphs}. */
    static final String GRAPHS = "weft.cuda.graphs";

    /** {@code true} or {@code false}, see {@link #overlap}. */
    static final String OVERLAP = "weft.cuda.overlap";

    /** A folder, see {@link #images}. */
    static final String IMAGES = "weft.cuda.images";

    /** A folder, {@code off}, or nothing, see {@link #cache}. */
    static final String CACHE = "weft.cuda.cache";

    /** The first driver whose graphs keep such launches, as edges of their own, when a stream is captured. */
    private static final int PROGRAMMATIC_EDGES = 12030;

    /** How sequences of kernels are repeated. */
    enum Capture {
        /** As graphs; a sequence that cannot be recorded runs call by call, with a warning. */
        ON,
        /** Always call by call. */
        OFF,
        /** As graphs; a sequence that cannot be recorded is an error. */
        REQUIRE
    }

    static CudaOptions of(BackendConfig config) {
        return new CudaOptions(
                config.memoryLimit(),
                number(config, TIMEOUT, 600),
                capture(value(config, CAPTURE, "on")),
                (int) Math.min(number(config, GRAPHS, 8), Integer.MAX_VALUE),
                flag(value(config, OVERLAP, "true")),
                value(config, IMAGES, ""),
                value(config, CACHE, ""));
    }

    /** Whether kernels are launched early under a driver of that version. */
    boolean overlaps(int driverVersion) {
        return overlap && driverVersion >= PROGRAMMATIC_EDGES;
    }

    /** The images for a chip, compute capability times ten, under a driver of that version. */
    Images images(int sm, int driverVersion) {
        RuntimeCompiler compiler = new RuntimeCompiler(KernelSources.load(), ImageCache.of(cache), driverVersion);
        return new Images(images, sm, driverVersion, compiler);
    }

    private static Capture capture(String text) {
        for (Capture c : Capture.values()) {
            if (c.name().equalsIgnoreCase(text)) {
                return c;
            }
        }
        throw new BackendUnavailableException("-D" + CAPTURE + "=" + text + ": expected on, off or require");
    }

    private static boolean flag(String text) {
        return switch (text) {
            case "true" -> true;
            case "false" -> false;
            default -> throw new BackendUnavailableException("-D" + OVERLAP + "=" + text + ": expected true or false");
        };
    }

    private static String value(BackendConfig config, String name, String otherwise) {
        return config.properties()
                .getOrDefault(name, System.getProperty(name, otherwise))
                .strip();
    }

    private static long number(BackendConfig config, String name, long otherwise) {
        String text = value(config, name, Long.toString(otherwise));
        try {
            long number = Long.parseLong(text);
            if (number >= 1) {
                return number;
            }
        } catch (NumberFormatException e) {
            // reported below
        }
        throw new BackendUnavailableException("-D" + name + "=" + text + ": expected a whole number of at least 1");
    }
}
