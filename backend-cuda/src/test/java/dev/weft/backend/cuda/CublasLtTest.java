package dev.weft.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.BackendUnavailableException;
import dev.weft.ClosedException;
import dev.weft.DType;
import dev.weft.DeviceId;
import dev.weft.DeviceLostException;
import dev.weft.DeviceMemoryException;
import dev.weft.Dim;
import dev.weft.NativeCallException;
import dev.weft.Scaling;
import dev.weft.Shape;
import dev.weft.TensorType;
import dev.weft.conformance.BatchInvariance;
import dev.weft.conformance.Data;
import dev.weft.conformance.OpCase;
import dev.weft.conformance.OpRunner;
import dev.weft.conformance.Operand;
import dev.weft.conformance.Outcome;
import dev.weft.graph.Graph;
import dev.weft.graph.GraphBuilder;
import dev.weft.graph.Value;
import dev.weft.op.Cast;
import dev.weft.op.Gemm;
import dev.weft.op.OpInstance;
import dev.weft.op.Quantize;
import dev.weft.runtime.CompiledGraph;
import dev.weft.runtime.DeviceWeights;
import dev.weft.runtime.Execution;
import dev.weft.runtime.RandomWeights;
import dev.weft.runtime.StateStore;
import dev.weft.runtime.Weft;
import dev.weft.spi.BackendConfig;
import dev.weft.spi.BackendDevice;
import dev.weft.spi.Backends;
import dev.weft.spi.Support;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Linear layers by cuBLASLt, on an emulated one that adds in another order for another number of rows. */
class CublasLtTest {
    private static final String PATH = "weft.cublaslt.path";
    private static final DeviceId VARIANT = DeviceId.parse("cuda:0/cublaslt");
    private static final String NAME = "gemm/cublaslt";

    private Emulator emulator;
    private CublasLtEmulator cublas;

    @BeforeEach
    void start() {
        emulator = Emulator.start();
        System.setProperty(
                PATH, Emulator.library().resolveSibling("libcublasLt.so.13").toString());
        cublas = new CublasLtEmulator();
    }

    @AfterEach
    void stop() {
        System.clearProperty(PATH);
        if (cublas != null) {
            cublas.close();
        }
        if (emulator != null) {
            emulator.close();
        }
    }

    private static OpCase product(DType dtype, DType out, int m, int k, int n) {
        boolean scaled = dtype == DType.F8_E4M3;
        TensorType x = new TensorType(dtype, Shape.of(m, k), scaled ? Scaling.FP8_GROUP_128 : Scaling.NONE);
        TensorType w = new TensorType(dtype, Shape.of(n, k), scaled ? Scaling.FP8_BLOCK_128 : Scaling.NONE);
        return OpCase.of(new Gemm(out), Operand.of(x, Data.random().withNan()), Operand.of(w, Data.random()));
    }

    /** Blocks of K that are no multiple of 4, and one that is not whole; weights of more than 128 rows; few rows and many. */
    private static Stream<OpCase> products(DType d, int... rows) {
        return Stream.of(
                product(d, DType.F32, rows[0], 128, 16),
                product(d, DType.BF16, rows[1], 672, 272),
                product(d, DType.F32, rows[2], 512, 144),
                product(d, DType.BF16, rows[3], 1152, 16));
    }

    static Stream<OpCase> products() {
        return Stream.concat(products(DType.BF16, 1, 5, 130, 2), products(DType.F8_E4M3, 4, 8, 132, 4));
    }

    /** NVIDIA documents that FP8 with scales of blocks takes tokens in multiples of 4, so it is not asked. */
    static Stream<OpCase> productsOfOddTokens() {
        return products(DType.F8_E4M3, 1, 5, 130, 2);
    }

    @ParameterizedTest
    @MethodSource("productsOfOddTokens")
    void tokensThatAreNoMultipleOfFourRunOnOurOwnKernels(OpCase product) {
        try (CudaBackend backend = emulator.open();
                BackendDevice device = backend.open(VARIANT)) {
            assertThat(device.prepare(product.instance()).name()).isNotEqualTo(NAME);
            assertThat(device.rowsDependOnOthers(product.instance())).isEmpty();
            assertThat(OpRunner.run(device, product)).isEqualTo(new Outcome.Passed());
            assertThat(cublas.calls("cublasLtMatmulAlgoGetHeuristic")).isZero();
        }
    }

    @ParameterizedTest
    @MethodSource("products")
    void equalsTheReference(OpCase product) {
        try (CudaBackend backend = emulator.open();
                BackendDevice device = backend.open(VARIANT)) {
            assertThat(device.supports(product.instance())).isEqualTo(new Support.Native(NAME));
            assertThat(OpRunner.run(device, product)).isEqualTo(new Outcome.Passed());
            assertThat(cublas.calls("cublasLtMatmul")).isPositive();
        }
    }

