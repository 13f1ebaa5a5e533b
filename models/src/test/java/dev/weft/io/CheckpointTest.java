package dev.weft.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import dev.weft.CheckpointException;
import dev.weft.ClosedException;
import dev.weft.DType;
import dev.weft.TensorType;
import dev.weft.model.config.ModelConfig;
import dev.weft.model.config.ModelInventory;
import dev.weft.model.config.StoredTensor;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class CheckpointTest {
    private static final String A = "one.safetensors";
    private static final String B = "two.safetensors";

    @TempDir
    Path outer;

    private Path folder;

    /** Two shards with one tensor each. */
    @BeforeEach
    void shards() throws IOException {
        folder = Files.createDirectory(outer.resolve("model"));
        TestFiles.tensor(folder.resolve(A), "a", DType.U8, new byte[4], 4);
        TestFiles.tensor(folder.resolve(B), "b", DType.U8, new byte[6], 6);
    }

    /** Name of the damage, the index, what the message must say. */
    static Stream<Arguments> damagedIndexes() {
        return Stream.of(
                arguments("empty file", "", "expected a JSON object"),
                arguments("not an object", "[]", "expected a JSON object"),
                arguments("truncated", "{\"weight_map\":{\"a\":", "is not valid JSON"),
                arguments("no map", "{}", "weight_map is missing or empty"),
                arguments("empty map", map(), "weight_map is missing or empty"),
                arguments("map is a list", "{\"weight_map\":[]}", "weight_map: expected a JSON object"),
                arguments("two maps", "{\"weight_map\":{\"a\":\"x\"},\"weight_map\":{}}", "weight_map occurs twice"),
                arguments("shard is a number", "{\"weight_map\":{\"a\":1}}", "tensor a: expected a file name, found 1"),
                arguments("deep nesting", "{\"x\":" + "[".repeat(100_000), "is not valid JSON"),
                arguments("listed twice", map("a", A, "a", B), "tensor a is listed twice"),
                arguments("parent folder", map("a", "../model/" + A), "expected a plain file name"),
                arguments("dots", map("a", ".."), "expected a plain file name"),
                arguments("absolute", map("a", "/etc/passwd"), "expected a plain file name"),
                arguments("backslash", map("a", "..\\\\" + A), "expected a plain file name"),
                arguments("drive", map("a", "C:" + A), "expected a plain file name"),
                arguments("NUL", map("a", "one\\u0000"), "expected a plain file name"),
                arguments("empty name", map("a", ""), "expected a plain file name"),
                arguments("name too long", map("a", "x".repeat(5000)), "cannot be read"),
                arguments("missing shard", map("a", A, "b", "three.safetensors"), "this shard is missing"),
                arguments("shard is a folder", map("a", "folder"), "is a directory"),
                arguments("link out", map("a", "out"), "is a link out of the checkpoint's folder"),
                arguments("link to a device", map("a", "device"), "is a link out of the checkpoint's folder"),
                arguments("link to itself", map("a", "loop"), "symbolic link"),
                arguments("pipe", map("a", "pipe"), "is a device, pipe or socket"),
                arguments("wrong shard", map("a", B, "b", B), B + ": lacks tensor a"),
                arguments("shard lacks tensor", map("a", A, "b", B, "c", B), B + ": lacks tensor c"),
                arguments("in two shards", map("a", A, "b", B, "d", "twice"), "is also in shard"),
                arguments("two spellings", map("a", A, "b", B, "model.b", "spelling"), "both spellings of b"),
                arguments(
                        "total too large",
                        total("11", "a", A, "b", B),
                        "total_size is 11, but the listed tensors have 10"),
                arguments("total negative", total("-1", "a", A, "b", B), "total_size: expected a number of bytes"),
                arguments("total fractional", total("9.5", "a", A, "b", B), "total_size: expected a number of bytes"),
                arguments("total 1e999999999", total("1e999999999", "a", A, "b", B), "total_size: expected"),
                arguments("total is text", total("\"10\"", "a", A, "b", B), "total_size: expected a number of bytes"));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("damagedIndexes")
    void damagedIndexIsRefused(String damage, String index, String message) throws Exception {
        for (String entry : List.of("folder", "out", "device", "loop", "pipe", "spelling", "twice")) {
            if (index.contains('"' + entry + '"')) {
                prepare(entry);
            }
        }
        index(index);
        Assertions.assertTimeoutPreemptively(
                Duration.ofSeconds(10),
                () -> assertThatThrownBy(() -> Checkpoint.open(folder).close())
                        .isInstanceOf(CheckpointException.class)
                        .hasMessageContaining(message));
    }

    /** Creates an entry of the folder that is not a plain shard. */
    private void prepare(String entry) throws Exception {
        Path path = folder.resolve(entry);
        switch (entry) {
            case "folder" -> Files.createDirectory(path);
            case "out" -> {
                TestFiles.tensor(outer.resolve("outside"), "a", DType.U8, new byte[4], 4);
                Files.createSymbolicLink(path, outer.resolve("outside"));
            }
            case "device" -> Files.createSymbolicLink(path, Path.of("/dev/zero"));
            case "loop" -> Files.createSymbolicLink(path, path);
            case "pipe" ->
                Assumptions.assumeTrue(
                        new ProcessBuilder("mkfifo", path.toString()).start().waitFor() == 0, "needs mkfifo");
            case "spelling" -> TestFiles.tensor(path, "model.b", DType.U8, new byte[6], 6);
            default -> {
                try (SafetensorsWriter w = SafetensorsWriter.to(path)
                        .tensor("a", DType.U8, 1)
                        .tensor("d", DType.U8, 1)
                        .open()) {
                    w.finishSparse();
                }
            }
        }
    }

    @Test
    void shardsOpenAsOneCheckpoint() {
        index(total("10.0", "b", B, "a", A));
        Checkpoint c = Checkpoint.open(folder);
        assertThat(c.names()).containsExactly("b", "a");
        assertThat(c.totalBytes()).isEqualTo(10);
        assertThat(c.find("b").orElseThrow().bytes()).isEqualTo(6);
        assertThat(c.find("c")).isEmpty();
        assertThat(c.data("a").byteSize()).isEqualTo(4);
        assertThatThrownBy(() -> c.data("c"))
                .isInstanceOf(CheckpointException.class)
                .hasMessageContaining("has no tensor c");
        c.close();
        c.close();
        assertThatThrownBy(() -> c.data("a")).isInstanceOf(ClosedException.class);
        assertThatThrownBy(() -> c.weight("a", TensorType.of(DType.U8, 4))).isInstanceOf(ClosedException.class);
    }

    @Test
    void singleFileOpensWithoutIndex() throws IOException {
        Files.move(folder.resolve(A), folder.resolve("model.safetensors"));
        try (Checkpoint c = Checkpoint.open(folder)) {
            assertThat(c.names()).containsExactly("a");
        }
    }

    @Test
    void folderWithoutWeightsIsRefused() {
        assertThatThrownBy(() -> Checkpoint.open(folder))
                .isInstanceOf(CheckpointException.class)
                .hasMessageContaining("has neither model.safetensors.index.json nor model.safetensors");
        assertThatThrownBy(() -> Checkpoint.open(folder.resolve(A)))
                .isInstanceOf(CheckpointException.class)
                .hasMessageContaining("found a file");
        assertThatThrownBy(() -> Checkpoint.open(folder.resolve("absent")))
                .isInstanceOf(CheckpointException.class)
                .hasMessageContaining("does not exist");
    }

    @Test
    void downloadCacheOfTheHubOpens() throws IOException {
        Path blobs = Files.createDirectories(outer.resolve("models--x--y/blobs"));
        Path snapshot = Files.createDirectories(outer.resolve("models--x--y/snapshots/abc"));
        Files.move(folder.resolve(A), blobs.resolve("0123"));
        Files.createSymbolicLink(snapshot.resolve("model.safetensors"), Path.of("../../blobs/0123"));
        try (Checkpoint c = Checkpoint.open(snapshot)) {
            assertThat(c.names()).containsExactly("a");
        }
    }

    @Test
    void millionEntriesAreReadInBoundedTime() {
        String entries = IntStream.range(0, 1_000_000)
                .mapToObj(i -> "\"t" + i + "\":\"" + A + "\"")
                .collect(Collectors.joining(","));
        index("{\"weight_map\":{" + entries + "}}");
        Assertions.assertTimeoutPreemptively(
                Duration.ofSeconds(30),
                () -> assertThatThrownBy(() -> Checkpoint.open(folder).close())
                        .isInstanceOf(CheckpointException.class)
                        .hasMessageContaining("lacks tensor t0"));
    }

    @Test
    void goldenCheckpointsHaveExactlyTheTensorsOfTheInventory() {
        List<Path> golden = TestFiles.goldenCheckpoints();
        Assumptions.assumeFalse(golden.isEmpty(), "golden data not found; set -Dweft.golden=FOLDER");
        for (Path path : golden) {
            ModelConfig config = ModelConfig.read(path.resolve("config.json"));
            List<StoredTensor> inventory = ModelInventory.of(config);
            try (Checkpoint c = Checkpoint.open(path)) {
                assertThat(c.names())
                        .as(path.toString())
                        .containsExactlyInAnyOrderElementsOf(
                                inventory.stream().map(StoredTensor::name).toList());
                assertThat(c.totalBytes()).isEqualTo(ModelInventory.bytes(inventory));
                for (StoredTensor t : inventory) {
                    TensorEntry e = c.find(t.name()).orElseThrow();
                    assertThat(e.dtype()).as(t.name()).isEqualTo(t.dtype());
                    assertThat(e.shape()).as(t.name()).containsExactly(t.shape());
                }
            }
        }
    }

    private void index(String json) {
        TestFiles.write(folder.resolve(ShardIndex.FILE_NAME), json.getBytes(StandardCharsets.UTF_8));
    }

    private static String map(String... namesAndShards) {
        StringBuilder b = new StringBuilder();
        for (int i = 0; i < namesAndShards.length; i += 2) {
            b.append(i == 0 ? "" : ",");
            b.append("\"")
                    .append(namesAndShards[i])
                    .append("\":\"")
                    .append(namesAndShards[i + 1])
                    .append("\"");
        }
        return "{\"weight_map\":{" + b + "}}";
    }

    private static String total(String size, String... namesAndShards) {
        return "{\"metadata\":{\"total_size\":" + size + "},"
                + map(namesAndShards).substring(1);
    }
}
