package dev.weft.conformance.toy;

import dev.weft.DType;
import dev.weft.Dim;
import dev.weft.Shape;
import dev.weft.TensorType;
import dev.weft.graph.Graph;
import dev.weft.graph.GraphBuilder;
import dev.weft.graph.Value;
import dev.weft.op.RingWrite;
import dev.weft.op.SwiGlu;
import dev.weft.runtime.CompileOptions;
import dev.weft.runtime.CompiledGraph;
import dev.weft.runtime.Device;
import dev.weft.runtime.DeviceWeights;
import dev.weft.runtime.Execution;
import dev.weft.runtime.RandomWeights;
import dev.weft.runtime.StateStore;
import dev.weft.runtime.Weft;
import dev.weft.spi.BackendConfig;
import dev.weft.spi.Backends;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Random;

/** A toy device with its faults, and a small network over it: gemm, norm, gated activation, residual, ring state. */
final class ToyFixture implements AutoCloseable {
    static final int WIDTH = 24;
    static final int HIDDEN = 40;
    static final int WINDOW = 8;
    static final int MAX_TOKENS = 12;

    /** Result of one step: hidden rows and the whole ring. */
    record Result(float[] hidden, float[] ring) {}

    final ToyFaults faults = new ToyFaults();
    final ToyProvider provider = new ToyProvider(faults);
    final Weft weft;
    final Device device;

    ToyFixture() {
        this(BackendConfig.DEFAULT);
    }

    ToyFixture(BackendConfig config) {
        weft = Weft.of(Backends.of(config, List.of(provider)));
        device = weft.device("toy:0");
    }

    /** The backend's own view of {@link #device}, for its accounts. */
    ToyDevice toy() {
        return provider.opened().getLast();
    }

    static Graph network() {
        GraphBuilder g = Graph.builder("small network");
        Dim tokens = Dim.named("tokens", 0, MAX_TOKENS);
        Value x = g.input("x", TensorType.of(DType.F32, Shape.of(tokens, Dim.fixed(WIDTH))));
        Value positions = g.input("positions", TensorType.of(DType.I32, Shape.of(tokens)));
        Value starts = g.input("starts", TensorType.of(DType.I32, 2));
        Value slots = g.input("slots", TensorType.of(DType.I32, 1));
        Value ring = g.state("ring", TensorType.of(DType.F32, 2, WINDOW, WIDTH));
        Value n = g.rmsNorm(x, g.weight("norm", TensorType.of(DType.F32, WIDTH)), 1e-6f);
        Value gate = g.gemm(n, g.weight("gate", TensorType.of(DType.F32, HIDDEN, WIDTH)));
        Value up = g.gemm(n, g.weight("up", TensorType.of(DType.F32, HIDDEN, WIDTH)));
        Value act = g.node(new SwiGlu(10, false), gate, up);
        Value down = g.gemm(act, g.weight("down", TensorType.of(DType.F32, WIDTH, HIDDEN)));
        Value sum = g.add(x, down);
        Value written = g.node(new RingWrite(), ring, sum, positions, starts, slots);
        return g.output("hidden", sum).output("ring", written).build();
    }

    /** Compiles and opens everything, runs the steps, and closes everything again. */
    static List<Result> runAll(Device device, CompileOptions options, int... tokensPerStep) {
        CompiledGraph compiled = device.compile(network(), options);
        try (DeviceWeights weights = compiled.loadWeights(new RandomWeights(7));
                StateStore states = compiled.newStates();
                Execution execution = compiled.newExecution(weights, states)) {
            return run(execution, tokensPerStep);
        }
    }

    static List<Result> run(Execution execution, int... tokensPerStep) {
        List<Result> results = new java.util.ArrayList<>();
        int position = 0;
        for (int tokens : tokensPerStep) {
            feed(execution, tokens, position);
            execution.run();
            results.add(new Result(execution.floats("hidden"), execution.floats("ring")));
            position += tokens;
        }
        return results;
    }

    static void feed(Execution execution, int tokens, int position) {
        execution
                .bind("tokens", tokens)
                .set("x", input(tokens, position))
                .set(
                        "positions",
                        java.util.stream.IntStream.range(position, position + tokens)
                                .toArray())
                .set("starts", 0, tokens)
                .set("slots", 1);
    }

    /** Rows that depend on their position only, so that splitting a sequence differently feeds the same rows. */
    static float[] input(int tokens, int position) {
        float[] x = new float[tokens * WIDTH];
        for (int t = 0; t < tokens; t++) {
            Random random = new Random(1000L + position + t);
            for (int i = 0; i < WIDTH; i++) {
                x[t * WIDTH + i] = (float) random.nextGaussian();
            }
        }
        return x;
    }

    /** What the network must give, in double precision and without any part of the library but the weights. */
    static List<Result> expected(int... tokensPerStep) {
        float[] norm = weight("norm", WIDTH);
        float[] gate = weight("gate", HIDDEN, WIDTH);
        float[] up = weight("up", HIDDEN, WIDTH);
        float[] down = weight("down", WIDTH, HIDDEN);
        float[] ring = new float[2 * WINDOW * WIDTH];
        List<Result> results = new java.util.ArrayList<>();
        int position = 0;
        for (int tokens : tokensPerStep) {
            float[] hidden = input(tokens, position);
            for (int t = 0; t < tokens; t++) {
                float[] row = java.util.Arrays.copyOfRange(hidden, t * WIDTH, (t + 1) * WIDTH);
                double squares = 0;
                for (float v : row) {
                    squares += (double) v * v;
                }
                double[] n = new double[WIDTH];
                for (int i = 0; i < WIDTH; i++) {
                    n[i] = norm[i] * row[i] / Math.sqrt(squares / WIDTH + 1e-6);
                }
                double[] act = new double[HIDDEN];
                for (int j = 0; j < HIDDEN; j++) {
                    double g = Math.min(dot(gate, j, n), 10);
                    act[j] = g / (1 + Math.exp(-g)) * Math.clamp(dot(up, j, n), -10, 10);
                }
                for (int i = 0; i < WIDTH; i++) {
                    hidden[t * WIDTH + i] = (float) (row[i] + dot(down, i, act));
                }
                int slot = (WINDOW + (position + t) % WINDOW) * WIDTH;
                System.arraycopy(hidden, t * WIDTH, ring, slot, WIDTH);
            }
            results.add(new Result(hidden, ring.clone()));
            position += tokens;
        }
        return results;
    }

    private static double dot(float[] matrix, int row, double[] x) {
        double sum = 0;
        for (int k = 0; k < x.length; k++) {
            sum += matrix[row * x.length + k] * x[k];
        }
        return sum;
    }

    private static float[] weight(String name, long... extents) {
        MemorySegment data = new RandomWeights(7)
                .weight(name, TensorType.of(DType.F32, extents))
                .parts()
                .getFirst()
                .data();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment copy = arena.allocate(data.byteSize(), 64).copyFrom(data);
            return copy.toArray(ValueLayout.JAVA_FLOAT);
        }
    }

    @Override
    public void close() {
        weft.close();
    }
}
