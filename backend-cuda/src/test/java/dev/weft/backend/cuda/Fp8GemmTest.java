package dev.weft.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.BackendUnavailableException;
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
import dev.weft.op.OpInstance;
import dev.weft.spi.BackendDevice;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Products on FP8 units, whose sums the emulator forms exactly. */
class Fp8GemmTest {
    private static final DeviceId VARIANT = DeviceId.parse("cuda:0/fp8");
    private static final int NAN_SCALE = 0xFF;

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

    @Test
    void otherChipsHaveNoSuchVariant() {
        emulator.with("sm", "89");
        try (CudaBackend backend = emulator.open()) {
            assertThatThrownBy(() -> backend.open(DeviceId.parse("cuda:0/fp8")))
                    .isInstanceOf(BackendUnavailableException.class)
                    .hasMessageContaining("no variant 'fp8' here, expected none or one of [simple, cublaslt]");
        }
    }

    private static Operand x(Data data, long... extents) {
        return Operand.of(new TensorType(DType.F8_E4M3, Shape.of(extents), Scaling.FP8_GROUP_128), data);
    }

    private static Operand w(DType format, Data data, long... extents) {
        Scaling scaling = format == DType.F4_E2M1 ? Scaling.MXFP4 : Scaling.FP8_BLOCK_128;
        return Operand.of(new TensorType(format, Shape.of(extents), scaling), data);
    }

    private static OpCase product(DType w, int tokens, int inputs, int outputs, Data ofTokens, Data ofWeights) {
        return OpCase.of(new Gemm(DType.BF16), x(ofTokens, tokens, inputs), w(w, ofWeights, outputs, inputs));
    }

    /** Random codes of magnitudes up to 1.5, which the reference can multiply by every power, with these scale bytes in turn. */
    private static Data scaled(int... bytes) {
        return (t, r) -> {
            boolean isE4m3 = t.type().dtype() == DType.F8_E4M3;
            for (long i = 0; i < t.size(); i++) {
                t.setCode(i, isE4m3 ? r.nextInt(0x3D) | r.nextInt(2) << 7 : r.nextInt(4) | r.nextInt(2) << 3);
            }
            for (long i = 0; i < t.scales().byteSize(); i++) {
                t.scales().set(ValueLayout.JAVA_BYTE, i, (byte) bytes[(int) (i % bytes.length)]);
            }
        };
    }

    private void passes(OpCase product) {
        try (CudaBackend backend = emulator.open();
                BackendDevice device = backend.open(VARIANT)) {
            assertThat(device.prepare(product.instance()).name()).endsWith("/fp8");
            assertThat(OpRunner.run(device, product)).isEqualTo(new Outcome.Passed());
        }
    }

    /** Tiles of 64 and of 128 tokens that are not full; more blocks of K than are under way, the last one not whole. */
    static Stream<OpCase> products() {
        return Stream.of(DType.F8_E4M3, DType.F4_E2M1)
                .flatMap(w -> Stream.of(
                        product(w, 40, 800, 140, Data.random().withNan(), Data.random()),
                        product(w, 130, 672, 260, Data.random(), Data.random().withNan()),
                        product(w, 70, 32, 17, Data.random(), Data.random()),
                        OpCase.of(
                                new ExpertGemm(DType.BF16),
                                x(Data.random().withNan(), 300, 288),
                                w(w, Data.random(), 4, 144, 288),
                                Operand.ints(new int[] {0, 7, 7, 150, 300}, 5))));
    }

    @ParameterizedTest
    @MethodSource("products")
    void equalsTheReference(OpCase product) {
        passes(product);
    }

