package dev.weft.conformance;

import dev.weft.DType;
import dev.weft.TensorType;
import dev.weft.graph.Graph;
import dev.weft.graph.Value;
import dev.weft.runtime.CompileOptions;
import dev.weft.runtime.CompiledGraph;
import dev.weft.runtime.Device;
import dev.weft.runtime.DeviceWeights;
import dev.weft.runtime.Execution;
import dev.weft.runtime.RandomWeights;
import dev.weft.runtime.StateStore;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * Holds what a device computes by kernels over several nodes ({@link dev.weft.spi.Fusing}) against what it computes node by
 * node: every output must have the same bits. Float inputs are random, integers are the caller's.
 */
public final class FusedComparison {
    private final Device device;
    private final Graph graph;
    private final Map<String, int[]> integers = new LinkedHashMap<>();
    private boolean hasNan;

    /** Compares on {@code device}. */
    public FusedComparison(Device device, Graph graph) {
        this.device = device;
        this.graph = graph;
    }

    /** Gives an I32 input for the following runs. */
    public FusedComparison set(String input, int... values) {
        integers.put(input, values);
        return this;
    }

    /** Plants a NaN in the last element of every float input. */
    public FusedComparison withNan() {
        hasNan = true;
        return this;
    }

    /**
     * Runs twice, so that states are read after they were written.
     *
     * @param dims an extent for every named dimension
     * @return kernels of the graph when nodes are computed together
     * @throws AssertionError naming an output that differs
     */
    public long run(Map<String, Long> dims) {
        CompileOptions options = CompileOptions.DEFAULT.withPoison();
        CompiledGraph together = device.compile(graph, options);
        List<byte[]> fused = run(together, dims);
        List<byte[]> alone = run(device.compile(graph, options.withoutFusion()), dims);
        List<String> names = List.copyOf(graph.outputs().keySet());
        for (int i = 0; i < alone.size(); i++) {
            int at = Arrays.mismatch(fused.get(i), alone.get(i));
            if (at >= 0) {
                throw new AssertionError(graph.name() + " on " + device.id() + " at " + dims + ": output "
                        + names.get(i / 2) + (i % 2 == 0 ? "" : " of the second run") + ", byte " + at
                        + " of " + alone.get(i).length + ": found " + fused.get(i)[at]
                        + " where nodes are computed together, expected " + alone.get(i)[at] + "\n"
                        + together.placement().table());
            }
        }
        return together.placement().kernels();
    }

    private List<byte[]> run(CompiledGraph compiled, Map<String, Long> dims) {
        List<byte[]> results = new ArrayList<>();
        try (Arena arena = Arena.ofConfined();
                DeviceWeights weights = compiled.loadWeights(new RandomWeights(1));
                StateStore states = compiled.newStates();
                Execution execution = compiled.newExecution(weights, states)) {
            dims.forEach(execution::bind);
            for (Value in : graph.values(Value.Kind.INPUT)) {
                TensorType type = in.type().bind(dims::get);
                if (type.dtype() == DType.I32) {
                    execution.set(in.name(), integers.get(in.name()));
                } else {
                    execution.set(in.name(), random(in.name(), type, arena));
                }
            }
            List<List<byte[]>> runs = new ArrayList<>();
            for (int run = 0; run < 2; run++) {
                execution.run();
                runs.add(outputs(execution));
            }
            for (int i = 0; i < runs.getFirst().size(); i++) {
                results.add(runs.get(0).get(i));
                results.add(runs.get(1).get(i));
            }
        }
        return results;
    }

    private List<byte[]> outputs(Execution execution) {
        List<byte[]> outputs = new ArrayList<>();
        for (Map.Entry<String, Value> out : graph.outputs().entrySet()) {
            if (out.getValue().type().scaling().isNone()) {
                byte[] bytes = new byte[Math.toIntExact(execution.outputBytes(out.getKey()))];
                execution.read(out.getKey(), MemorySegment.ofArray(bytes));
                outputs.add(bytes);
            } else {
                float[] values = execution.floats(out.getKey()); // codes and scales
                outputs.add(MemorySegment.ofArray(values).toArray(ValueLayout.JAVA_BYTE));
            }
        }
        return outputs;
    }

    private MemorySegment random(String name, TensorType type, Arena arena) {
        SplittableRandom random = new SplittableRandom(name.hashCode());
        MemorySegment data =
                arena.allocate(Math.max(1, type.maxDataBytes()), 64).asSlice(0, type.maxDataBytes());
        long count = type.maxElements();
        for (long i = 0; i < count; i++) {
            boolean isNan = hasNan && i == count - 1;
            int code = type.dtype().encode(isNan ? Float.NaN : (float) (2 * random.nextGaussian()));
            if (type.dtype() == DType.F32) {
                data.setAtIndex(ValueLayout.JAVA_INT, i, code);
            } else {
                data.setAtIndex(ValueLayout.JAVA_SHORT, i, (short) code);
            }
        }
        return data;
    }
}
