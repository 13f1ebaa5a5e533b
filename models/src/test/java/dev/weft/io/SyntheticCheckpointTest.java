package dev.weft.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import dev.weft.DType;
import dev.weft.Scaling;
import dev.weft.Shape;
import dev.weft.TensorType;
import dev.weft.model.config.ModelConfig;
import dev.weft.model.config.ModelInventory;
import dev.weft.model.config.StoredTensor;
import dev.weft.spi.WeightData;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class SyntheticCheckpointTest {
    @TempDir
    Path folder;

    /** The tiny model of specification 11.1: every code path and every divisibility rule. */
    private static ModelConfig tiny() {
        return ModelConfig.flash()
                .with(Map.ofEntries(
                        Map.entry("vocab_size", 512),
                        Map.entry("hidden_size", 256),
                        Map.entry("num_hidden_layers", 5),
                        Map.entry("compress_ratios", List.of(0, 4, 16, 4, 16, 0)),
                        Map.entry("num_hash_layers", 2),
                        Map.entry("num_attention_heads", 8),
                        Map.entry("head_dim", 192),
                        Map.entry("q_lora_rank", 128),
                        Map.entry("o_groups", 4),
                        Map.entry("o_lora_rank", 64),
                        Map.entry("sliding_window", 8),
                        Map.entry("index_n_heads", 16),
                        Map.entry("index_topk", 4),
                        Map.entry("n_routed_experts", 8),
                        Map.entry("num_experts_per_tok", 2),
                        Map.entry("moe_intermediate_size", 128),
                        Map.entry("swiglu_limit", 1.0)));
    }

    static Stream<Arguments> published() {
        return Stream.of(
                arguments("flash", ModelConfig.flash(), 69_187, 159_609_485_896L),
                arguments("pro", ModelConfig.pro(), 145_116, 864_704_792_696L));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("published")
    void headersOfPublishedSizeOpenWithTheirTotals(String name, ModelConfig config, int tensors, long bytes) {
        new SyntheticCheckpoint(config, 0, 14L << 30).writeHeadersOnly(folder);
        try (Checkpoint c = Checkpoint.open(folder)) {
            assertThat(c.names()).hasSize(tensors);
            assertThat(c.totalBytes()).isEqualTo(bytes);
        }
        assertThat(ModelConfig.read(folder.resolve("config.json")).toJson()).isEqualTo(config.toJson());
    }

    @Test
    void sameSeedGivesTheSameBytes() throws IOException {
        Path a = folder.resolve("a");
        Path b = folder.resolve("b");
        Path other = folder.resolve("c");
        new SyntheticCheckpoint(tiny(), 7, 1 << 20).write(a);
        new SyntheticCheckpoint(tiny(), 7, 1 << 20).write(b);
        new SyntheticCheckpoint(tiny(), 8, 1 << 20).write(other);
        List<Path> files;
        try (Stream<Path> list = Files.list(a)) {
            files = list.map(Path::getFileName).sorted().toList();
        }
        assertThat(files).hasSizeGreaterThan(4);
        for (Path f : files) {
            assertThat(Files.mismatch(a.resolve(f), b.resolve(f)))
                    .as(f.toString())
                    .isEqualTo(-1);
        }
        String shard = files.get(1).toString();
        assertThat(Files.mismatch(a.resolve(shard), other.resolve(shard))).isNotEqualTo(-1);
    }

    @Test
    void everyTensorIsThereAndEveryWeightReads() {
        long[] progress = {0};
        SyntheticCheckpoint.of(tiny(), 1).write(folder, bytes -> {
            assertThat(bytes).isGreaterThan(progress[0]);
            progress[0] = bytes;
        });
        List<StoredTensor> inventory = ModelInventory.of(tiny());
        assertThat(progress[0]).isEqualTo(ModelInventory.bytes(inventory));
        try (Checkpoint c = Checkpoint.open(folder)) {
            assertThat(c.names())
                    .containsExactlyElementsOf(
                            inventory.stream().map(StoredTensor::name).toList());
            inventory.stream()
                    .filter(t -> t.role() != StoredTensor.Role.SCALE)
                    .forEach(t ->
                            assertThat(c.weight(t.name(), typeOf(t)).parts()).hasSize(1));
        }
    }

    @Test
    void valuesFollowTheRecipe() {
        SyntheticCheckpoint.of(tiny(), 1).write(folder);
        try (Checkpoint c = Checkpoint.open(folder)) {
            assertDistribution(values(c, "layers.2.attn_norm.weight"), 1, 0.1);
            assertDistribution(values(c, "layers.2.ffn.gate.weight"), 0, 1 / Math.sqrt(256));
            assertDistribution(values(c, "layers.2.hc_attn_fn"), 0, 1 / Math.sqrt(1024));
            assertDistribution(values(c, "layers.2.attn.wq_b.weight"), 0, 1 / Math.sqrt(128));
            assertDistribution(values(c, "layers.2.ffn.experts.3.w1.weight"), 0, 1 / Math.sqrt(256));
            assertThat(values(c, "layers.2.hc_ffn_scale")).containsExactly(0.1f, 0.1f, 0.1f);
            int[] table = c.weight("layers.0.ffn.gate.tid2eid", TensorType.of(DType.I32, 512, 2))
                    .parts()
                    .getFirst()
                    .data()
                    .toArray(ValueLayout.JAVA_INT);
            Map<Integer, Integer> uses = new HashMap<>();
            for (int i = 0; i < table.length; i += 2) {
                assertThat(table[i]).isBetween(0, 7).isNotEqualTo(table[i + 1]);
                uses.merge(table[i], 1, Integer::sum);
            }
            assertThat(uses).isNotEmpty();
        }
    }

    /** The largest element of a block uses the top half of the format's range: the scale is as small as it may be. */
    @Test
    void blockScalesAreTight() {
        SyntheticCheckpoint.of(tiny(), 1).write(folder);
        try (Checkpoint c = Checkpoint.open(folder)) {
            MemorySegment fp4 = c.data("layers.2.ffn.experts.0.w1.weight");
            for (long block = 0; block < fp4.byteSize() / 16; block++) {
                float largest = 0;
                for (long i = block * 16; i < block * 16 + 16; i++) {
                    int b = fp4.get(ValueLayout.JAVA_BYTE, i);
                    largest = Math.max(largest, Math.abs(DType.F4_E2M1.decode(b & 15)));
                    largest = Math.max(largest, Math.abs(DType.F4_E2M1.decode(b >> 4 & 15)));
                }
                assertThat(largest).as("block %d", block).isGreaterThanOrEqualTo(3);
            }
            MemorySegment fp8 = c.data("layers.2.attn.wkv.weight");
            float largest = 0;
            for (long i = 0; i < 128; i++) {
                for (long j = 0; j < 128; j++) {
                    largest = Math.max(
                            largest, Math.abs(DType.F8_E4M3.decode(fp8.get(ValueLayout.JAVA_BYTE, i * 256 + j))));
                }
            }
            assertThat(largest).isBetween(224f, 448f);
        }
    }

    @Test
    void fp8ExpertsAreWritten() {
        ModelConfig config = tiny().with("expert_dtype", "fp8");
        SyntheticCheckpoint.of(config, 1).write(folder);
        try (Checkpoint c = Checkpoint.open(folder)) {
            assertThat(c.find("layers.0.ffn.experts.0.w1.weight").orElseThrow().dtype())
                    .isEqualTo(DType.F8_E4M3);
            assertThat(c.find("layers.0.ffn.experts.0.w1.scale").orElseThrow().shape())
                    .containsExactly(1, 2);
        }
    }

    private static void assertDistribution(float[] values, double mean, double deviation) {
        double sum = 0;
        double squares = 0;
        for (float v : values) {
            sum += v;
            squares += v * v;
        }
        double m = sum / values.length;
        // four standard errors, and room for quantisation
        assertThat(m).isCloseTo(mean, within(4 * deviation / Math.sqrt(values.length)));
        double spread = Math.sqrt(squares / values.length - m * m) / deviation;
        assertThat(spread).isCloseTo(1, within(4 / Math.sqrt(2.0 * values.length) + 0.03));
    }

    private static float[] values(Checkpoint c, String name) {
        StoredTensor stored = ModelInventory.of(tiny()).stream()
                .filter(t -> t.name().equals(name))
                .findFirst()
                .orElseThrow();
        TensorType type = typeOf(stored);
        WeightData.Part part = c.weight(name, type).parts().getFirst();
        long[] shape = type.shape().maximum();
        float[] out = new float[(int) type.maxElements()];
        long columns = shape[shape.length - 1];
        long scaleColumns = type.scaling().isNone()
                ? 0
                : Math.ceilDiv(columns, type.scaling().columns());
        for (int i = 0; i < out.length; i++) {
            float scale = 1;
            if (!type.scaling().isNone()) {
                long at = i / columns / type.scaling().rows() * scaleColumns
                        + i % columns / type.scaling().columns();
                scale = DType.F8_E8M0.decode(part.scale().get(ValueLayout.JAVA_BYTE, at));
            }
            out[i] = scale * type.dtype().decode(code(part.data(), type.dtype(), i));
        }
        return out;
    }

    private static int code(MemorySegment data, DType dtype, int i) {
        return switch (dtype.bits()) {
            case 4 -> data.get(ValueLayout.JAVA_BYTE, i / 2) >> 4 * (i % 2) & 15;
            case 8 -> data.get(ValueLayout.JAVA_BYTE, i);
            case 16 -> data.get(ValueLayout.JAVA_SHORT_UNALIGNED, 2L * i);
            default -> data.get(ValueLayout.JAVA_INT_UNALIGNED, 4L * i);
        };
    }

    private static TensorType typeOf(StoredTensor t) {
        long[] shape = t.shape();
        return switch (t.dtype()) {
            case I8 -> new TensorType(DType.F4_E2M1, Shape.of(shape[0], shape[1] * 2), Scaling.MXFP4);
            case F8_E4M3 -> new TensorType(DType.F8_E4M3, Shape.of(shape), Scaling.FP8_BLOCK_128);
            case I64 -> TensorType.of(DType.I32, shape);
            default -> TensorType.of(t.dtype(), LongStream.of(shape).toArray());
        };
    }
}
