package dev.weft.backend.cuda;

import dev.weft.DType;
import dev.weft.Dim;
import dev.weft.Shape;
import dev.weft.TensorType;
import dev.weft.graph.Graph;
import dev.weft.graph.GraphBuilder;
import dev.weft.graph.Value;
import dev.weft.op.Mul;
import dev.weft.op.Scale;
import dev.weft.runtime.CompiledGraph;
import dev.weft.runtime.Device;
import dev.weft.runtime.DeviceWeights;
import dev.weft.runtime.Execution;
import dev.weft.runtime.RandomWeights;
import dev.weft.runtime.StateStore;
import java.util.ArrayList;
import java.util.List;

/** A small graph of elementwise operators, whose results are the same bits wherever it runs: (x + x * x) / 4. */
final class Network {
    static final int WIDTH = 24;
    static final int MOST_TOKENS = 12;

    private Network() {}

    static Graph graph() {
        GraphBuilder g = Graph.builder("elementwise");
        Dim tokens = Dim.named("tokens", 1, MOST_TOKENS);
        Value x = g.input("x", TensorType.of(DType.F32, Shape.of(tokens, Dim.fixed(WIDTH))));
        Value squared = g.node(new Mul(), x, x);
        Value sum = g.add(x, squared);
        return g.output("y", g.node(new Scale(0.25f), sum)).build();
    }

    static float[] input(int tokens, int step) {
        float[] x = new float[tokens * WIDTH];
        for (int i = 0; i < x.length; i++) {
            x[i] = (float) Math.sin(1 + i + 31 * step);
        }
        return x;
    }

    static float[] expected(float[] x) {
        float[] y = new float[x.length];
        for (int i = 0; i < x.length; i++) {
            y[i] = (x[i] + x[i] * x[i]) * 0.25f;
        }
        return y;
    }

    /** Compiles, runs one step for each number of tokens, closes everything. Returns the outputs. */
    static List<float[]> run(Device device, int... tokensPerStep) {
        CompiledGraph compiled = device.compile(graph());
        List<float[]> outputs = new ArrayList<>();
        try (DeviceWeights weights = compiled.loadWeights(new RandomWeights(1));
                StateStore states = compiled.newStates();
                Execution execution = compiled.newExecution(weights, states)) {
            for (int step = 0; step < tokensPerStep.length; step++) {
                outputs.add(step(execution, tokensPerStep[step], step));
            }
        }
        return outputs;
    }

    static float[] step(Execution execution, int tokens, int step) {
        execution.bind("tokens", tokens).set("x", input(tokens, step)).run();
        return execution.floats("y");
    }
}
