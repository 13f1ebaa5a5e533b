package dev.weft.benchmarks.peer;

import dev.weft.benchmarks.Contender;
import dev.weft.benchmarks.work.Format;
import dev.weft.benchmarks.work.GemmWork;
import dev.weft.benchmarks.work.Work;
import java.lang.invoke.MethodType;
import java.lang.reflect.InvocationTargetException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/**
 * ONNX Runtime: 4-bit products. Its Java interface is reached by reflection, because the default build must not download
 * it; the cost of that is far below a microsecond per run.
 */
final class OnnxRuntime implements Peer.Present {
    private static final String PACKAGE = "ai.onnxruntime.";

    private final Object environment;
    private final int threads;

    private OnnxRuntime(Object environment, int threads) {
        this.environment = environment;
        this.threads = threads;
    }

    static Peer find(int threads) {
        try {
            Object environment = call(type("OrtEnvironment"), null, "getEnvironment");
            call(environment.getClass(), environment, "setTelemetry", false);
            return new OnnxRuntime(environment, threads);
        } catch (ClassNotFoundException e) {
            return new Absent("onnxrt", PACKAGE + "* is not on the class path; build with -Ppeers");
        } catch (ReflectiveOperationException | LinkageError e) {
            return new Absent("onnxrt", "its native library did not load: " + e);
        }
    }

    private static Class<?> type(String name) throws ClassNotFoundException {
        return Class.forName(PACKAGE + name);
    }

    /** Calls the public method of this name whose parameters accept the arguments. */
    private static Object call(Class<?> type, Object target, String name, Object... arguments)
            throws ReflectiveOperationException {
        var method = Arrays.stream(type.getMethods())
                .filter(m -> m.getName().equals(name) && accepts(m.getParameterTypes(), arguments))
                .findFirst()
                .orElseThrow(() -> new NoSuchMethodException(type.getName() + "." + name));
        return method.invoke(target, arguments);
    }

    private static boolean accepts(Class<?>[] parameters, Object[] arguments) {
        if (parameters.length != arguments.length) {
            return false;
        }
        for (int i = 0; i < parameters.length; i++) {
            Class<?> wrapped = MethodType.methodType(parameters[i]).wrap().returnType();
            if (!wrapped.isInstance(arguments[i])) {
                return false;
            }
        }
        return true;
    }

    @Override
    public String name() {
        return "onnxrt";
    }

    @Override
    public String description() {
        try {
            return "ONNX Runtime %s, %d thread(s)"
                    .formatted(call(environment.getClass(), environment, "getVersion"), threads);
        } catch (ReflectiveOperationException e) {
            throw failure(e);
        }
    }

    private static IllegalStateException failure(ReflectiveOperationException e) {
        Throwable cause = e instanceof InvocationTargetException i ? i.getTargetException() : e;
        return new IllegalStateException("ONNX Runtime: " + cause, cause);
    }

    @Override
    public Optional<Contender> enter(Work work) {
        return work instanceof GemmWork gemm && gemm.format() == Format.MXFP4
                ? Optional.of(new Product(gemm))
                : Optional.empty();
    }

    /** One session over the model of a work, with outputs in buffers that stay. */
    private final class Product implements Contender {
        private final GemmWork work;
        private final AutoCloseable session;
        private final Map<String, AutoCloseable> inputs = new HashMap<>();
        private final Map<String, AutoCloseable> outputs = new HashMap<>();
        private final Map<String, FloatBuffer> results = new HashMap<>();

        Product(GemmWork work) {
            this.work = work;
            try {
                Object options =
                        type("OrtSession$SessionOptions").getConstructor().newInstance();
                call(options.getClass(), options, "setIntraOpNumThreads", threads);
                call(options.getClass(), options, "setInterOpNumThreads", 1);
                session = (AutoCloseable)
                        call(environment.getClass(), environment, "createSession", OnnxModel.of(work), options);
                inputs.put("x", tensor(buffer(work.m() * work.k()).put(work.x()).rewind(), work.m(), work.k()));
                for (int c = 0; c < work.copies(); c++) {
                    FloatBuffer y = buffer(work.m() * work.n());
                    results.put("y" + c, y);
                    outputs.put("y" + c, tensor(y, work.m(), work.n()));
                }
            } catch (ReflectiveOperationException e) {
                throw failure(e);
            }
        }

        private static FloatBuffer buffer(int floats) {
            return ByteBuffer.allocateDirect(floats * Float.BYTES)
                    .order(ByteOrder.nativeOrder())
                    .asFloatBuffer();
        }

        private AutoCloseable tensor(FloatBuffer data, long... extents) throws ReflectiveOperationException {
            return (AutoCloseable) call(type("OnnxTensor"), null, "createTensor", environment, data, extents);
        }

        @Override
        public String name() {
            return "onnxrt";
        }

        @Override
        public String detail() {
            return "MatMulNBits, 4-bit whole numbers, blocks of 32, INT8 activations";
        }

        @Override
        public void run() {
            try (var result = (AutoCloseable) call(session.getClass(), session, "run", inputs, outputs)) {
                if (result == null) {
                    throw new IllegalStateException("ONNX Runtime: no result");
                }
            } catch (ReflectiveOperationException e) {
                throw failure(e);
            } catch (Exception e) {
                throw new IllegalStateException("ONNX Runtime: " + e, e);
            }
        }

        @Override
        public float[] output(int copy) {
            float[] out = new float[work.m() * work.n()];
            results.get("y" + copy).get(0, out);
            return out;
        }

        @Override
        public double tolerance() {
            return 2e-2;
        }

        @Override
        public void close() {
            try {
                for (AutoCloseable o : outputs.values()) {
                    o.close();
                }
                for (AutoCloseable i : inputs.values()) {
                    i.close();
                }
                session.close();
            } catch (Exception e) {
                throw new IllegalStateException("ONNX Runtime: " + e, e);
            }
        }
    }
}
