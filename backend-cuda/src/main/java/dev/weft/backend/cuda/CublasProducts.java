package dev.weft.backend.cuda;

import static dev.weft.backend.cuda.CublasLtConstants.*;
import static dev.weft.backend.cuda.DriverConstants.CUDA_ERROR_OUT_OF_MEMORY;

import dev.weft.DeviceMemoryException;
import dev.weft.spi.support.DeviceThread;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * cuBLASLt on a device: its handle, and for each product what it was found to do. Descriptors stay until the device closes: a step
 * that is recorded as a graph meets those that the same step made before, and makes none. They are host memory, about a kilobyte for
 * each number of rows of each matrix, of which a model has as many as rows in its largest step.
 *
 * <p>The library knows columns only. What is row-major here is column-major and transposed there: A is w, transposed, B is x, and
 * D is y.
 */
final class CublasProducts {
    /** Scratch memory that algorithms may ask for, what NVIDIA recommends for Hopper. */
    static final long WORKSPACE_BYTES = 32L << 20;

    // cublasLtMatmulHeuristicResult_t: the algorithm, its scratch memory, a status, and more
    static final long RESULT_BYTES = 96;
    static final long ALGORITHM_BYTES = 64;
    static final long STATE = 72;

    /** Stands for the scales while the library only chooses. */
    private static final long SOMEWHERE = 1L << 40;

    private final CublasLtLibrary library;
    private final CublasLt lt;
    private final DeviceThread thread;
    private final Health health;
    private final String subject;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment one = arena.allocateFrom(ValueLayout.JAVA_FLOAT, 1);
    private final MemorySegment zero = arena.allocateFrom(ValueLayout.JAVA_FLOAT, 0);
    private final MemorySegment value = arena.allocate(ValueLayout.JAVA_LONG);
    private final Map<CublasProduct, Answer> answers = new ConcurrentHashMap<>();
    private long handle;

    CublasProducts(CublasLtLibrary library, DeviceThread thread, Health health, String subject) {
        this.library = library;
        this.lt = library.functions();
        this.thread = thread;
        this.health = health;
        this.subject = subject;
    }

    /** Whether the library computes a product. */
    sealed interface Answer {}

    /**
     * It does.
     *
     * @param descriptor of the operation
     * @param layouts of A, B, and of C and D
     * @param algorithm as the library wrote it down
     */
    record Plan(long descriptor, long[] layouts, MemorySegment algorithm) implements Answer {}

    /** @param reason why it does not */
    record Refused(String reason) implements Answer {}

    /**
     * Where a product's operands are.
     *
     * @param tokenScales F32, as {@link CublasProduct#tokenScaleBytes} says; of no meaning without scales, as are those of w
     * @param workspace {@link #WORKSPACE_BYTES} of scratch memory
     */
    record Places(long x, long w, long y, long tokenScales, long weightScales, long workspace) {}

    CublasLtLibrary library() {
        return library;
    }

    /** Begins to use the library in the current context; on the device's thread, as are the others but {@link #answer}. */
    void open() {
        try {
            handle = create(lt::cublasLtCreate, "cublasLtCreate");
        } catch (RuntimeException | Error e) {
            arena.close();
            throw e;
        }
    }

    /** What the library answers for a product; asked once, and not where its documentation has the answer. From any thread. */
    Answer answer(CublasProduct product) {
        if (!product.refusal().isEmpty()) {
            return new Refused(product.refusal());
        }
        Answer known = answers.get(product);
        if (known == null) {
            known = thread.call(() -> answers.computeIfAbsent(product, this::choose));
        }
        return known;
    }

    private Answer choose(CublasProduct p) {
        List<Runnable> made = new ArrayList<>();
        try (Arena scratch = Arena.ofConfined()) {
            long descriptor = create(
                    out -> lt.cublasLtMatmulDescCreate(out, CUBLAS_COMPUTE_32F, CUDA_R_32F),
                    "cublasLtMatmulDescCreate");
            made.add(() -> lt.cublasLtMatmulDescDestroy(descriptor));
            describe(descriptor, p);
            long[] layouts = {
                layout(p.type(), p.inputs(), p.outputs(), p.w().pitch(), made),
                layout(p.type(), p.inputs(), p.tokens(), p.x().pitch(), made),
                layout(p.outType(), p.outputs(), p.tokens(), p.y().pitch(), made)
            };
            MemorySegment result = scratch.allocate(RESULT_BYTES, 8);
            int status = heuristic(descriptor, layouts, p, result);
            if (status != CUBLAS_STATUS_SUCCESS) {
                made.reversed().forEach(Runnable::run);
                return new Refused(library.versionText() + " has no algorithm for it: "
                        + library.describe("cublasLtMatmulAlgoGetHeuristic", status));
            }
            MemorySegment algorithm = arena.allocate(ALGORITHM_BYTES, 8).copyFrom(result.asSlice(0, ALGORITHM_BYTES));
            return new Plan(descriptor, layouts, algorithm);
        } catch (RuntimeException | Error e) {
            made.reversed().forEach(Runnable::run);
            throw e;
        }
    }

    private void describe(long descriptor, CublasProduct p) {
        set(descriptor, CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_T);
        set(descriptor, CUBLASLT_MATMUL_DESC_TRANSB, CUBLAS_OP_N);
        if (p.isScaled()) {
            set(descriptor, CUBLASLT_MATMUL_DESC_A_SCALE_MODE, CUBLASLT_MATMUL_MATRIX_SCALE_BLK128x128_32F);
            set(descriptor, CUBLASLT_MATMUL_DESC_B_SCALE_MODE, CUBLASLT_MATMUL_MATRIX_SCALE_VEC128_32F);
            setScales(descriptor, SOMEWHERE, SOMEWHERE);
        }
    }

