package dev.weft.backend.cpu;

import dev.weft.BackendUnavailableException;
import dev.weft.spi.BackendConfig;
import java.util.ArrayList;
import java.util.List;

/**
 * Settings of the CPU backend. Each is a property of {@link BackendConfig}, or a system property of the same name.
 *
 * @param threads threads of a kernel, the calling one included
 * @param processors where threads 1, 2, ... are pinned: thread i on {@code processors[i % size]} only; empty for anywhere.
 *     Thread 0 is the caller's, which stays where it is
 * @param interleave whether buffers are spread over all memory nodes
 */
record CpuOptions(int threads, List<Integer> processors, boolean interleave) {
    /**
     * {@value}: number of threads, used if {@link BackendConfig#threads} is 0; without both, as many as
     * {@link #AFFINITY} lists, or one per available processor.
     */
    static final String THREADS = "weft.cpu.threads";

    /**
     * {@value}: {@code none}, the default; {@code compact}: every thread on the next of the processors that the process
     * may use; or a list of processors as in {@code 0-3,8,10}.
     */
    static final String AFFINITY = "weft.cpu.affinity";

    /** {@value}: {@code default}: memory lies near the thread that writes it first; {@code interleave}. */
    static final String NUMA = "weft.cpu.numa";

    CpuOptions {
        processors = List.copyOf(processors);
    }

    /** @throws BackendUnavailableException naming the setting that cannot be followed on this system */
    static CpuOptions of(BackendConfig config, Host host) {
        List<Integer> processors = processors(value(config, AFFINITY, "none"), host);
        int automatic = processors.isEmpty() ? Runtime.getRuntime().availableProcessors() : processors.size();
        int threads = config.threads() > 0 ? config.threads() : threads(value(config, THREADS, ""), automatic);
        return new CpuOptions(threads, processors, interleave(value(config, NUMA, "default"), host));
    }

    private static String value(BackendConfig config, String name, String otherwise) {
        String given = config.properties()
                .getOrDefault(name, System.getProperty(name, ""))
                .strip();
        return given.isEmpty() ? otherwise : given;
    }

    private static int threads(String given, int automatic) {
        if (given.isEmpty()) {
            return automatic;
        }
        int threads = number(THREADS, given, given);
        if (threads == 0) {
            throw refusal(THREADS, given, "expected 1 or more");
        }
        return threads;
    }

    private static List<Integer> processors(String given, Host host) {
        if (given.equals("none")) {
            return List.of();
        }
        List<Integer> usable = host.processors();
        if (usable.isEmpty()) {
            throw refusal(AFFINITY, given, "threads cannot be pinned: " + host.limits());
        }
        List<Integer> wanted = given.equals("compact") ? usable : list(given);
        for (int p : wanted) {
            if (!usable.contains(p)) {
                throw refusal(AFFINITY, given, "this process may not use processor " + p + ", only " + usable);
            }
        }
        return wanted;
    }

    private static List<Integer> list(String given) {
        List<Integer> all = new ArrayList<>();
        for (String range : given.split(",")) {
            String[] ends = range.split("-", 2);
            int from = number(AFFINITY, given, ends[0]);
            int to = number(AFFINITY, given, ends[ends.length - 1]);
            if (to < from || to - from >= Host.MOST_PROCESSORS) {
                throw refusal(AFFINITY, given, "'" + range + "' is no range of processors");
            }
            for (int p = from; p <= to; p++) {
                all.add(p);
            }
        }
        return all;
    }

    private static int number(String name, String given, String digits) {
        try {
            return Integer.parseUnsignedInt(digits.strip());
        } catch (NumberFormatException e) {
            throw refusal(name, given, "'" + digits + "' is no number");
        }
    }

    private static boolean interleave(String given, Host host) {
        return switch (given) {
            case "default" -> false;
            case "interleave" -> {
                if (host.memoryNodes() == 0) {
                    throw refusal(NUMA, given, "memory cannot be spread over nodes: " + host.limits());
                }
                yield true;
            }
            default -> throw refusal(NUMA, given, "expected default or interleave");
        };
    }

    private static BackendUnavailableException refusal(String name, String given, String reason) {
        return new BackendUnavailableException(name + "=" + given + ": " + reason + "; change or remove the setting");
    }
}
