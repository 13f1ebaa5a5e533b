package dev.weft.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.DType;
import dev.weft.DeviceId;
import dev.weft.Scaling;
import dev.weft.Shape;
import dev.weft.TensorType;
import dev.weft.UnsupportedOpException;
import dev.weft.conformance.Data;
import dev.weft.conformance.FusedComparison;
import dev.weft.conformance.OpCase;
import dev.weft.conformance.OpRunner;
import dev.weft.conformance.Operand;
import dev.weft.conformance.Outcome;
import dev.weft.graph.Graph;
import dev.weft.graph.GraphBuilder;
import dev.weft.graph.Value;
import dev.weft.op.Gemm;
import dev.weft.op.OpInstance;
import dev.weft.runtime.Weft;
import dev.weft.spi.BackendConfig;
import dev.weft.spi.BackendDevice;
import dev.weft.spi.Backends;
import dev.weft.spi.HardwareLimit;
import dev.weft.spi.Support;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Devices whose folder of images lacks the best target. Kernels in the place of which the compiler left a trap are not
 * launched: on hardware the context would be lost, on the emulator the launch fails likewise.
 */
class OwnImagesTest {
    private static final String NVRTC = "weft.nvrtc.path";

    /** Enough for the kernels that reuse weights. */
    private static final int TOKENS = 40;

    @TempDir
    private Path folder;

    private Emulator emulator;

    @BeforeEach
    void start() {
        emulator = Emulator.start();
        System.setProperty(NVRTC, folder.toString());
    }

    @AfterEach
    void stop() {
        System.clearProperty(NVRTC);
        if (emulator != null) {
            emulator.close();
        }
    }

    /** Images for one target, those for sm_90 made of those for sm_90a: for the driver they are of the same chip. */
    private BackendConfig only(String target) throws IOException {
        String source = target.equals("sm_90") ? "sm_90a" : target;
        try (Stream<Path> images = Files.list(Path.of(System.getProperty(CudaOptions.IMAGES)))) {
            for (Path image : images.filter(f -> f.toString().contains("." + source + "."))
                    .toList()) {
                byte[] bytes = Files.readAllBytes(image);
                if (!source.equals(target)) {
                    bytes = new String(bytes, StandardCharsets.ISO_8859_1)
                            .replace(source, target)
                            .getBytes(StandardCharsets.ISO_8859_1);
                }
                String name = image.getFileName().toString().replace(source, target);
                Files.write(folder.resolve(name), bytes);
            }
        }
        return BackendConfig.DEFAULT.with(CudaOptions.IMAGES, folder.toString());
    }

    private static Backends backends(BackendConfig config) {
        return Backends.of(config, List.of(new CudaProvider()));
    }

    private static OpCase product() {
        return OpCase.of(
                new Gemm(DType.F32),
                Operand.of(new TensorType(DType.F8_E4M3, Shape.of(TOKENS, 160), Scaling.FP8_GROUP_128), Data.random()),
                Operand.of(new TensorType(DType.F8_E4M3, Shape.of(130, 160), Scaling.FP8_BLOCK_128), Data.random()));
    }

    @ParameterizedTest
    @CsvSource({
        "90, sm_90",
        "90, compute_80",
        "90, sm_90a",
        "80, compute_80",
        "89, sm_80",
        "89, compute_80",
        "100, compute_80",
        "120, compute_80"
    })
    void everyImageThatLoadsRuns(int sm, String target) throws IOException {
        emulator.with("sm", "" + sm);
        try (Backends backends = backends(only(target));
                BackendDevice device = backends.device(new DeviceId("cuda", 0, ""))) {
            assertThat(OpRunner.run(device, product())).isEqualTo(new Outcome.Passed());
        }
    }

    @ParameterizedTest
    @CsvSource({"90, sm_90", "90, compute_80", "100, compute_80"})
    void productsTogetherRun(int sm, String target) throws IOException {
        emulator.with("sm", "" + sm);
        GraphBuilder g = Graph.builder("products");
        Value x = g.input("x", TensorType.of(DType.BF16, TOKENS, 128));
        g.output("a", g.gemm(x, g.weight("a", TensorType.of(DType.BF16, 70, 128)), DType.F32));
        g.output("b", g.gemm(x, g.weight("b", TensorType.of(DType.BF16, 9, 128)), DType.BF16));
        try (Weft weft = Weft.of(backends(only(target)))) {
            assertThat(new FusedComparison(weft.device("cuda:0"), g.build()).run(Map.of()))
                    .isEqualTo(1);
        }
    }