    private void setScales(long descriptor, long ofWeights, long ofTokens) {
        setPointer(descriptor, CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, ofWeights);
        setPointer(descriptor, CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, ofTokens);
    }

    private void set(long descriptor, int attribute, int number) {
        value.set(ValueLayout.JAVA_INT, 0, number);
        int status = lt.cublasLtMatmulDescSetAttribute(descriptor, attribute, value, Integer.BYTES);
        require(status, "cublasLtMatmulDescSetAttribute(" + attribute + ")");
    }

    private void setPointer(long descriptor, int attribute, long address) {
        value.set(ValueLayout.JAVA_LONG, 0, address);
        int status = lt.cublasLtMatmulDescSetAttribute(descriptor, attribute, value, Long.BYTES);
        require(status, "cublasLtMatmulDescSetAttribute(" + attribute + ")");
    }

    private long layout(int type, long rows, long columns, long pitch, List<Runnable> made) {
        long layout = create(
                out -> lt.cublasLtMatrixLayoutCreate(out, type, rows, columns, pitch), "cublasLtMatrixLayoutCreate");
        made.add(() -> lt.cublasLtMatrixLayoutDestroy(layout));
        return layout;
    }

    /** Asks for one algorithm. @return status of the call, or of its result */
    private int heuristic(long descriptor, long[] layouts, CublasProduct p, MemorySegment result) {
        long preference = create(lt::cublasLtMatmulPreferenceCreate, "cublasLtMatmulPreferenceCreate");
        try {
            prefer(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, WORKSPACE_BYTES, Long.BYTES);
            prefer(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, p.w().alignment(), Integer.BYTES);
            prefer(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, p.x().alignment(), Integer.BYTES);
            prefer(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, p.y().alignment(), Integer.BYTES);
            prefer(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, p.y().alignment(), Integer.BYTES);
            int status = lt.cublasLtMatmulAlgoGetHeuristic(
                    handle, descriptor, layouts[0], layouts[1], layouts[2], layouts[2], preference, 1, result, value);
            // it answers either for what it does not take
            if (status == CUBLAS_STATUS_NOT_SUPPORTED || status == CUBLAS_STATUS_INVALID_VALUE) {
                return status;
            }
            require(status, "cublasLtMatmulAlgoGetHeuristic(" + p + ")");
            return value.get(ValueLayout.JAVA_INT, 0) == 0
                    ? CUBLAS_STATUS_NOT_SUPPORTED
                    : result.get(ValueLayout.JAVA_INT, STATE);
        } finally {
            lt.cublasLtMatmulPreferenceDestroy(preference);
        }
    }

    private void prefer(long preference, int attribute, long number, int bytes) {
        value.set(ValueLayout.JAVA_LONG, 0, number); // an int is its lower half
        int status = lt.cublasLtMatmulPreferenceSetAttribute(preference, attribute, value, bytes);
        require(status, "cublasLtMatmulPreferenceSetAttribute(" + attribute + ")");
    }

    /** Puts a product on a stream, which may be one that records. */
    void multiply(CublasProduct product, Plan plan, Places at, long stream) {
        if (product.isScaled()) {
            setScales(plan.descriptor, at.weightScales, at.tokenScales);
        }
        int status = lt.cublasLtMatmul(
                handle,
                plan.descriptor,
                one,
                at.w,
                plan.layouts[0],
                at.x,
                plan.layouts[1],
                zero,
                at.y,
                plan.layouts[2],
                at.y,
                plan.layouts[2],
                plan.algorithm,
                at.workspace,
                WORKSPACE_BYTES,
                stream);
        require(status, "cublasLtMatmul(" + product + ")");
    }

    /** A function that makes something and writes its handle. */
    private interface Maker {
        int make(MemorySegment out);
    }

    private long create(Maker maker, String call) {
        require(maker.make(value), call);
        return value.get(ValueLayout.JAVA_LONG, 0);
    }

    private void require(int status, String call) {
        if (status == CUBLAS_STATUS_SUCCESS) {
            return;
        }
        String text = library.describe(call, status);
        if (status == CUBLAS_STATUS_ALLOC_FAILED) {
            throw new DeviceMemoryException(subject + ": " + text + "; " + CudaErrors.remedy(CUDA_ERROR_OUT_OF_MEMORY));
        }
        throw health.failureOfLibrary(
                text, "CUBLASLT_LOG_LEVEL=1 makes the library say more; without its variant the device does not use it");
    }

    /** Destroys descriptors and handle, when no stream works. On a device that is stuck the library might wait for ever. */
    void close() {
        if (!health.isStuck()) {
            destroy();
        }
        arena.close();
    }

    private void destroy() {
        for (Answer answer : answers.values()) {
            if (answer instanceof Plan plan) {
                release(lt::cublasLtMatmulDescDestroy, plan.descriptor, "cublasLtMatmulDescDestroy");
                for (long layout : plan.layouts) {
                    release(lt::cublasLtMatrixLayoutDestroy, layout, "cublasLtMatrixLayoutDestroy");
                }
            }
        }
        answers.clear();
        release(lt::cublasLtDestroy, handle, "cublasLtDestroy");
    }

    /** A function that frees. */
    private interface Releaser {
        int release(long what);
    }

    private void release(Releaser releaser, long what, String call) {
        int status = releaser.release(what);
        if (status != CUBLAS_STATUS_SUCCESS) {
            health.note(library.describe(call, status));
        }
    }

    @Override
    public String toString() {
        return subject;
    }
}
