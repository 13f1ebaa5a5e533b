package dev.weft.io;

import dev.weft.DType;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** Files for tests: raw safetensors bytes, and the golden checkpoints where they are present. */
final class TestFiles {
    private TestFiles() {}

    /** Length, header text, data. */
    static byte[] safetensors(String header, int dataBytes) {
        return raw(header.getBytes(StandardCharsets.UTF_8).length, header.getBytes(StandardCharsets.UTF_8), dataBytes);
    }

    /** A declared length that need not be the true one. */
    static byte[] raw(long length, byte[] header, int dataBytes) {
        return ByteBuffer.allocate(8 + header.length + dataBytes)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(length)
                .put(header)
                .array();
    }

    static Path write(Path path, byte[] bytes) {
        try {
            return Files.write(path, bytes);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** A file with one tensor of the bytes given. */
    static void tensor(Path path, String name, DType dtype, byte[] bytes, long... shape) {
        try (SafetensorsWriter w =
                SafetensorsWriter.to(path).tensor(name, dtype, shape).open()) {
            w.write(name, bytes);
            w.finish();
        }
    }

    /** Checkpoint folders of the golden data; empty where there is none. */
    static List<Path> goldenCheckpoints() {
        return golden().stream()
                .flatMap(g -> Stream.of("micro", "smooth", "tiny-flash", "tiny-pro", "../demo-model")
                        .map(g::resolve))
                .filter(Files::isDirectory)
                .map(Path::normalize)
                .toList();
    }

    /** The folder of the golden data: property {@code weft.golden}, or {@code shared/golden} of an ancestor. */
    static Optional<Path> golden() {
        String property = System.getProperty("weft.golden");
        if (property != null) {
            return Optional.of(Path.of(property)).filter(Files::isDirectory);
        }
        return Stream.iterate(Path.of("").toAbsolutePath(), p -> p != null, Path::getParent)
                .map(p -> p.resolve("shared/golden"))
                .filter(Files::isDirectory)
                .findFirst();
    }
}
