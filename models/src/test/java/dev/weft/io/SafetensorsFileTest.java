package dev.weft.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import dev.weft.CheckpointException;
import dev.weft.ClosedException;
import dev.weft.DType;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class SafetensorsFileTest {
    private static final Duration BOUND = Duration.ofSeconds(10);

    @TempDir
    Path folder;

    /** Name of the damage, the file's bytes, what the message must say. */
    static Stream<Arguments> damagedFiles() {
        byte[] badUtf8 = "{\"a?\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}"
                .replace('?', '\u00ff')
                .getBytes(StandardCharsets.ISO_8859_1);
        byte[] utf16 = "{\"a\":{}}".getBytes(StandardCharsets.UTF_16LE);
        byte[] empty = "{}".getBytes(StandardCharsets.UTF_8);
        return Stream.of(
                arguments("empty", new byte[0], "found 0 bytes, expected at least 8"),
                arguments("1 byte", new byte[1], "found 1 bytes, expected at least 8"),
                arguments("7 bytes", new byte[7], "found 7 bytes, expected at least 8"),
                arguments("only a length of 0", new byte[8], "does not begin with '{'"),
                arguments("length 0", TestFiles.raw(0, empty, 4), "does not begin with '{'"),
                arguments("length 1", TestFiles.raw(1, empty, 4), "does not begin with '{'"),
                arguments("length 2^31", TestFiles.raw(1L << 31, empty, 4), "2147483648 exceeds the file"),
                arguments("length 2^63", TestFiles.raw(1L << 63, empty, 4), "9223372036854775808 exceeds the file"),
                arguments("length 2^64-1", TestFiles.raw(-1, empty, 4), "18446744073709551615 exceeds the file"),
                arguments("length past the end", TestFiles.raw(100, empty, 4), "100 exceeds the file of 14 bytes"),
                arguments("bad UTF-8", TestFiles.raw(badUtf8.length, badUtf8, 0), "is not UTF-8"),
                arguments("UTF-16", TestFiles.raw(utf16.length, utf16, 0), "is not valid JSON"),
                arguments("not JSON", TestFiles.safetensors("{nonsense}", 0), "is not valid JSON"),
                arguments("truncated JSON", TestFiles.safetensors("{\"a\":{\"dtype\":\"F3", 0), "is not valid JSON"),
                arguments(
                        "JSON cut by the length",
                        TestFiles.raw(5, header(tensor("a", "U8", "0", "0,0")), 0),
                        "is not valid JSON"),
                arguments("text after the object", TestFiles.safetensors("{} x", 0), "is not valid JSON"),
                arguments("second object", TestFiles.safetensors("{}{}", 0), "after the JSON object"),
                arguments("100k-deep arrays", TestFiles.safetensors("{\"a\":" + "[".repeat(100_000), 0), "tensor a"),
                arguments("100k-deep objects", TestFiles.safetensors("{\"a\":".repeat(100_000), 0), "unknown field a"),
                arguments(
                        "100k-deep shape",
                        TestFiles.safetensors("{\"a\":{\"shape\":" + "[".repeat(100_000), 0),
                        "shape"),
                arguments(
                        "metadata is a list",
                        TestFiles.safetensors("{\"__metadata__\":[]}", 0),
                        "__metadata__: expected"),
                arguments(
                        "metadata is nested",
                        TestFiles.safetensors("{\"__metadata__\":{\"a\":{}}}", 0),
                        "__metadata__.a: expected a string"),
                arguments(
                        "metadata twice",
                        TestFiles.safetensors("{\"__metadata__\":{},\"__metadata__\":{}}", 0),
                        "__metadata__ occurs twice"),
                arguments(
                        "metadata key twice",
                        TestFiles.safetensors("{\"__metadata__\":{\"a\":\"1\",\"a\":\"1\"}}", 0),
                        "__metadata__.a occurs twice"));
    }

    /** Name of the damage, the tensors, data bytes, what the message must say. */
    static Stream<Arguments> damagedTensors() {
        String a = tensor("a", "U8", "4", "0,4");
        return Stream.of(
                arguments("duplicate tensor", a + "," + a, 4, "tensor a: is declared twice"),
                arguments("empty name", tensor("", "U8", "4", "0,4"), 4, "empty name"),
                arguments("name with NUL", tensor("a\\u0000b", "U8", "4", "0,4"), 4, "control characters"),
                arguments("name of 1 MiB", tensor("n".repeat(1 << 20), "U8", "4", "0,4"), 4, "is not valid JSON"),
                arguments("tensor is a list", "\"a\":[]", 4, "tensor a: expected an object"),
                arguments("tensor is null", "\"a\":null", 4, "tensor a: expected an object"),
                arguments("unknown dtype", tensor("a", "F7", "4", "0,4"), 4, "tensor a: dtype F7 is unknown"),
                arguments("dtype is a number", "\"a\":{\"dtype\":8}", 4, "dtype: expected a string, found 8"),
                arguments("missing dtype", "\"a\":{\"shape\":[4],\"data_offsets\":[0,4]}", 4, "dtype is missing"),
                arguments("missing shape", "\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,4]}", 4, "shape is missing"),
                arguments("missing offsets", "\"a\":{\"dtype\":\"U8\",\"shape\":[4]}", 4, "data_offsets is missing"),
                arguments("duplicate field", "\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\"}", 4, "dtype occurs twice"),
                arguments("duplicate shape", "\"a\":{\"shape\":[4],\"shape\":[4]}", 4, "shape occurs twice"),
                arguments("unknown field", "\"a\":{\"stride\":[1]}", 4, "unknown field stride"),
                arguments("negative offset", tensor("a", "U8", "4", "-4,0"), 4, "data_offsets: expected an integer"),
                arguments("fractional offset", tensor("a", "U8", "4", "0,4.5"), 4, "found 4.5"),
                arguments("whole fraction", tensor("a", "U8", "4", "0,4.0"), 4, "found 4.0"),
                arguments("offset 1e30", tensor("a", "U8", "4", "0,1e30"), 4, "found 1e30"),
                arguments("offset 2^64", tensor("a", "U8", "4", "0,18446744073709551616"), 4, "found 184467440737095"),
                arguments(
                        "number of 100k digits",
                        tensor("a", "U8", "4", "0," + "9".repeat(100_000)),
                        4,
                        "not valid JSON"),
                arguments("offset as text", tensor("a", "U8", "4", "0,\"4\""), 4, "data_offsets: expected an integer"),
                arguments("one offset", tensor("a", "U8", "4", "4"), 4, "expected two numbers, found [4]"),
                arguments("three offsets", tensor("a", "U8", "4", "0,4,4"), 4, "expected two numbers, found [0, 4, 4]"),
                arguments("begin beyond end", tensor("a", "U8", "4", "4,0"), 4, "begin 4 exceeds end 0"),
                arguments(
                        "past the end", tensor("a", "U8", "5", "0,5"), 4, "bytes [0, 5) exceed the data section of 4"),
                arguments(
                        "overlap", a + "," + tensor("b", "U8", "4", "2,6"), 6, "tensor b: bytes begin at file offset"),
                arguments("same bytes twice", a + "," + tensor("b", "U8", "4", "0,4"), 4, "overlap tensor a"),
                arguments("gap", a + "," + tensor("b", "U8", "4", "6,10"), 10, "leave a gap after tensor a"),
                arguments("gap at the start", tensor("a", "U8", "4", "2,6"), 6, "leave a gap after the header"),
                arguments("bytes after the last tensor", a, 6, "but the file ends at"),
                arguments("file cut", a, 3, "exceed the data section of 3 bytes"),
                arguments("shape -1", tensor("a", "U8", "-1", "0,4"), 4, "shape: expected an integer"),
                arguments("shape is a number", "\"a\":{\"shape\":4}", 4, "shape: expected an array"),
                arguments("shape overflows", tensor("a", "U8", "4611686018427387904,4", "0,4"), 4, "exceeds 63 bits"),
                arguments("bits overflow", tensor("a", "F32", "4611686018427387904", "0,4"), 4, "exceeds 63 bits"),
                arguments("rank 100", tensor("a", "U8", "1" + ",1".repeat(99), "0,1"), 1, "more than 32 numbers"),
                arguments("odd F4", tensor("a", "F4", "3", "0,2"), 2, "must fill whole bytes"),
                arguments("too few bytes", tensor("a", "F32", "2", "0,4"), 4, "give 4 bytes, but F32 [2] takes 8"),
                arguments("too many bytes", tensor("a", "F32", "", "0,8"), 8, "give 8 bytes, but F32 [] takes 4"));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("damagedFiles")
    void damagedFileIsRefused(String damage, byte[] bytes, String message) {
        assertRefused(TestFiles.write(folder.resolve("model.safetensors"), bytes), message);
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("damagedTensors")
    void damagedTensorIsRefused(String damage, String tensors, int dataBytes, String message) {
        byte[] bytes = TestFiles.safetensors("{" + tensors + "}", dataBytes);
        assertRefused(TestFiles.write(folder.resolve("model.safetensors"), bytes), message);
    }

    private static void assertRefused(Path file, String message) {
        Assertions.assertTimeoutPreemptively(
                BOUND,
                () -> assertThatThrownBy(() -> SafetensorsFile.open(file).close())
                        .isInstanceOf(CheckpointException.class)
                        .hasMessageContaining(file.getFileName().toString())
                        .hasMessageContaining(message)
                        .satisfies(e -> assertThat(e.getMessage().length()).isLessThan(2000)));
    }

    @Test
    void whatIsNotARegularFileIsRefusedWithoutOpeningIt() throws Exception {
        Path loop = folder.resolve("loop");
        Files.createSymbolicLink(loop, folder.resolve("loop2"));
        Files.createSymbolicLink(folder.resolve("loop2"), loop);
        assertRefused(folder, "is a directory");
        assertRefused(folder.resolve("absent"), "does not exist");
        assertRefused(loop, "symbolic link");
        assumeTrue(Files.exists(Path.of("/dev/zero")), "needs a device file");
        assertRefused(Path.of("/dev/zero"), "is a device, pipe or socket");
        Path pipe = folder.resolve("pipe");
        assumeTrue(new ProcessBuilder("mkfifo", pipe.toString()).start().waitFor() == 0, "needs mkfifo");
        assertRefused(pipe, "is a device, pipe or socket");
    }

    @Test
    void headerAboveTheLimitIsRefused() {
        byte[] bytes = TestFiles.safetensors("{" + tensor("a", "U8", "4", "0,4") + "}" + " ".repeat(100), 4);
        Path file = TestFiles.write(folder.resolve("x.safetensors"), bytes);
        assertThatThrownBy(() -> SafetensorsFile.open(file, 100).close())
                .isInstanceOf(CheckpointException.class)
                .hasMessageContaining("exceeds the limit of 100 bytes");
        SafetensorsFile.open(file, 1000).close();
    }

    @Test
    void unusualButLegalFilesLoad() {
        String tensors = String.join(
                ",",
                tensor("last", "F32", "2", "6,14"),
                tensor("scalar", "F32", "", "2,6"),
                tensor("none", "F32", "3,0,2", "2,2"),
                tensor("packed", "F4", "2,2", "0,2"),
                tensor("ÄÖ漢字", "U8", "0", "14,14"));
        byte[] bytes = TestFiles.safetensors("{\"__metadata__\":{\"format\":\"pt\"}," + tensors + "}   ", 14);
        try (SafetensorsFile f = SafetensorsFile.open(TestFiles.write(folder.resolve("x"), bytes))) {
            assertThat(f.names()).containsExactly("last", "scalar", "none", "packed", "ÄÖ漢字");
            assertThat(f.metadata()).containsEntry("format", "pt");
            assertThat(f.find("scalar").orElseThrow().shape()).isEmpty();
            assertThat(f.find("packed").orElseThrow().dtype()).isEqualTo(DType.F4_E2M1);
            assertThat(f.data("none").byteSize()).isZero();
            assertThat(f.data("last").byteSize()).isEqualTo(8);
            assertThat(f.data("last").isReadOnly()).isTrue();
            assertThatThrownBy(() -> f.data("absent"))
                    .isInstanceOf(CheckpointException.class)
                    .hasMessageContaining("has no tensor absent");
        }
    }

    @Test
    void emptyFileOfNoTensorsLoads() {
        try (SafetensorsFile f =
                SafetensorsFile.open(TestFiles.write(folder.resolve("x"), TestFiles.safetensors("{}", 0)))) {
            assertThat(f.names()).isEmpty();
        }
    }

    @Test
    void headerOfManyMebibytesLoads() {
        int count = 145_116;
        String tensors = IntStream.range(0, count)
                .mapToObj(i -> tensor("layers.0.ffn.experts." + i + ".w1.weight", "U8", "1", i + "," + (i + 1)))
                .collect(Collectors.joining(","));
        byte[] bytes = TestFiles.safetensors("{" + tensors + "}", count);
        assertThat(bytes.length).isGreaterThan(8 << 20);
        try (SafetensorsFile f = SafetensorsFile.open(TestFiles.write(folder.resolve("x"), bytes))) {
            assertThat(f.names()).hasSize(count);
        }
    }

    @Test
    void useAfterCloseIsRefused() {
        Path file = TestFiles.write(
                folder.resolve("x"), TestFiles.safetensors("{" + tensor("a", "U8", "4", "0,4") + "}", 4));
        SafetensorsFile f = SafetensorsFile.open(file);
        f.close();
        f.close();
        assertThatThrownBy(() -> f.data("a")).isInstanceOf(ClosedException.class);
    }

    @Test
    void callersArenaIsNotClosed() {
        Path file = TestFiles.write(
                folder.resolve("x"), TestFiles.safetensors("{" + tensor("a", "U8", "4", "0,4") + "}", 4));
        try (Arena arena = Arena.ofShared()) {
            SafetensorsFile f = SafetensorsFile.open(file, SafetensorsFile.DEFAULT_HEADER_LIMIT, arena);
            f.close();
            assertThat(f.data("a").get(ValueLayout.JAVA_BYTE, 0)).isZero();
        }
    }

    @Test
    void readingAFileShortenedAfterOpeningIsAnError() throws IOException {
        int bytes = 1 << 22;
        Path file = folder.resolve("x.safetensors");
        TestFiles.tensor(file, "a", DType.U8, new byte[bytes], bytes);
        try (SafetensorsFile f = SafetensorsFile.open(file)) {
            MemorySegment mapped = f.data("a");
            MemorySegment target = MemorySegment.ofArray(new byte[bytes]);
            f.read("a", 0, target);
            shorten(file);
            assertThatThrownBy(() -> f.read("a", 0, target))
                    .isInstanceOf(CheckpointException.class)
                    .hasMessageContaining("shortened or replaced");
            // what is still there is refused too: the file is no longer the one that was validated
            assertThatThrownBy(() -> f.read("a", 0, target.asSlice(0, 16)))
                    .isInstanceOf(CheckpointException.class)
                    .hasMessageContaining("bytes when opened and has 4096 now");
            // the mapping itself faults: the JVM must turn that into an error and live on
            assertThatThrownBy(() -> MemorySegment.copy(mapped, 0, target, 0, bytes))
                    .isInstanceOf(InternalError.class);
        }
    }

    /** Compiled code reports the fault of a short copy late: it must not escape the translation. */
    @Test
    void shortReadsOfAReplacedFileFailAlsoInCompiledCode() throws IOException {
        int bytes = 1 << 16;
        Path file = folder.resolve("x.safetensors");
        Path moved = folder.resolve("moved");
        TestFiles.tensor(file, "a", DType.U8, new byte[bytes], bytes);
        try (SafetensorsFile f = SafetensorsFile.open(file)) {
            MemorySegment target = MemorySegment.ofArray(new byte[8]);
            for (int i = 0; i < 30_000; i++) {
                f.read("a", bytes - 8, target);
            }
            // a file of the same size takes its name: only the fault itself can tell
            Files.move(file, moved);
            Files.copy(moved, file);
            shorten(moved);
            for (int i = 0; i < 1000; i++) {
                assertThatThrownBy(() -> f.read("a", bytes - 8, target))
                        .isInstanceOf(CheckpointException.class)
                        .hasMessageContaining("reading the mapped file failed");
            }
        }
    }

    private static void shorten(Path file) throws IOException {
        try (RandomAccessFile shorter = new RandomAccessFile(file.toFile(), "rw")) {
            shorter.setLength(4096);
        }
    }

    private static byte[] header(String tensors) {
        return ("{" + tensors + "}").getBytes(StandardCharsets.UTF_8);
    }

    private static String tensor(String name, String dtype, String shape, String offsets) {
        return "\"%s\":{\"dtype\":\"%s\",\"shape\":[%s],\"data_offsets\":[%s]}".formatted(name, dtype, shape, offsets);
    }
}
