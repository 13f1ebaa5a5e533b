package dev.weft.benchmarks.own;

import dev.weft.benchmarks.Contender;
import dev.weft.benchmarks.work.AttentionWork;
import dev.weft.benchmarks.work.ExpertWork;
import dev.weft.benchmarks.work.GemmWork;
import dev.weft.benchmarks.work.Work;
import dev.weft.graph.Graph;
import dev.weft.runtime.CompiledGraph;
import dev.weft.runtime.Device;
import dev.weft.runtime.DeviceWeights;
import dev.weft.runtime.Execution;
import dev.weft.runtime.StateStore;
import dev.weft.spi.WeightSource;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** A work as a graph, run through the public interface. Subclasses build the graph and say where results are. */
public abstract class GraphContender implements Contender {
    /** BF16 results are rounded to 8 bits, and sums to more: well below this, and far from a wrong number. */
    private static final double TOLERANCE = 4e-3;

    private final CompiledGraph compiled;
    private final DeviceWeights weights;
    private final StateStore states;

    /** The way the graph is run. */
    protected final Execution execution;

    /** Compiles the graph and loads its weights. */
    protected GraphContender(Device device, Graph graph, WeightSource source) {
        this.compiled = device.compile(graph);
        this.weights = compiled.loadWeights(source);
        this.states = compiled.newStates();
        this.execution = compiled.newExecution(weights, states);
    }

    /** This library's contender for a work. */
    public static GraphContender of(Device device, Work work) {
        return switch (work) {
            case GemmWork gemm -> new OwnGemm(device, gemm);
            case ExpertWork experts -> new OwnExperts(device, experts);
            case AttentionWork attention -> new OwnAttention(device, attention);
        };
    }

    @Override
    public String name() {
        return "weft";
    }

    @Override
    public String detail() {
        return compiled.device().info().description();
    }

    @Override
    public void run() {
        execution.run();
    }

    @Override
    public double tolerance() {
        return TOLERANCE;
    }

    /** States, to be filled before the first run. */
    protected StateStore states() {
        return states;
    }

    /** BF16 bits of floats that are BF16 numbers. */
    static MemorySegment bf16(float[] values) {
        MemorySegment out = MemorySegment.ofArray(new short[values.length]);
        for (int i = 0; i < values.length; i++) {
            out.setAtIndex(ValueLayout.JAVA_SHORT, i, (short) (Float.floatToRawIntBits(values[i]) >>> 16));
        }
        return out;
    }

    @Override
    public void close() {
        execution.close();
        states.close();
        weights.close();
    }
}