    /** Rows of BF16 may lie anywhere; the library is told how they are aligned. */
    @Test
    void rowsMayHaveGapsAndOddLengths() {
        OpCase odd = product(DType.BF16, DType.BF16, 7, 33, 17).withGaps(0);
        try (CudaBackend backend = emulator.open();
                BackendDevice device = backend.open(VARIANT)) {
            assertThat(OpRunner.run(device, odd)).isEqualTo(new Outcome.Passed());
            assertThat(cublas.calls("cublasLtMatmul")).isPositive();
        }
    }

    @ParameterizedTest
    @CsvSource({
        "90, 130101, F8_E4M3, F8_E4M3, 16, gemm/cublaslt",
        "90, 120801, F8_E4M3, F8_E4M3, 16, gemm/mma",
        "89, 130101, F8_E4M3, F8_E4M3, 16, gemm/mma",
        "100, 130101, F8_E4M3, F8_E4M3, 16, gemm/mma",
        "90, 130101, F8_E4M3, F8_E4M3, 24, gemm/mma",
        "90, 130101, BF16, F8_E4M3, 16, gemm/mma",
        "80, 120000, BF16, BF16, 17, gemm/cublaslt",
        "90, 130101, F32, F32, 16, gemm/simple",
    })
    void whatItDoesNotHaveRunsOnOurOwnKernels(int sm, String version, DType x, DType w, int outputs, String kernel) {
        emulator.with("sm", "" + sm);
        cublas.with("version", version);
        TensorType rows =
                new TensorType(x, Shape.of(4, 256), x == DType.F8_E4M3 ? Scaling.FP8_GROUP_128 : Scaling.NONE);
        TensorType weights =
                new TensorType(w, Shape.of(outputs, 256), w == DType.F8_E4M3 ? Scaling.FP8_BLOCK_128 : Scaling.NONE);
        try (CudaBackend backend = emulator.open();
                BackendDevice device = backend.open(VARIANT)) {
            OpInstance op = OpInstance.of(new Gemm(DType.BF16), List.of(rows, weights));
            assertThat(device.prepare(op).name()).isEqualTo(kernel);
            assertThat(device.rowsDependOnOthers(op).isPresent()).isEqualTo(kernel.equals(NAME));
        }
    }

    /** The device without a variant promises equal bits, and so never comes here. */
    @Test
    void rowsAloneAreNotPromisedByTheVariantAlone() {
        TensorType x = TensorType.of(DType.BF16, 130, 256);
        BatchInvariance.Case rows = BatchInvariance.all().stream()
                .filter(c -> c.many().op().equals(new Gemm(DType.BF16))
                        && c.many().operands().stream().allMatch(o -> o.type().dtype() == DType.BF16))
                .findFirst()
                .orElseThrow();
        assertThat(rows.many().operands().getFirst().type()).isEqualTo(x);
        try (CudaBackend backend = emulator.open();
                BackendDevice variant = backend.open(VARIANT);
                BackendDevice device = backend.open(VARIANT.base())) {
            assertThat(BatchInvariance.run(variant, rows))
                    .isInstanceOfSatisfying(
                            Outcome.Unsupported.class,
                            u -> assertThat(u.reason()).contains("not promised", "cuBLASLt", "number of rows"));
            assertThat(cublas.calls("cublasLtMatmul")).isZero();
            assertThat(BatchInvariance.run(device, rows)).isEqualTo(new Outcome.Passed());
            assertThat(cublas.calls("cublasLtMatmul")).isZero();
        }
    }

    /** x A^T B^T, the first product in BF16, the second in FP8. */
    private static Graph chain() {
        GraphBuilder g = Graph.builder("two layers");
        Value x = g.input("x", TensorType.of(DType.F32, Shape.of(Dim.named("tokens", 1, 16), Dim.fixed(64))));
        Value a = g.weight("a", TensorType.of(DType.BF16, 256, 64));
        Value b = g.weight("b", new TensorType(DType.F8_E4M3, Shape.of(32, 256), Scaling.FP8_BLOCK_128));
        Value first = g.gemm(g.node(new Cast(DType.BF16), x), a, DType.BF16);
        Value codes = g.node(new Quantize(DType.F8_E4M3, Scaling.FP8_GROUP_128), first);
        return g.output("y", g.gemm(codes, b, DType.F32)).build();
    }

    private static float[] step(Execution execution, int tokens) {
        float[] x = new float[64 * tokens];
        for (int i = 0; i < x.length; i++) {
            x[i] = i % 7 - 3;
        }
        execution.bind("tokens", tokens).set("x", x).run();
        return execution.floats("y");
    }

