package dev.weft.backend.cuda;

import static dev.weft.backend.cuda.CublasLtConstants.*;
import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.DeviceId;
import dev.weft.spi.BackendDevice;
import dev.weft.spi.DeviceBuffer;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** That the emulated cuBLASLt sees what would go wrong on a device, without which tests on it would show little. */
class CublasLtFaultsTest {
    private static final int INVALID_VALUE = 7;
    private static final int NOT_INITIALIZED = 1;
    private static final int TOKENS = 4;
    private static final int OUTPUTS = 16;
    private static final int INPUTS = 128;
    private static final long WORKSPACE = 4096;

    private final Arena arena = Arena.ofShared();
    private final MemorySegment out = arena.allocate(ValueLayout.JAVA_LONG);
    private final MemorySegment result = arena.allocate(CublasProducts.RESULT_BYTES, 8);
    private final List<IntSupplier> made = new ArrayList<>();
    private Emulator emulator;
    private CublasLtEmulator cublas;
    private CudaBackend backend;
    private CudaDevice device;
    private DeviceBuffer memory;
    private CudaStream stream;
    private CublasLt lt;
    private long handle;

    @BeforeEach
    void start() {
        emulator = Emulator.start();
        cublas = new CublasLtEmulator();
        backend = emulator.open();
        device = (CudaDevice) (BackendDevice) backend.open(DeviceId.parse("cuda:0"));
        memory = device.allocate(1 << 16, 256);
        device.zero(memory.address(), 1 << 16);
        stream = device.createStream();
        System.setProperty("weft.cublaslt.path", Emulator.library().getParent().toString());
        DriverLibrary driver = ((DriverLibrary.Opened) DriverLibrary.open()).library();
        lt = ((CublasLtLibrary.Opened) CublasLtLibrary.open(driver, List.of()))
                .library()
                .functions();
        handle = make(() -> lt.cublasLtCreate(out), h -> lt.cublasLtDestroy(h));
    }

    @AfterEach
    void stop() {
        System.clearProperty("weft.cublaslt.path");
        if (backend != null) {
            made.reversed().forEach(m -> assertThat(m.getAsInt()).isZero());
            backend.close();
            cublas.close();
            emulator.close();
        }
        arena.close();
    }

    private interface Destroy {
        int destroy(long what);
    }

    private long make(IntSupplier create, Destroy destroy) {
        assertThat(call(create)).isZero();
        long what = out.get(ValueLayout.JAVA_LONG, 0);
        made.add(() -> destroy.destroy(what));
        return what;
    }

    private int call(IntSupplier body) {
        return device.call(body::getAsInt);
    }

    private long operation() {
        long operation = make(
                () -> lt.cublasLtMatmulDescCreate(out, CUBLAS_COMPUTE_32F, CUDA_R_32F),
                d -> lt.cublasLtMatmulDescDestroy(d));
        set(operation, CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_T, Integer.BYTES);
        return operation;
    }

    private long layout(int type, long rows, long columns) {
        return make(
                () -> lt.cublasLtMatrixLayoutCreate(out, type, rows, columns, rows),
                l -> lt.cublasLtMatrixLayoutDestroy(l));
    }

    private long preference(long bytes) {
        long preference =
                make(() -> lt.cublasLtMatmulPreferenceCreate(out), p -> lt.cublasLtMatmulPreferenceDestroy(p));
        out.set(ValueLayout.JAVA_LONG, 0, bytes);
        int attribute = CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES;
        assertThat(call(() -> lt.cublasLtMatmulPreferenceSetAttribute(preference, attribute, out, Long.BYTES)))
                .isZero();
        return preference;
    }

    private int set(long operation, int attribute, long value, long bytes) {
        MemorySegment at = arena.allocateFrom(ValueLayout.JAVA_LONG, value);
        return call(() -> lt.cublasLtMatmulDescSetAttribute(operation, attribute, at, bytes));
    }

    /** A product with its algorithm, which lies in {@link #result}. */
    private final class Product {
        private final long operation = operation();
        private final long a;
        private final long b;
        private final long d;

        Product(int type, long tokens) {
            a = layout(type, INPUTS, OUTPUTS);
            b = layout(type, INPUTS, tokens);
            d = layout(CUDA_R_32F, OUTPUTS, tokens);
        }

        int choose() {
            long preference = preference(WORKSPACE);
            return call(
                    () -> lt.cublasLtMatmulAlgoGetHeuristic(handle, operation, a, b, d, d, preference, 1, result, out));
        }

        int multiply(long x, long workspace, long bytes, long stream) {
            MemorySegment one = arena.allocateFrom(ValueLayout.JAVA_FLOAT, 1);
            MemorySegment zero = arena.allocateFrom(ValueLayout.JAVA_FLOAT, 0);
            long w = memory.address();
            long y = memory.address() + 32768;
            return call(() -> lt.cublasLtMatmul(
                    handle, operation, one, w, a, x, b, zero, y, d, y, d, result, workspace, bytes, stream));
        }

        int multiply() {
            return multiply(x(), workspace(), WORKSPACE, stream.handle());
        }
    }

    private long x() {
        return memory.address() + 8192;
    }

    private long workspace() {
        return memory.address() + 16384;
    }

    private void expectFault(String rule) {
        stream.synchronize();
        assertThat(cublas.faults().lines()).anyMatch(line -> line.startsWith(rule + ": "));
    }

    @Test
    void attributesAreKnownAndOfTheirSize() {
        long operation = operation();
        assertThat(set(operation, CUBLASLT_MATMUL_DESC_TRANSB, CUBLAS_OP_N, Long.BYTES))
                .isEqualTo(INVALID_VALUE);
        expectFault("attribute");
        assertThat(set(operation, 99, 0, Integer.BYTES)).isEqualTo(INVALID_VALUE);
        expectFault("attribute");
        assertThat(set(operation, CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, 0, Integer.BYTES))
                .isEqualTo(INVALID_VALUE);
        expectFault("attribute");
    }