    /** What is missing is a matter of each module: the others keep their fast kernels. */
    @Test
    void oneModuleWithoutItsImage() throws IOException {
        BackendConfig config = only("sm_90a");
        String ptx = "gemm_wgmma.compute_80.ptx";
        Files.delete(folder.resolve("gemm_wgmma.sm_90a.cubin"));
        Files.copy(Path.of(System.getProperty(CudaOptions.IMAGES), ptx), folder.resolve(ptx));
        try (CudaBackend backend = emulator.open(config);
                BackendDevice device = backend.open(DeviceId.parse("cuda:0"))) {
            assertThat(OpRunner.run(device, product())).isEqualTo(new Outcome.Passed());
            assertThat(backend.details())
                    .anyMatch(line -> line.endsWith(
                            "slower kernels multiply many tokens: products of warpgroups need images for sm_90a,"
                                    + " which gemm_wgmma lacks"));
        }
    }

    /** Who asked for FP8 units and does not get them is told: name, reason and the promise of rows are those of what runs. */
    @Test
    void fp8UnitsWithoutTheirImage() throws IOException {
        OpInstance op = OpInstance.of(
                new Gemm(DType.BF16),
                List.of(
                        new TensorType(DType.F8_E4M3, Shape.of(TOKENS, 256), Scaling.FP8_GROUP_128),
                        new TensorType(DType.F8_E4M3, Shape.of(128, 256), Scaling.FP8_BLOCK_128)));
        try (CudaBackend backend = emulator.open(only("compute_80"));
                BackendDevice device = backend.open(DeviceId.parse("cuda:0/fp8"))) {
            assertThat(device.supports(op)).isInstanceOfSatisfying(Support.Emulated.class, e -> {
                assertThat(e.kernel()).isEqualTo("gemm/mma");
                assertThat(e.note()).contains("gemm/fp8: image of the kernels 'gemm_fp8': found none for sm_90a");
            });
            assertThat(device.prepare(op).name()).isEqualTo("gemm/mma");
            assertThat(device.rowsDependOnOthers(op)).isEmpty();
        }
    }

    /** A driver may be older than the toolkit of the images; the next best one is taken, and the warpgroups' products are not. */
    @Test
    void whatTheDriverDoesNotLoadIsPassedOver() throws IOException {
        BackendConfig config = only("sm_90a");
        only("compute_80");
        emulator.with("fail", "cuModuleLoadDataEx:1:300,cuModuleLoadDataEx:2:223");
        try (CudaBackend backend = emulator.open(config);
                CudaDevice device = (CudaDevice) backend.open(DeviceId.parse("cuda:0"))) {
            assertThatThrownBy(() -> device.functions().of("plain", "add", 0, 1))
                    .isInstanceOf(UnsupportedOpException.class)
                    .hasMessageContainingAll(
                            "plain.sm_90a.cubin) returned 300",
                            "for none of its kinds",
                            "plain.compute_80.ptx) returned 223",
                            "CUDA_DISABLE_PTX_JIT");
            emulator.with("fail", "cuModuleLoadDataEx:1:200");
            assertThat(OpRunner.run(device, product())).isEqualTo(new Outcome.Passed());
            assertThat(device.functions().hasOwnFeatures("gemm_wgmma")).isFalse();
        }
    }

    /** Ceilings are measured by the kernels that products would take. */
    @ParameterizedTest
    @CsvSource({
        "sm_90a, F32_FMA BF16_DOT FP8_DOT READ",
        "sm_90, F32_FMA BF16_DOT READ",
        "compute_80, F32_FMA BF16_DOT READ"
    })
    void limitsAreThoseOfTheImage(String target, String kinds) throws IOException {
        try (CudaBackend backend = emulator.open(only(target));
                CudaDevice device = (CudaDevice) backend.open(DeviceId.parse("cuda:0"))) {
            assertThat(device.limits())
                    .containsExactlyInAnyOrderElementsOf(Arrays.stream(kinds.split(" "))
                            .map(HardwareLimit::valueOf)
                            .toList());
            assertThat(device.compute(HardwareLimit.BF16_DOT, 1)).isPositive();
        }
    }
}
