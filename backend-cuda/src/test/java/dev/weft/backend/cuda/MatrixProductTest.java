package dev.weft.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.DType;
import dev.weft.DeviceId;
import dev.weft.Scaling;
import dev.weft.Shape;
import dev.weft.TensorType;
import dev.weft.conformance.BatchInvariance;
import dev.weft.conformance.Data;
import dev.weft.conformance.OpCase;
import dev.weft.conformance.OpRunner;
import dev.weft.conformance.Operand;
import dev.weft.conformance.Outcome;
import dev.weft.op.ExpertGemm;
import dev.weft.op.Gemm;
import dev.weft.op.GroupedGemm;
import dev.weft.spi.BackendDevice;
import dev.weft.spi.Backends;
import java.util.List;
import java.util.function.BiFunction;
import java.util.function.Function;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Sizes at which the tensor core kernels do something else than at those of the conformance suite. */
class MatrixProductTest {
    /** Of a case by {@link OpRunner}. */
    private static final int RUNS = 2;

    private Emulator emulator;

    @BeforeEach
    void start() {
        emulator = Emulator.start();
    }

    @AfterEach
    void stop() {
        if (emulator != null) {
            emulator.close();
        }
    }

    private static Operand weights(DType format, long... extents) {
        Scaling scaling = switch (format) {
            case F8_E4M3 -> Scaling.FP8_BLOCK_128;
            case F4_E2M1 -> Scaling.MXFP4;
            default -> Scaling.NONE;
        };
        return Operand.of(new TensorType(format, Shape.of(extents), scaling), Data.random());
    }

    private static Operand activations(DType format, long... extents) {
        Scaling scaling = format == DType.F8_E4M3 ? Scaling.FP8_GROUP_128 : Scaling.NONE;
        return Operand.of(new TensorType(format, Shape.of(extents), scaling), Data.random());
    }

    /** Enough rows of weights for blocks of 32: two for each of the emulated device's multiprocessors. */
    static Stream<OpCase> manyOutputs() {
        return formats((x, w) -> OpCase.of(new Gemm(DType.F32), activations(x, 3, 160), weights(w, 9000, 160)));
    }

    /** Rows and outputs that fill a tile and begin another; a block of K that is not whole. */
    static Stream<OpCase> tiles() {
        return formats((x, w) -> OpCase.of(new Gemm(DType.F32), activations(x, 70, 160), weights(w, 260, 160)));
    }

    private static Stream<OpCase> formats(BiFunction<DType, DType, OpCase> product) {
        return Stream.of(DType.BF16, DType.F8_E4M3)
                .flatMap(
                        x -> Stream.of(DType.BF16, DType.F8_E4M3, DType.F4_E2M1).map(w -> product.apply(x, w)));
    }

    /** More experts than are looked through at once, with tiles in the last of them; few and many rows. */
    static Stream<OpCase> manyExperts() {
        return Stream.of(70, 3000).map(rows -> {
            int[] offsets = new int[301];
            for (int e = 0; e <= 300; e++) {
                offsets[e] = e < 3 ? 0 : e < 280 ? 3 : e < 300 ? 3 + (e - 280) * (rows - 3) / 20 : rows;
            }
            return OpCase.of(
                    new ExpertGemm(DType.F32),
                    activations(DType.F8_E4M3, rows, 32),
                    weights(DType.F4_E2M1, 300, 17, 32),
                    Operand.ints(offsets, 301));
        });
    }

    /** More than a round of blocks of K, the last not whole, with one group of 32 tokens and a part of another. */
    static Stream<OpCase> rounds() {
        return Stream.of(DType.BF16, DType.F8_E4M3)
                .map(x -> OpCase.of(new Gemm(DType.F32), activations(x, 35, 1184), weights(DType.F8_E4M3, 70, 1184)));
    }

    /** Enough rows of weights for tiles of 64 tokens in place of rounds. */
    static Stream<OpCase> manyTiles() {
        return Stream.of(DType.BF16, DType.F8_E4M3)
                .map(x -> OpCase.of(new Gemm(DType.F32), activations(x, 40, 160), weights(DType.F8_E4M3, 6500, 160)));
    }

    @ParameterizedTest
    @MethodSource({"manyOutputs", "manyExperts", "rounds", "manyTiles"})
    void equalsTheReference(OpCase product) {
        check(product);
    }

    /** Before Hopper the tensor cores take both operands from registers. */
    @ParameterizedTest
    @MethodSource("tiles")
    void equalsTheReferenceOnAmpere(OpCase product) {
        emulator.with("sm", "80");
        check(product);
    }

    /** The first bytes of each row: 32 KB for a block of 16 or 32 rows, in tiles of 128; once for all tokens. */
    static Stream<Arguments> prefetches() {
        return Stream.of(DType.BF16, DType.F8_E4M3, DType.F4_E2M1)
                .flatMap(w -> Stream.of(
                        Arguments.of(w, 12, 40, 160, 40 * bytes(w, 160)),
                        Arguments.of(w, 1, 40, 8192, 40 * 2048),
                        Arguments.of(w, 1, 9000, 1024, 9000 * Math.min(1024, bytes(w, 1024))),
                        Arguments.of(w, 70, 260, 1024, 260 * (w == DType.F8_E4M3 ? 1024 : 256))));
    }

    private static int bytes(DType format, int values) {
        return values * format.bits() / 8;
    }

    @ParameterizedTest
    @MethodSource("prefetches")
    void prefetchesItsWeights(DType format, int tokens, int outputs, int inputs, int bytes) {
        emulator.prefetched();
        check(OpCase.of(
                new Gemm(DType.F32), activations(DType.BF16, tokens, inputs), weights(format, outputs, inputs)));
        assertThat(emulator.prefetched()).isEqualTo(RUNS * bytes);
    }

    static Stream<BatchInvariance.Case> rowsAlone() {
        return BatchInvariance.all().stream().filter(c -> {
            List<Operand> operands = c.many().operands();
            return (c.many().op().equals(new Gemm(DType.BF16)) || c.many().op() instanceof GroupedGemm)
                    && operands.stream().noneMatch(o -> o.type().dtype() == DType.F32);
        });
    }

    /** The kernels for few rows and for many form the same sums; the suite sees this on Hopper. */
    @ParameterizedTest
    @MethodSource("rowsAlone")
    void rowsAloneEqualRowsTogetherOnAmpere(BatchInvariance.Case rows) {
        emulator.with("sm", "80");
        onDevice(device -> BatchInvariance.run(device, rows));
    }

    private static void check(OpCase product) {
        onDevice(device -> OpRunner.run(device, product));
    }

    private static void onDevice(Function<BackendDevice, Outcome> run) {
        try (Backends backends = Emulator.backends();
                BackendDevice device = backends.device(new DeviceId("cuda", 0, ""))) {
            assertThat(run.apply(device)).isEqualTo(new Outcome.Passed());
        }
    }
}