    /** A recorded step calls the library once more, makes nothing, and is replayed without it. */
    @Test
    void stepsAreRecorded() {
        BackendConfig config = BackendConfig.DEFAULT.with(CudaOptions.CAPTURE, "require");
        emulator.with("delay", "100");
        try (Weft weft = Weft.of(Backends.of(config, List.of(new CudaProvider())))) {
            CompiledGraph compiled = weft.device(VARIANT).compile(chain());
            try (DeviceWeights weights = compiled.loadWeights(new RandomWeights(1));
                    StateStore states = compiled.newStates();
                    Execution execution = compiled.newExecution(weights, states)) {
                cublas.with("fail", ""); // counts from here
                float[] four = step(execution, 4);
                assertThat(cublas.calls("cublasLtMatmul")).isEqualTo(2);
                assertThat(cublas.calls("cublasLtMatmulAlgoGetHeuristic")).isEqualTo(2);
                float[] eight = step(execution, 8);
                for (int i = 0; i < 4; i++) {
                    assertThat(step(execution, 4)).isEqualTo(four);
                    assertThat(step(execution, 8)).isEqualTo(eight);
                }
                assertThat(cublas.calls("cublasLtMatmul")).isEqualTo(8);
                assertThat(cublas.calls("cublasLtMatmulAlgoGetHeuristic")).isEqualTo(4);
                assertThat(cublas.calls("cublasLtMatmulDescCreate")).isEqualTo(4);
            }
        }
    }

    /** Where it has no algorithm for fewer rows than the most: FP8 takes no three by its documentation, the rest is asked. */
    @ParameterizedTest
    @CsvSource({"3, 1", "4, 2"})
    void aNumberOfRowsThatItRefusesRunsOnOurOwnKernels(int refused, int asked) {
        cublas.with("refuse", "" + refused);
        try (Weft weft = Weft.of(Emulator.backends())) {
            CompiledGraph compiled = weft.device(VARIANT).compile(chain());
            CompiledGraph ours = weft.device(VARIANT.base()).compile(chain());
            try (DeviceWeights weights = compiled.loadWeights(new RandomWeights(1));
                    DeviceWeights same = ours.loadWeights(new RandomWeights(1));
                    StateStore states = compiled.newStates();
                    Execution execution = compiled.newExecution(weights, states);
                    StateStore others = ours.newStates();
                    Execution other = ours.newExecution(same, others)) {
                cublas.with("fail", "");
                assertThat(step(execution, refused)).isEqualTo(step(other, refused));
                assertThat(cublas.calls("cublasLtMatmul")).isZero();
                assertThat(cublas.calls("cublasLtMatmulAlgoGetHeuristic")).isEqualTo(asked);
                step(execution, 8);
                assertThat(cublas.calls("cublasLtMatmul")).isEqualTo(2);
            }
        }
    }

    @Test
    void withoutTheLibraryTheReasonSaysWhereItWasSearched(@TempDir Path empty) {
        System.setProperty(PATH, empty.toString());
        try (CudaBackend backend = emulator.open()) {
            assertThatThrownBy(() -> backend.open(VARIANT))
                    .isInstanceOf(BackendUnavailableException.class)
                    .hasMessageContainingAll(
                            "cuda:0/cublaslt", "no libcublasLt.so.13", empty.toString(), "-Dweft.cublaslt.path");
            assertThat(backend.details())
                    .anyMatch(line -> line.startsWith("optional cublaslt: none, not needed; ")
                            && line.contains(empty.toString()));
            assertThat(backend.devices().getFirst().variants()).containsExactly("simple", "fp8");
            backend.open(VARIANT.base()).close();
            System.setProperty(PATH, Emulator.library().getParent().toString());
            assertThat(backend.devices().getFirst().variants()).containsExactly("simple", "fp8", "cublaslt");
        }
    }

    @ParameterizedTest
    @CsvSource({"110000, 11.0.0", "140000, 14.0.0"})
    void versionsThatItIsNotForAreNamed(String version, String text) {
        cublas.with("version", version);
        try (CudaBackend backend = emulator.open()) {
            assertThatThrownBy(() -> backend.open(VARIANT))
                    .isInstanceOf(BackendUnavailableException.class)
                    .hasMessageContainingAll(
                            "libcublasLt.so.13",
                            "found version " + text,
                            "12.0 or newer",
                            "CUDA 13.0",
                            "-Dweft.cublaslt.path");
        }
    }

