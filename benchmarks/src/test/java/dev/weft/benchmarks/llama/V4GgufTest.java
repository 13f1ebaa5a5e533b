package dev.weft.benchmarks.llama;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.weft.DType;
import dev.weft.io.Checkpoint;
import dev.weft.io.SyntheticCheckpoint;
import dev.weft.model.config.ModelConfig;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;

/** Reads the file back by the format's description: names, places, and what the blocks stand for. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class V4GgufTest {
    private static final ModelConfig CONFIG = ModelConfig.flash()
            .with(Map.ofEntries(
                    Map.entry("vocab_size", 300),
                    Map.entry("hidden_size", 128),
                    Map.entry("num_hidden_layers", 3),
                    Map.entry("num_nextn_predict_layers", 0),
                    Map.entry("compress_ratios", List.of(0, 4, 128)),
                    Map.entry("num_attention_heads", 2),
                    Map.entry("head_dim", 128),
                    Map.entry("q_lora_rank", 128),
                    Map.entry("o_groups", 2),
                    Map.entry("o_lora_rank", 64),
                    Map.entry("index_n_heads", 2),
                    Map.entry("n_routed_experts", 2),
                    Map.entry("num_experts_per_tok", 1),
                    Map.entry("moe_intermediate_size", 128),
                    Map.entry("num_hash_layers", 1)));

    private record Stored(long[] extents, int type, long offset) {}

    private final Map<String, Stored> tensors = new HashMap<>();
    private final Map<String, Object> metadata = new HashMap<>();
    private Path folder;
    private ByteBuffer file;
    private int dataStart;

    @BeforeAll
    void convert(@TempDir Path temporary) throws IOException {
        folder = temporary;
        SyntheticCheckpoint.of(CONFIG, 1).write(folder.resolve("model"));
        Path target = folder.resolve("model.gguf");
        V4Gguf.convert(folder.resolve("model"), target, GgmlType.Q8_0);
        file = ByteBuffer.wrap(Files.readAllBytes(target)).order(ByteOrder.LITTLE_ENDIAN);
        assertThat(file.getInt()).isEqualTo(0x46554747); // "GGUF"
        assertThat(file.getInt()).isEqualTo(3);
        long declared = file.getLong();
        long entries = file.getLong();
        for (long i = 0; i < entries; i++) {
            metadata.put(string(), value(file.getInt()));
        }
        for (long i = 0; i < declared; i++) {
            String name = string();
            long[] extents = new long[file.getInt()];
            for (int j = 0; j < extents.length; j++) {
                extents[j] = file.getLong();
            }
            tensors.put(name, new Stored(extents, file.getInt(), file.getLong()));
        }
        dataStart = file.position() + 31 & -32;
    }

    private String string() {
        byte[] bytes = new byte[(int) file.getLong()];
        file.get(bytes);
        return new String(bytes, StandardCharsets.UTF_8);
    }

    private Object value(int type) {
        return switch (type) {
            case 4, 5 -> file.getInt();
            case 6 -> file.getFloat();
            case 7 -> file.get() != 0;
            case 8 -> string();
            case 9 -> {
                int elements = file.getInt();
                Object[] all = new Object[(int) file.getLong()];
                for (int i = 0; i < all.length; i++) {
                    all[i] = value(elements);
                }
                yield all;
            }
            default -> throw new AssertionError("type " + type);
        };
    }

    private int at(String tensor) {
        return dataStart + (int) tensors.get(tensor).offset();
    }

    @Test
    void describesTheModel() {
        assertThat(metadata)
                .containsEntry("general.architecture", "deepseek4")
                .containsEntry("deepseek4.block_count", 3)
                .containsEntry("deepseek4.attention.compress_ratios", new Object[] {0, 4, 128})
                .containsEntry("deepseek4.rope.scaling.factor", 16f);
        assertThat((Object[]) metadata.get("tokenizer.ggml.tokens"))
                .hasSize(300)
                .doesNotHaveDuplicates();
    }

    @Test
    void everyTensorOfTheBackboneHasAPlace() throws IOException {
        long stored;
        try (Checkpoint c = Checkpoint.open(folder.resolve("model"))) {
            stored = c.names().stream()
                    .filter(n -> !n.endsWith(".scale") && !n.matches(".*experts\\.[1-9]\\d*\\..*"))
                    .count();
        }
        assertThat(tensors).hasSize((int) stored);
        assertThat(tensors.values()).allSatisfy(t -> assertThat(t.offset() % 32).isZero());
        assertThat(tensors.get("blk.1.ffn_down_exps.weight").extents()).containsExactly(128, 128, 2);
    }

    @Test
    void expertsKeepTheirValues() {
        try (Checkpoint c = Checkpoint.open(folder.resolve("model"))) {
            MemorySegment codes = c.data("layers.2.ffn.experts.1.w1.weight");
            MemorySegment scales = c.data("layers.2.ffn.experts.1.w1.scale");
            int start = at("blk.2.ffn_gate_exps.weight") + 128 * 128 / 32 * 17;
            for (int i = 0; i < 128 * 128; i++) {
                int pair = codes.get(ValueLayout.JAVA_BYTE, i / 2);
                float expected = DType.F4_E2M1.decode(pair >> 4 * (i % 2) & 0xF)
                        * DType.F8_E8M0.decode(scales.get(ValueLayout.JAVA_BYTE, i / 32) & 0xFF);
                int block = start + i / 32 * 17;
                int j = i % 32;
                int nibble = file.get(block + 1 + j % 16) >> (j < 16 ? 0 : 4) & 0xF;
                assertThat(DType.F4_E2M1.decode(nibble) * DType.F8_E8M0.decode(file.get(block) & 0xFF))
                        .as("element %d", i)
                        .isEqualTo(expected);
            }
        }
    }

    @Test
    void quantisedMatricesStayWithinHalfAStep() {
        try (Checkpoint c = Checkpoint.open(folder.resolve("model"))) {
            MemorySegment codes = c.data("layers.0.attn.wkv.weight");
            float scale = DType.F8_E8M0.decode(c.data("layers.0.attn.wkv.scale").get(ValueLayout.JAVA_BYTE, 0) & 0xFF);
            int start = at("blk.0.attn_kv.weight");
            for (int i = 0; i < 128 * 128; i++) {
                float expected = scale * DType.F8_E4M3.decode(codes.get(ValueLayout.JAVA_BYTE, i) & 0xFF);
                int block = start + i / 32 * 34;
                float step = DType.F16.decode(file.getShort(block));
                // the scale itself is rounded to F16, which moves the largest elements by 127 * 2^-11 steps at most
                assertThat(step * file.get(block + 2 + i % 32)).isCloseTo(expected, within(0.57f * step));
            }
        }
    }

    @Test
    void refusesWhatTheOtherSideCannotHold() {
        SyntheticCheckpoint.of(CONFIG.with("hc_mult", 2), 1).write(folder.resolve("two"));
        assertThatThrownBy(() -> V4Gguf.convert(folder.resolve("two"), folder.resolve("two.gguf"), GgmlType.Q8_0))
                .hasMessageContaining("hc_mult");
    }
}
