package dev.weft.backend.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import dev.weft.CheckpointException;
import dev.weft.DeviceMemoryException;
import dev.weft.conformance.model.GoldenModel;
import dev.weft.io.Checkpoint;
import dev.weft.io.TensorEntry;
import dev.weft.model.DeepSeekV4;
import dev.weft.model.LoadOptions;
import dev.weft.model.NumericMode;
import dev.weft.model.Session;
import dev.weft.runtime.CompileOptions;
import dev.weft.runtime.Weft;
import dev.weft.runtime.WeightRoute;
import dev.weft.spi.BackendConfig;
import dev.weft.spi.WeightPager.Counters;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Weights that are read when a kernel needs them: same bits, bounded memory, typed errors. */
class WeightRouteTest {
    private static final int[] IDS = {3, 17, 4, 250, 9, 9, 81, 33, 7, 120, 64, 2};

    @TempDir
    Path folder;

    @BeforeEach
    void nativeLevelIsThere() {
        assumeThat(Cpu.variants().getFirst()).as("needs native kernels").isNotIn("vector", "scalar");
    }

    /** A model with what it stands on. */
    private record Loaded(Weft weft, Checkpoint checkpoint, DeepSeekV4 model) implements AutoCloseable {
        static Loaded open(Path directory, WeightRoute route, long memoryLimit) {
            return open(directory, route, memoryLimit, NumericMode.BF16);
        }

        static Loaded open(Path directory, WeightRoute route, long memoryLimit, NumericMode mode) {
            Weft weft = Weft.open(BackendConfig.DEFAULT.withThreads(2).withMemoryLimit(memoryLimit));
            Checkpoint checkpoint = Checkpoint.open(directory);
            try {
                LoadOptions options =
                        LoadOptions.defaults().mode(mode).maxContext(64).maxTokens(16);
                CompileOptions compile = CompileOptions.DEFAULT.withWeights(route);
                return new Loaded(
                        weft,
                        checkpoint,
                        DeepSeekV4.load(checkpoint, weft.device("cpu:0"), options, compile, bytes -> {}));
            } catch (RuntimeException e) {
                checkpoint.close();
                weft.close();
                throw e;
            }
        }

        /** A prefill and some decode steps. */
        float[][] logits() {
            try (Session session = model.newSession()) {
                float[][] rows = Arrays.copyOf(session.appendAll(Arrays.copyOf(IDS, 8)), IDS.length);
                for (int i = 8; i < IDS.length; i++) {
                    rows[i] = session.append(IDS[i]);
                }
                return rows;
            }
        }

        Counters counters() {
            return model.weights().counters();
        }

        @Override
        public void close() {
            model.close();
            checkpoint.close();
            weft.close();
        }
    }

    static Stream<GoldenModel> models() {
        return GoldenModel.all().stream().filter(m -> !m.name().equals("demo-model"));
    }

    @ParameterizedTest
    @MethodSource("models")
    void bothRoutesGiveTheSameBits(GoldenModel golden) {
        for (NumericMode mode : NumericMode.values()) {
            try (Loaded packed = Loaded.open(golden.directory(), WeightRoute.PACKED, 0, mode);
                    Loaded paged = Loaded.open(golden.directory(), WeightRoute.FILE, 0, mode)) {
                assertThat(packed.model().weights().isPaged()).isFalse();
                assertThat(paged.model().weights().isPaged()).isTrue();
                float[][] expected = packed.logits();
                assertThat(paged.logits()).as("%s", mode).isDeepEqualTo(expected);
                Counters first = paged.counters();
                assertThat(first.misses()).isPositive();
                assertThat(first.evictions()).isZero();
                assertThat(paged.logits()).as("%s, again", mode).isDeepEqualTo(expected);
                Counters second = paged.counters();
                assertThat(second.misses()).as("everything is there by now").isEqualTo(first.misses());
                assertThat(second.bytesRead()).isEqualTo(first.bytesRead());
                assertThat(second.hits()).isGreaterThan(first.hits());
                assertThat(packed.counters()).isEqualTo(Counters.NONE);
            }
        }
    }

    @Test
    void openingReadsNoMatrix() {
        try (Loaded paged = Loaded.open(GoldenModel.micro().directory(), WeightRoute.FILE, 0)) {
            assertThat(paged.counters()).isEqualTo(Counters.NONE);
        }
    }