    /** Scales of a row's MX blocks, four of which share a power of two, and tokens that bring the results near 1. */
    @ParameterizedTest
    @CsvSource({
        "127 126 120 113", // 14 binades: exact
        "127 105 127 120 100 127 90", // what is smaller vanishes, or is rounded
        "0 0 0 0",
        "254 254 254 254",
        "0 127 254 1 253",
        "127 126 255 120 127 127 127 127 127", // some rows are NaN
        "255 255 255 255 127 127 127 127",
    })
    void scalesOfAllSizes(String bytes) {
        int[] ofWeights =
                Stream.of(bytes.split(" ")).mapToInt(Integer::parseInt).toArray();
        int most = Stream.of(bytes.split(" "))
                .mapToInt(Integer::parseInt)
                .filter(b -> b != NAN_SCALE)
                .max()
                .orElseThrow();
        passes(product(DType.F4_E2M1, 40, 288, 40, scaled(254 - most), scaled(ofWeights)));
    }

    /** Powers of tokens and of weights that only together are numbers. */
    @ParameterizedTest
    @CsvSource({"0, 254", "254, 0", "1, 1", "200, 100", "255, 127", "127, 255"})
    void scalesOfBlocks(int ofTokens, int ofWeights) {
        passes(product(DType.F8_E4M3, 40, 288, 140, scaled(ofTokens), scaled(ofWeights)));
    }

    /** Every code of both formats, NaN among them. */
    @ParameterizedTest
    @EnumSource(names = {"F8_E4M3", "F4_E2M1"})
    void everyCode(DType w) {
        Data codes = (t, r) -> {
            scaled(127, 120).fill(t, r);
            long row = t.dim(-1);
            for (long i = 0; i < t.size(); i++) {
                // rows without NaN, but for a few
                long code = (i + 37 * (i / row)) % (1 << t.type().dtype().bits());
                t.setCode(i, (code & 0x7F) == 0x7F && i / row % 8 != 3 ? 0 : code);
            }
        };
        passes(product(w, 40, 256, 40, codes, codes));
    }

    @ParameterizedTest
    @CsvSource({
        "F8_E4M3, F8_E4M3, BF16, 17, gemm/fp8",
        "F8_E4M3, F4_E2M1, BF16, 17, gemm/fp8",
        "F8_E4M3, F8_E4M3, BF16, 16, gemm/mma",
        "F8_E4M3, F8_E4M3, F32, 17, gemm/mma",
        "BF16, F8_E4M3, BF16, 17, gemm/mma",
        "F8_E4M3, BF16, BF16, 17, gemm/mma",
    })
    void whatItDoesNotMultiplyRunsAsWithoutAVariant(DType x, DType w, DType y, int tokens, String kernel) {
        TensorType rows =
                new TensorType(x, Shape.of(tokens, 256), x == DType.F8_E4M3 ? Scaling.FP8_GROUP_128 : Scaling.NONE);
        TensorType weights = w == DType.BF16
                ? TensorType.of(w, 32, 256)
                : w(w, Data.random(), 32, 256).type();
        try (CudaBackend backend = emulator.open();
                BackendDevice device = backend.open(VARIANT)) {
            OpInstance op = OpInstance.of(new Gemm(y), List.of(rows, weights));
            assertThat(device.prepare(op).name()).isEqualTo(kernel);
            assertThat(device.rowsDependOnOthers(op).isPresent()).isEqualTo(kernel.equals("gemm/fp8"));
        }
    }

    @Test
    void rowsAloneAreNotPromised() {
        List<BatchInvariance.Case> cases = BatchInvariance.all().stream()
                .filter(c -> c.many().op() instanceof ExpertGemm(DType out)
                        && out == DType.BF16
                        && c.many().operands().getFirst().type().dtype() == DType.F8_E4M3
                        && c.many().operands().get(1).type().dtype() == DType.F4_E2M1)
                .toList();
        assertThat(cases).hasSize(1);
        try (CudaBackend backend = emulator.open();
                BackendDevice variant = backend.open(VARIANT);
                BackendDevice device = backend.open(VARIANT.base())) {
            assertThat(BatchInvariance.run(variant, cases.getFirst()))
                    .isInstanceOfSatisfying(
                            Outcome.Unsupported.class,
                            u -> assertThat(u.reason()).contains("not promised", "FP8 units"));
            assertThat(BatchInvariance.run(device, cases.getFirst())).isEqualTo(new Outcome.Passed());
        }
    }
}
