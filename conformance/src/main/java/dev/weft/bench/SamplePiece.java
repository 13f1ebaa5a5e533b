package dev.weft.bench;

import dev.weft.DType;
import dev.weft.TensorType;
import dev.weft.graph.Graph;
import dev.weft.graph.GraphBuilder;
import dev.weft.graph.Value;
import dev.weft.op.Sample;
import dev.weft.runtime.Execution;
import dev.weft.runtime.StateStore;
import dev.weft.spi.HardwareLimit;
import java.util.Arrays;
import java.util.SplittableRandom;

/** Draws of a token for each row of logits, at temperature 1 of the likeliest 95 %; logits have just been written by the head. */
final class SamplePiece implements Piece {
    private static final int COPIES = 16;

    private final int m;
    private final TensorType logits;
    private final TensorType perRow;

    SamplePiece(int m, int vocabulary) {
        this.m = m;
        this.logits = TensorType.of(DType.F32, m, vocabulary);
        this.perRow = TensorType.of(DType.F32, m);
    }

    @Override
    public int copies() {
        return COPIES;
    }

    @Override
    public Work work() {
        return new Work(logits.maxDataBytes(), 0, HardwareLimit.F32_FMA);
    }

    @Override
    public boolean fromMemory() {
        return false;
    }

    @Override
    public Graph graph() {
        GraphBuilder g = Graph.builder("sample");
        Value x = g.input("logits", logits);
        Value temperature = g.input("temperature", perRow);
        Value topP = g.input("topP", perRow);
        Value uniform = g.input("uniform", perRow);
        for (int c = 0; c < COPIES; c++) {
            g.output("drawn" + c, g.node(new Sample(), x, temperature, topP, uniform));
        }
        return g.build();
    }

    @Override
    public void fill(Execution execution, StateStore states, QuickWeights values, SplittableRandom random) {
        float[] ones = new float[m];
        Arrays.fill(ones, 1);
        float[] share = new float[m];
        Arrays.fill(share, 0.95f);
        float[] uniform = new float[m];
        for (int i = 0; i < m; i++) {
            uniform[i] = (float) random.nextDouble(0.99);
        }
        execution.set("logits", values.values(logits, logits.maxDataBytes()));
        execution.set("temperature", ones).set("topP", share).set("uniform", uniform);
    }
}