    /** The smallest limit that is not refused: experts give way all the time and the bits stay. */
    @Test
    void expertsGiveWayWhenMemoryIsShort() {
        Path directory = GoldenModel.micro().directory();
        float[][] expected;
        long whole;
        try (Loaded packed = Loaded.open(directory, WeightRoute.PACKED, 0)) {
            expected = packed.logits();
            whole = packed.model().weights().bytes()
                    + packed.model().placement().valueBytes()
                    + packed.model().placement().workspaceBytes()
                    + packed.model().stateBytes();
        }
        long evictions = 0;
        long limit = whole;
        while (true) {
            limit -= whole / 64;
            try (Loaded paged = Loaded.open(directory, WeightRoute.AUTO, limit)) {
                assertThat(paged.model().weights().isPaged())
                        .as("limit %d of %d", limit, whole)
                        .isTrue();
                assertThat(paged.model().weights().bytes()).isLessThanOrEqualTo(limit);
                assertThat(paged.logits()).as("limit %d", limit).isDeepEqualTo(expected);
                assertThat(paged.logits()).as("limit %d, again", limit).isDeepEqualTo(expected);
                evictions = paged.counters().evictions();
            } catch (DeviceMemoryException e) {
                assertThat(e).hasMessageContaining("at once").hasMessageContaining("raise the memory limit");
                break;
            }
        }
        assertThat(evictions).as("at the smallest limit that works").isPositive();
    }

    @Test
    void memoryDecidesTheRoute() {
        Path directory = GoldenModel.micro().directory();
        try (Loaded enough = Loaded.open(directory, WeightRoute.AUTO, 0)) {
            assertThat(enough.model().weights().isPaged()).isFalse();
        }
        assertThatThrownBy(() -> Loaded.open(directory, WeightRoute.PACKED, 1 << 18))
                .isInstanceOf(DeviceMemoryException.class);
    }

    private Path copy(GoldenModel model) throws IOException {
        try (Stream<Path> files = Files.list(model.directory())) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                Files.copy(file, folder.resolve(file.getFileName()));
            }
        }
        return folder;
    }

    private static RandomAccessFile writable(Path file) throws IOException {
        return new RandomAccessFile(file.toFile(), "rw");
    }

    @Test
    void aFileShortenedMeanwhileIsATypedError() throws IOException {
        Path directory = copy(GoldenModel.micro());
        List<Path> shards;
        try (Stream<Path> files = Files.list(directory)) {
            shards = files.filter(f -> f.getFileName().toString().startsWith("model-")
                            && f.getFileName().toString().endsWith(".safetensors"))
                    .toList();
        }
        try (Loaded paged = Loaded.open(directory, WeightRoute.FILE, 0)) {
            for (Path shard : shards) {
                try (RandomAccessFile f = writable(shard)) {
                    f.setLength(4096);
                }
            }
            for (int i = 0; i < 3; i++) {
                assertThatThrownBy(paged::logits)
                        .isInstanceOf(CheckpointException.class)
                        .hasMessageContaining(".safetensors: tensor ")
                        .hasMessageContaining("unit ")
                        .hasMessageContaining("shortened");
            }
        }
    }

    @Test
    void aDamagedScaleIsFoundWhenItIsRead() throws IOException {
        Path directory = copy(GoldenModel.micro());
        String tensor = "layers.0.attn.wq_a.scale";
        try (Loaded paged = Loaded.open(directory, WeightRoute.FILE, 0)) {
            TensorEntry scale = paged.checkpoint().find(tensor).orElseThrow();
            Path shard = shardOf(directory, tensor);
            try (RandomAccessFile f = writable(shard)) {
                f.seek(scale.offset());
                int whole = f.read();
                f.seek(scale.offset());
                f.write(255);
                assertThatThrownBy(paged::logits)
                        .isInstanceOf(CheckpointException.class)
                        .hasMessageContaining("tensor " + scale.name() + ": scale byte 0 at file offset "
                                + scale.offset() + " is 255 (NaN)");
                f.seek(scale.offset());
                f.write(whole);
            }
            // mended: the next run reads it again
            try (Loaded packed = Loaded.open(directory, WeightRoute.PACKED, 0)) {
                assertThat(paged.logits()).isDeepEqualTo(packed.logits());
            }
        }
    }

    private static Path shardOf(Path directory, String tensor) throws IOException {
        String index = Files.readString(directory.resolve("model.safetensors.index.json"));
        int at = index.indexOf("model-", index.indexOf('"' + tensor + '"'));
        return directory.resolve(index.substring(at, index.indexOf('"', at)));
    }
}
