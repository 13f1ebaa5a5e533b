package dev.weft.benchmarks;

import dev.weft.DType;
import dev.weft.TensorType;
import dev.weft.graph.Graph;
import dev.weft.graph.GraphBuilder;
import dev.weft.graph.Value;
import dev.weft.op.Add;
import dev.weft.op.Scale;
import dev.weft.runtime.CompiledGraph;
import dev.weft.runtime.Execution;
import dev.weft.runtime.RandomWeights;
import dev.weft.runtime.Weft;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/**
 * What a replayed step costs the host: six small inputs, as the model has, a graph of as many kernels as a decode step, and
 * the wait for its end. On a driver that does nothing (src/main/c/idle_cuda.c) the time is Java's share.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
public class ReplayBenchmark {
    private static final int INPUTS = 6;
    private static final int KERNELS = 690;

    /** The device. */
    @Param("cuda:0")
    public String device = "";

    private @Nullable Weft weft;
    private @Nullable Execution execution;

    /** Compiles the graph. */
    @Setup
    public void open() {
        weft = Weft.open();
        GraphBuilder g = Graph.builder("replay");
        TensorType four = TensorType.of(DType.F32, 1, 4);
        Value x = g.input(name(0), four);
        for (int i = 1; i < INPUTS; i++) {
            x = g.node(new Add(), x, g.input(name(i), four));
        }
        for (int i = INPUTS; i <= KERNELS; i++) {
            x = g.node(new Scale(-1), x);
        }
        CompiledGraph compiled = weft.device(device).compile(g.output("y", x).build());
        execution = compiled.newExecution(compiled.loadWeights(new RandomWeights(1)), compiled.newStates());
    }

    private static String name(int input) {
        return "x" + input;
    }

    /** One step. */
    @Benchmark
    public void step() {
        if (execution == null) {
            throw new IllegalStateException("benchmark: run before open");
        }
        for (int i = 0; i < INPUTS; i++) {
            execution.set(name(i), 1, 2, 3, 4f);
        }
        execution.run();
    }

    /** Lets go of the device and all that was made on it. */
    @TearDown
    public void close() {
        if (weft != null) {
            weft.close();
        }
    }
}