    @Test
    void devicesCloseTwiceAndTakeTheirDescriptorsAlong() {
        OpInstance op = product(DType.BF16, DType.F32, 2, 64, 32).instance();
        try (CudaBackend backend = emulator.open()) {
            BackendDevice first = backend.open(VARIANT);
            try (BackendDevice second = backend.open(VARIANT)) {
                first.prepare(op);
                second.prepare(op);
                first.close();
                first.close();
                assertThat(cublas.faults()).contains("open: 1 handles and 4 descriptors");
                assertThat(OpRunner.run(second, product(DType.BF16, DType.F32, 2, 64, 32)))
                        .isEqualTo(new Outcome.Passed());
            }
        }
        assertThat(cublas.faults()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "cublasLtMatmulDescCreate:1:3",
                "cublasLtMatmulDescSetAttribute:2:7",
                "cublasLtMatrixLayoutCreate:3:3",
                "cublasLtMatmulPreferenceCreate:1:3",
                "cublasLtMatmulPreferenceSetAttribute:4:7",
                "cublasLtMatmulAlgoGetHeuristic:1:14",
            })
    void aFailedCallIsNoRefusalAndLeavesNothing(String failure) {
        OpInstance op = product(DType.BF16, DType.F32, 2, 64, 32).instance();
        try (CudaBackend backend = emulator.open();
                BackendDevice device = backend.open(VARIANT)) {
            cublas.with("fail", failure);
            assertThatThrownBy(() -> device.supports(op))
                    .isInstanceOf(failure.endsWith(":3") ? DeviceMemoryException.class : NativeCallException.class)
                    .hasMessageContainingAll(
                            failure.split(":")[0], "returned " + failure.split(":")[2], "CUBLAS_STATUS_");
            assertThat(cublas.faults()).contains("open: 1 handles and 0 descriptors");
            assertThat(device.supports(op)).isEqualTo(new Support.Native(NAME));
        }
    }

    @Test
    void aDeviceThatDoesNotOpenLeavesNothing() {
        try (CudaBackend backend = emulator.open()) {
            cublas.with("fail", "cublasLtCreate:1:3");
            assertThatThrownBy(() -> backend.open(VARIANT))
                    .isInstanceOf(DeviceMemoryException.class)
                    .hasMessageContainingAll(
                            "cuda:0/cublaslt", "cublasLtCreate returned 3 (CUBLAS_STATUS_ALLOC_FAILED");
            backend.open(VARIANT).close();
        }
    }

    /** As of an extent that no documentation tells of. */
    @Test
    void aProductThatItCallsInvalidIsARefusal() {
        OpInstance op = product(DType.BF16, DType.F32, 2, 64, 32).instance();
        try (CudaBackend backend = emulator.open();
                BackendDevice device = backend.open(VARIANT)) {
            cublas.with("fail", "cublasLtMatmulAlgoGetHeuristic:1:7");
            assertThat(device.prepare(op).name()).isEqualTo("gemm/mma");
            assertThat(cublas.faults()).contains("open: 1 handles and 0 descriptors");
        }
    }

    @Test
    void aClosedDeviceAnswersNothing() {
        OpInstance op = product(DType.BF16, DType.F32, 2, 64, 32).instance();
        try (CudaBackend backend = emulator.open()) {
            BackendDevice device = backend.open(VARIANT);
            device.prepare(op);
            device.close();
            assertThatThrownBy(() -> device.rowsDependOnOthers(op)).isInstanceOf(ClosedException.class);
        }
    }

    /** The library's code does not say that the device is lost; the driver does. */
    @Test
    void aProductThatFailsOnALostDeviceIsItsLoss() {
        OpCase product = product(DType.BF16, DType.F32, 2, 64, 32);
        try (CudaBackend backend = emulator.open();
                BackendDevice device = backend.open(VARIANT)) {
            device.prepare(product.instance());
            emulator.with("fail", "cuMemGetInfo_v2:1:719");
            cublas.with("fail", "cublasLtMatmul:1:13");
            assertThatThrownBy(() -> OpRunner.run(device, product))
                    .isInstanceOf(DeviceLostException.class)
                    .hasMessageContainingAll("cublasLtMatmul(", "returned 13", "returned 719");
            assertThatThrownBy(() -> device.prepare(product.instance())).isInstanceOf(DeviceLostException.class);
        }
    }

    @Test
    void aProductThatFailsIsNamed() {
        try (CudaBackend backend = emulator.open();
                BackendDevice device = backend.open(VARIANT)) {
            cublas.with("fail", "cublasLtMatmul:1:13");
            assertThat(OpRunner.run(device, product(DType.BF16, DType.F32, 2, 64, 32)))
                    .isInstanceOfSatisfying(
                            Outcome.Failed.class,
                            f -> assertThat(f.message())
                                    .contains(
                                            "cublasLtMatmul([2, 64] x [32, 64]) returned 13",
                                            "CUBLAS_STATUS_EXECUTION_FAILED",
                                            "CUBLASLT_LOG_LEVEL"));
        }
    }
}
