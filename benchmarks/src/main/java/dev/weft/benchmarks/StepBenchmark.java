package dev.weft.benchmarks;

import dev.weft.DType;
import dev.weft.TensorType;
import dev.weft.graph.Graph;
import dev.weft.graph.GraphBuilder;
import dev.weft.graph.Value;
import dev.weft.op.Scale;
import dev.weft.runtime.CompiledGraph;
import dev.weft.runtime.DeviceWeights;
import dev.weft.runtime.Execution;
import dev.weft.runtime.RandomWeights;
import dev.weft.runtime.StateStore;
import dev.weft.runtime.Weft;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/**
 * What a node of a step costs beside its arithmetic: a chain of nodes that scale four numbers. One operation is a node; a
 * layer of the model has some twenty. {@code -prof gc} shows the bytes allocated.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class StepBenchmark {
    /** Nodes of the chain, about as many as all layers of a model have. */
    static final int NODES = 1000;

    private @Nullable Weft weft;
    private @Nullable Execution execution;

    /** Compiles the chain. */
    @Setup
    public void open() {
        weft = Bench.weft();
        GraphBuilder g = Graph.builder("chain");
        Value x = g.input("x", TensorType.of(DType.F32, 1, 4));
        for (int i = 0; i < NODES; i++) {
            x = g.node(new Scale(-1), x);
        }
        CompiledGraph compiled = weft.best().compile(g.output("y", x).build());
        DeviceWeights weights = compiled.loadWeights(new RandomWeights(1));
        StateStore states = compiled.newStates();
        execution = compiled.newExecution(weights, states).set("x", 1f, 2f, 3f, 4f);
    }

    /** The chain once. */
    @Benchmark
    @OperationsPerInvocation(NODES)
    public void run() {
        execution().run();
    }

    /** The chain's result, which is the input. */
    float[] result() {
        return execution().floats("y");
    }

    private Execution execution() {
        if (execution == null) {
            throw new IllegalStateException("benchmark: run before open");
        }
        return execution;
    }

    /** Lets go of the device and all that was made on it. */
    @TearDown
    public void close() {
        if (weft != null) {
            weft.close();
        }
    }
}
