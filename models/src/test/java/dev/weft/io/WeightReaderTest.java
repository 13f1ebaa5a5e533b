package dev.weft.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import dev.weft.CheckpointException;
import dev.weft.DType;
import dev.weft.Scaling;
import dev.weft.Shape;
import dev.weft.TensorType;
import dev.weft.spi.WeightData;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class WeightReaderTest {
    private static final TensorType FP4 = new TensorType(DType.F4_E2M1, Shape.of(4, 64), Scaling.MXFP4);
    private static final TensorType FP8 = new TensorType(DType.F8_E4M3, Shape.of(130, 200), Scaling.FP8_BLOCK_128);

    @TempDir
    Path folder;

    /** A tensor to be stored. */
    private record Stored(String name, DType dtype, byte[] bytes, long... shape) {
        static Stored zeros(String name, DType dtype, long... shape) {
            return new Stored(name, dtype, new byte[(int) dtype.bytes(Shape.elements(shape))], shape);
        }
    }

    private Checkpoint checkpoint(Stored... tensors) {
        SafetensorsWriter.Declaration d = SafetensorsWriter.to(folder.resolve("model.safetensors"));
        Stream.of(tensors).forEach(t -> d.tensor(t.name(), t.dtype(), t.shape()));
        try (SafetensorsWriter w = d.open()) {
            Stream.of(tensors).forEach(t -> w.write(t.name(), t.bytes()));
            w.finish();
        }
        return Checkpoint.open(folder);
    }

    @ParameterizedTest
    @MethodSource("packedForms")
    void packedExpertsAreRetyped(DType dtype, long[] shape) {
        byte[] codes = new byte[128];
        codes[1] = 0x21;
        try (Checkpoint c = checkpoint(
                new Stored("e.w1.weight", dtype, codes, shape),
                new Stored("e.w1.scale", DType.F8_E8M0, new byte[] {1, 2, 3, 4, 5, 6, 7, (byte) 254}, 4, 2))) {
            WeightData w = c.weight("e.w1.weight", FP4);
            assertThat(w.type()).isEqualTo(FP4);
            WeightData.Part part = w.parts().getFirst();
            assertThat(part.data().toArray(ValueLayout.JAVA_BYTE)).containsExactly(codes);
            assertThat(part.scale().toArray(ValueLayout.JAVA_BYTE)).containsExactly(1, 2, 3, 4, 5, 6, 7, -2);
        }
    }

    static Stream<Arguments> packedForms() {
        return Stream.of(
                arguments(DType.I8, new long[] {4, 32}),
                arguments(DType.U8, new long[] {4, 32}),
                arguments(DType.F4_E2M1, new long[] {4, 64}));
    }

    @Test
    void fp8ScalesAreRoundedUpToWholeBlocks() {
        try (Checkpoint c = checkpoint(
                Stored.zeros("m.weight", DType.F8_E4M3, 130, 200), Stored.zeros("m.scale", DType.F8_E8M0, 2, 2))) {
            assertThat(c.weight("m.weight", FP8).parts().getFirst().scale().byteSize())
                    .isEqualTo(4);
        }
    }

    @Test
    void variantsOfNamesAreRead() {
        try (Checkpoint c = checkpoint(
                Stored.zeros("model.layers.0.self_attn.wq_a.weight", DType.F8_E4M3, 130, 200),
                Stored.zeros("model.layers.0.self_attn.wq_a.weight_scale_inv", DType.F8_E8M0, 2, 2),
                Stored.zeros("model.layers.0.mlp.gate.e_score_correction_bias", DType.F32, 3),
                Stored.zeros("model.layers.0.mlp.shared_experts.gate_proj.weight", DType.F32, 3),
                Stored.zeros("model.embed_tokens.weight", DType.BF16, 3, 2),
                Stored.zeros("lm_head.weight", DType.BF16, 3, 2))) {
            assertThat(c.names())
                    .containsExactly(
                            "layers.0.attn.wq_a.weight",
                            "layers.0.attn.wq_a.scale",
                            "layers.0.ffn.gate.bias",
                            "layers.0.ffn.shared_experts.w1.weight",
                            "embed.weight",
                            "head.weight");
            assertThat(c.weight("layers.0.attn.wq_a.weight", FP8).parts()).hasSize(1);
        }
    }

    @Test
    void expertsAreStacked() {
        try (Checkpoint c = checkpoint(
                new Stored("e.0.weight", DType.F32, new byte[] {1, 0, 0, 0}, 1),
                new Stored("e.1.weight", DType.F32, new byte[] {2, 0, 0, 0}, 1))) {
            TensorType type = TensorType.of(DType.F32, 2, 1);
            WeightData w = c.stacked("e.weight", type, List.of("e.1.weight", "e.0.weight"));
            assertThat(w.name()).isEqualTo("e.weight");
            assertThat(w.parts())
                    .extracting(p -> p.data().get(ValueLayout.JAVA_BYTE, 0))
                    .containsExactly((byte) 2, (byte) 1);
            assertThatThrownBy(() -> c.stacked("e.weight", type, List.of("e.0.weight")))
                    .isInstanceOf(CheckpointException.class)
                    .hasMessageContaining("found 1 tensors, expected as many as the first extent");
        }
    }

    @Test
    void bf16IsWidenedExactly() {
        int n = 70_001;
        byte[] bytes = new byte[2 * n];
        for (int i = 0; i < n; i++) {
            bytes[2 * i] = (byte) i;
            bytes[2 * i + 1] = (byte) (i >>> 8);
        }
        try (Checkpoint c = checkpoint(new Stored("a", DType.BF16, bytes, n))) {
            int[] bits = c.weight("a", TensorType.of(DType.F32, n))
                    .parts()
                    .getFirst()
                    .data()
                    .toArray(ValueLayout.JAVA_INT);
            for (int i = 0; i < n; i++) {
                assertThat(bits[i]).isEqualTo((i & 0xFFFF) << 16);
            }
        }
    }

    @Test
    void i64IsNarrowedWhenEveryValueFits() {
        int n = 20_000;
        try (Checkpoint c = longs(n, n - 1, Integer.MIN_VALUE)) {
            int[] values = c.weight("a", TensorType.of(DType.I32, n))
                    .parts()
                    .getFirst()
                    .data()
                    .toArray(ValueLayout.JAVA_INT);
            assertThat(values).hasSize(n);
            assertThat(values[n - 1]).isEqualTo(Integer.MIN_VALUE);
            assertThat(values[12_345]).isEqualTo(12_345);
        }
    }

    @Test
    void i64ThatDoesNotFitIsRefused() {
        try (Checkpoint c = longs(20_000, 15_000, 1L << 31)) {
            assertThatThrownBy(() -> c.weight("a", TensorType.of(DType.I32, 20_000)))
                    .isInstanceOf(CheckpointException.class)
                    .hasMessageContaining("tensor a: element 15000 is 2147483648");
        }
    }

    private Checkpoint longs(int n, int at, long odd) {
        long[] values = new long[n];
        for (int i = 0; i < n; i++) {
            values[i] = i;
        }
        values[at] = odd;
        try (SafetensorsWriter w = SafetensorsWriter.to(folder.resolve("model.safetensors"))
                .tensor("a", DType.I64, n)
                .open()) {
            w.write("a", values);
            w.finish();
        }
        return Checkpoint.open(folder);
    }

    /** Name of the damage, what is stored, what is asked for, what the message must say. */
    static Stream<Arguments> mismatches() {
        Stored codes = Stored.zeros("m.weight", DType.I8, 4, 32);
        Stored fp8 = Stored.zeros("m.weight", DType.F8_E4M3, 130, 200);
        TensorType f32 = TensorType.of(DType.F32, 4, 32);
        return Stream.of(
                arguments("absent", List.of(Stored.zeros("x", DType.I8, 1)), FP4, "has no tensor m.weight"),
                arguments("no FP4 scale", List.of(codes), FP4, "its scale tensor m.scale is missing"),
                arguments("no FP8 scale", List.of(fp8), FP8, "its scale tensor m.scale is missing"),
                arguments(
                        "scale too short",
                        List.of(codes, Stored.zeros("m.scale", DType.F8_E8M0, 4, 1)),
                        FP4,
                        "tensor m.scale: found F8_E8M0 [4, 1], expected [4, 2] f8_e8m0"),
                arguments(
                        "scale rounded down",
                        List.of(fp8, Stored.zeros("m.scale", DType.F8_E8M0, 1, 1)),
                        FP8,
                        "found F8_E8M0 [1, 1], expected [2, 2]"),
                arguments(
                        "scale transposed",
                        List.of(codes, Stored.zeros("m.scale", DType.F8_E8M0, 2, 4)),
                        FP4,
                        "found F8_E8M0 [2, 4], expected [4, 2]"),
                arguments(
                        "scale in F32",
                        List.of(codes, Stored.zeros("m.scale", DType.F32, 4, 2)),
                        FP4,
                        "found F32 [4, 2]"),
                arguments(
                        "scale in U8", List.of(codes, Stored.zeros("m.scale", DType.U8, 4, 2)), FP4, "found U8 [4, 2]"),
                arguments(
                        "codes not packed",
                        List.of(Stored.zeros("m.weight", DType.I8, 4, 64)),
                        FP4,
                        "found I8 [4, 64]"),
                arguments(
                        "F4 packed twice",
                        List.of(Stored.zeros("m.weight", DType.F4_E2M1, 4, 32)),
                        FP4,
                        "found F4 [4, 32]"),
                arguments(
                        "FP8 where FP4",
                        List.of(Stored.zeros("m.weight", DType.F8_E4M3, 4, 64)),
                        FP4,
                        "found F8_E4M3 [4, 64], expected [4, 64] f4_e2m1/1x32"),
                arguments("wrong dtype", List.of(codes), f32, "found I8 [4, 32], expected [4, 32] f32"),
                arguments("wrong shape", List.of(Stored.zeros("m.weight", DType.F32, 32, 4)), f32, "found F32 [32, 4]"),
                arguments(
                        "F32 is not rounded",
                        List.of(Stored.zeros("m.weight", DType.F32, 4)),
                        TensorType.of(DType.BF16, 4),
                        "found F32 [4], expected [4] bf16"),
                arguments(
                        "I32 is not widened",
                        List.of(Stored.zeros("m.weight", DType.I32, 4)),
                        TensorType.of(DType.I64, 4),
                        "found I32 [4], expected [4] i64"));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("mismatches")
    void mismatchIsRefused(String damage, List<Stored> stored, TensorType expected, String message) {
        try (Checkpoint c = checkpoint(stored.toArray(Stored[]::new))) {
            assertThatThrownBy(() -> c.weight("m.weight", expected))
                    .isInstanceOf(CheckpointException.class)
                    .hasMessageContaining(folder.getFileName().toString())
                    .hasMessageContaining(message);
        }
    }

    /** Every position within a word, and the last byte of a tensor longer than one chunk. */
    @Test
    void scaleByte255IsFoundAnywhere() {
        int rows = 70_003;
        TensorType type = new TensorType(DType.F4_E2M1, Shape.of(rows, 32), Scaling.MXFP4);
        for (int at : new int[] {0, 1, 2, 3, 4, 5, 6, 7, 8, 65_535, 65_536, rows - 1}) {
            byte[] scales = new byte[rows];
            Arrays.fill(scales, (byte) 254);
            scales[at] = (byte) 255;
            try (Checkpoint c = checkpoint(
                    Stored.zeros("m.weight", DType.I8, rows, 16),
                    new Stored("m.scale", DType.F8_E8M0, scales, rows, 1))) {
                WeightData w = c.weight("m.weight", type);
                MemorySegment target = MemorySegment.ofArray(new byte[rows]);
                assertThatThrownBy(() -> w.readScale(w.parts().getFirst(), 0, target))
                        .as("byte %d", at)
                        .isInstanceOf(CheckpointException.class)
                        .hasMessageContaining("tensor m.scale: scale byte " + at + " at file offset")
                        .hasMessageContaining("is 255 (NaN)");
                int half = at / 2;
                assertThatThrownBy(() -> w.readScale(w.parts().getFirst(), half, target.asSlice(0, rows - half)))
                        .as("byte %d, read from %d on", at, half)
                        .hasMessageContaining("scale byte " + at + " at");
            }
        }
    }

    @Test
    void shardShortenedAfterOpeningIsAnErrorForEveryKindOfRead() throws IOException {
        int n = 1 << 20;
        TensorType plain = TensorType.of(DType.U8, n);
        try (Checkpoint c = checkpoint(
                Stored.zeros("a", DType.U8, n),
                Stored.zeros("b", DType.BF16, n),
                Stored.zeros("m.weight", DType.I8, 4, 32),
                Stored.zeros("m.scale", DType.F8_E8M0, 4, 2))) {
            WeightData before = c.weight("a", plain);
            try (RandomAccessFile f =
                    new RandomAccessFile(folder.resolve("model.safetensors").toFile(), "rw")) {
                f.setLength(4096);
            }
            assertShortened(() -> c.weight("a", plain));
            assertShortened(() -> c.weight("b", TensorType.of(DType.F32, n)));
            assertShortened(() -> c.weight("m.weight", FP4));
            WeightData.Part part = before.parts().getFirst();
            assertShortened(() -> before.read(part.data(), MemorySegment.ofArray(new byte[n])));
            assertShortened(() -> before.readData(part, 0, MemorySegment.ofArray(new byte[n])));
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment target = arena.allocate(n);
                assertShortened(() -> before.readData(part, 0, target));
                assertShortened(() -> before.readData(part, 0, target.asSlice(0, 16)));
            }
        }
        assertThat(Files.size(folder.resolve("model.safetensors"))).isEqualTo(4096);
    }

    /** The interrupt of a reading thread closes a channel; reading must go on for it and for everybody else. */
    @Test
    void interruptedThreadsReadOn() {
        try (Checkpoint c = checkpoint(new Stored("a", DType.U8, new byte[] {1, 2, 3, 4}, 4));
                Arena arena = Arena.ofConfined()) {
            WeightData w = c.weight("a", TensorType.of(DType.U8, 4));
            MemorySegment target = arena.allocate(2);
            Thread.currentThread().interrupt();
            w.readData(w.parts().getFirst(), 1, target);
            assertThat(Thread.interrupted()).isTrue();
            assertThat(target.toArray(ValueLayout.JAVA_BYTE)).containsExactly(2, 3);
            w.readData(w.parts().getFirst(), 2, target);
            assertThat(target.toArray(ValueLayout.JAVA_BYTE)).containsExactly(3, 4);
        }
    }

    private static void assertShortened(ThrowingCallable read) {
        assertThatThrownBy(read).isInstanceOf(CheckpointException.class).hasMessageContaining("shortened");
    }
}
