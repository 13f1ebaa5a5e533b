package dev.weft.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.DType;
import dev.weft.DeviceId;
import dev.weft.NativeCallException;
import dev.weft.TensorType;
import dev.weft.UnsupportedOpException;
import dev.weft.op.AllReduce;
import dev.weft.op.Hadamard;
import dev.weft.op.OpInstance;
import dev.weft.op.Scale;
import dev.weft.spi.BackendConfig;
import dev.weft.spi.BackendDevice;
import dev.weft.spi.Support;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Before any weight loads a device says what it cannot run, and why. */
class SupportTest {
    private static final String NVRTC = "weft.nvrtc.path";

    private static final TensorType ROWS = TensorType.of(DType.F32, 4, 32);

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

    private static void requireRefusal(BackendDevice device, OpInstance op, String... reasons) {
        assertThat(device.supports(op))
                .isInstanceOfSatisfying(
                        Support.Unsupported.class, u -> assertThat(u.reason()).contains(reasons));
        assertThatThrownBy(() -> device.prepare(op))
                .isInstanceOf(UnsupportedOpException.class)
                .hasMessageContainingAll(reasons);
    }

    @ParameterizedTest
    @ValueSource(ints = {80, 89, 90, 100, 120})
    void everyChipHasSimpleKernels(int sm) {
        OpInstance op = OpInstance.of(new Scale(2), List.of(ROWS));
        try (CudaBackend backend = emulator.with("sm", "" + sm).open();
                BackendDevice device = backend.open(DeviceId.parse("cuda:0/simple"))) {
            assertThat(device.level()).isEqualTo("sm_" + sm);
            assertThat(device.supports(op)).isEqualTo(new Support.Native("scale/simple"));
            assertThat(device.prepare(op).name()).isEqualTo("scale/simple");
        }
    }

    @Test
    void aWaysReasonIsTold() {
        try (CudaBackend backend = emulator.open();
                BackendDevice device = backend.open(DeviceId.parse("cuda:0"))) {
            requireRefusal(device, OpInstance.of(new AllReduce(2), List.of(ROWS)), "rank");
        }
    }

    @Test
    void aMissingImageIsTold(@TempDir Path nothing) {
        BackendConfig config = BackendConfig.DEFAULT.with(CudaOptions.IMAGES, nothing.toString());
        System.setProperty(NVRTC, nothing.toString());
        try (CudaBackend backend = emulator.open(config);
                BackendDevice device = backend.open(DeviceId.parse("cuda:0"))) {
            OpInstance op = OpInstance.of(new Scale(2), List.of(ROWS));
            requireRefusal(device, op, "scale/simple: no image of the kernels 'plain'", nothing.toString());
            assertThat(backend.details()).anyMatch(line -> line.startsWith("images for sm_90: none: "));
        } finally {
            System.clearProperty(NVRTC);
        }
    }

    /** What a kernel declares itself leaves less of a block's memory for what its launch asks for. */
    @Test
    void sharedMemoryThatAKernelDeclaresCounts() {
        OpInstance op = OpInstance.of(new Hadamard(), List.of(ROWS));
        emulator.with("static", "232448");
        try (CudaBackend backend = emulator.open();
                BackendDevice device = backend.open(DeviceId.parse("cuda:0/simple"))) {
            requireRefusal(device, op, "norm/hadamard", "and 232448 bytes of shared memory, the device has 232448");
        }
    }

    /** A call that failed is no property of the operator: it is asked again. */
    @ParameterizedTest
    @ValueSource(strings = {"cuFuncGetAttribute", "cuFuncSetAttribute", "cuModuleLoadDataEx", "cuModuleGetFunction"})
    void aFailedCallIsNoRefusal(String function) {
        OpInstance op = OpInstance.of(new Hadamard(), List.of(ROWS));
        try (CudaBackend backend = emulator.open();
                BackendDevice device = backend.open(DeviceId.parse("cuda:0/simple"))) {
            emulator.with("fail", function + ":1:999");
            assertThatThrownBy(() -> device.supports(op))
                    .isInstanceOf(NativeCallException.class)
                    .hasMessageContainingAll(function, "returned 999");
            assertThat(device.supports(op)).isEqualTo(new Support.Native("hadamard/simple"));
        }
    }
}
