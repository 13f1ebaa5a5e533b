package dev.weft.backend.cpu;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * The machine for people.
 *
 * @param model product name, or the architecture where the system does not tell
 * @param memoryBytes memory this process may use, 0 if unknown
 */
record Processor(String model, long memoryBytes) {
    static Processor detect() {
        String model = field(Path.of("/proc/cpuinfo"), "model name").orElseGet(() -> System.getProperty("os.arch"));
        long memory = kibibytes("MemTotal").orElse(0L);
        // a container's limit; the word "max" means none
        long limit = firstLine(Path.of("/sys/fs/cgroup/memory.max"))
                .filter(l -> l.matches("[0-9]{1,18}"))
                .map(Long::parseLong)
                .orElse(Long.MAX_VALUE);
        return new Processor(model, Math.min(memory, limit));
    }

    /** Memory that this machine could give now without swapping, less a reserve for everybody else. */
    static long availableBytes() {
        return kibibytes("MemAvailable").map(bytes -> bytes - bytes / 16).orElse(Long.MAX_VALUE);
    }

    private static Optional<Long> kibibytes(String name) {
        return field(Path.of("/proc/meminfo"), name)
                .map(kib -> Long.parseLong(kib.replace(" kB", "").strip()) << 10);
    }

    private static Optional<String> field(Path file, String name) {
        try (Stream<String> lines = Files.lines(file)) {
            return lines.filter(l -> l.startsWith(name))
                    .map(l -> l.substring(l.indexOf(':') + 1).strip())
                    .filter(v -> !v.isEmpty())
                    .findFirst();
        } catch (IOException | java.io.UncheckedIOException e) {
            return Optional.empty();
        }
    }

    private static Optional<String> firstLine(Path file) {
        try (Stream<String> lines = Files.lines(file)) {
            return lines.findFirst();
        } catch (IOException | java.io.UncheckedIOException e) {
            return Optional.empty();
        }
    }
}