    @Test
    void whatIsGoneIsNotUsed() {
        long operation = operation();
        made.removeLast();
        assertThat(call(() -> lt.cublasLtMatmulDescDestroy(operation))).isZero();
        assertThat(call(() -> lt.cublasLtMatmulDescDestroy(operation))).isEqualTo(INVALID_VALUE);
        expectFault("use-after-destroy");
        assertThat(set(12345, CUBLASLT_MATMUL_DESC_TRANSB, CUBLAS_OP_N, Integer.BYTES))
                .isEqualTo(INVALID_VALUE);
        expectFault("invalid-handle");
        Product product = new Product(CUDA_R_16BF, TOKENS);
        long living = handle;
        handle = 0;
        assertThat(product.choose()).isEqualTo(NOT_INITIALIZED);
        handle = living;
        expectFault("invalid-handle");
    }

    @Test
    void anAlgorithmIsOfItsProductAlone() {
        Product four = new Product(CUDA_R_16BF, TOKENS);
        Product five = new Product(CUDA_R_16BF, TOKENS + 1);
        assertThat(four.choose()).isZero();
        assertThat(five.multiply()).isEqualTo(INVALID_VALUE);
        expectFault("algorithm");
        assertThat(four.multiply()).isZero();
        stream.synchronize();
        assertThat(cublas.faults()).doesNotContain("algorithm");
    }

    @Test
    void operandsAndWorkspaceAreWhereTheAlgorithmExpectsThem() {
        Product product = new Product(CUDA_R_16BF, TOKENS);
        assertThat(product.choose()).isZero();
        assertThat(product.multiply(x() + 16, workspace(), WORKSPACE, stream.handle()))
                .isEqualTo(INVALID_VALUE);
        expectFault("misaligned");
        assertThat(product.multiply(x(), workspace(), 128, stream.handle())).isEqualTo(INVALID_VALUE);
        expectFault("workspace");
        long end = memory.address() + (1 << 16);
        assertThat(product.multiply(x(), end, WORKSPACE, stream.handle())).isZero();
        expectFault("illegal-address");
    }

    @Test
    void extentsFitTogether() {
        Product product = new Product(CUDA_R_16BF, TOKENS);
        set(product.operation, CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_N, Integer.BYTES);
        assertThat(product.choose()).isEqualTo(INVALID_VALUE);
        expectFault("layout");
    }

    /** With scales of blocks, M and N come in multiples of 4; without them any number does. */
    @Test
    void tokensOfScaledProductsComeInFours() {
        for (int type : new int[] {CUDA_R_16BF, CUDA_R_8F_E4M3}) {
            for (int tokens : new int[] {1, 2, 5, 130}) {
                Product product = new Product(type, tokens);
                if (type == CUDA_R_8F_E4M3) {
                    scale(product, memory.address() + 49152);
                }
                assertThat(product.choose()).isEqualTo(type == CUDA_R_8F_E4M3 ? INVALID_VALUE : 0);
            }
        }
    }

    private void scale(Product product, long scales) {
        int ofBlocks = CUBLASLT_MATMUL_MATRIX_SCALE_BLK128x128_32F;
        int ofTokens = CUBLASLT_MATMUL_MATRIX_SCALE_VEC128_32F;
        set(product.operation, CUBLASLT_MATMUL_DESC_A_SCALE_MODE, ofBlocks, Integer.BYTES);
        set(product.operation, CUBLASLT_MATMUL_DESC_B_SCALE_MODE, ofTokens, Integer.BYTES);
        set(product.operation, CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, scales, Long.BYTES);
        set(product.operation, CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, scales, Long.BYTES);
    }

    /** Scales without which there is no product; padding behind them that holds no number; scales past the end of memory. */
    @Test
    void scalesOfBlocksAreThereWithTheirPadding() {
        Product product = new Product(CUDA_R_8F_E4M3, TOKENS);
        assertThat(product.choose()).isEqualTo(CUBLAS_STATUS_NOT_SUPPORTED);
        int ofBlocks = CUBLASLT_MATMUL_MATRIX_SCALE_BLK128x128_32F;
        set(product.operation, CUBLASLT_MATMUL_DESC_A_SCALE_MODE, ofBlocks, Integer.BYTES);
        set(
                product.operation,
                CUBLASLT_MATMUL_DESC_B_SCALE_MODE,
                CUBLASLT_MATMUL_MATRIX_SCALE_VEC128_32F,
                Integer.BYTES);
        long scales = memory.address() + 49152;
        set(product.operation, CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, scales, Long.BYTES);
        assertThat(product.choose()).isEqualTo(CUBLAS_STATUS_NOT_SUPPORTED);
        set(product.operation, CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, scales + 256, Long.BYTES);
        assertThat(product.choose()).isZero();
        assertThat(product.multiply()).isZero();
        stream.synchronize();
        assertThat(cublas.faults()).doesNotContain("scale", "illegal");
        device.copyIn(
                MemorySegment.ofArray(new float[] {1, Float.NaN, 0, 0}),
                scales + 256); // one block of K, filled up to four
        assertThat(product.multiply()).isZero();
        expectFault("scale-padding");
        long end = memory.address() + (1 << 16);
        set(product.operation, CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, end - 8, Long.BYTES);
        assertThat(product.choose()).isEqualTo(INVALID_VALUE);
        assertThat(product.multiply()).isEqualTo(INVALID_VALUE);
        expectFault("misaligned");
        set(product.operation, CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, end, Long.BYTES);
        assertThat(product.multiply()).isZero();
        expectFault("illegal-address");
    }
}
