package dev.weft.bench;

import dev.weft.DType;
import dev.weft.Scaling;
import dev.weft.Shape;
import dev.weft.TensorType;
import dev.weft.graph.Graph;
import dev.weft.graph.GraphBuilder;
import dev.weft.graph.Value;
import dev.weft.model.config.ModelConfig;
import dev.weft.op.ExpertGemm;
import dev.weft.op.Quantize;
import dev.weft.op.SwiGlu;
import dev.weft.runtime.Execution;
import dev.weft.runtime.StateStore;
import dev.weft.spi.HardwareLimit;
import java.util.Arrays;
import java.util.SplittableRandom;

/**
 * The routed experts of a layer on rows that are sorted by expert: w1 and w3, activation and quantiser, w2. Tokens choose
 * experts by chance; every copy has choices of its own, and all share the weights, which are more than a cache holds. A copy
 * takes the quantised results of the one before, so that products of different copies are not launched together.
 */
final class ExpertsPiece implements Piece {
    private final ModelConfig model;
    private final boolean fp4;
    private final int tokens;
    private final int experts;
    private final int top;
    private final long width;
    private final long inner;
    private final int copies;
    private final int[][] offsets;
    private final double touched;

    /** @param fp4 whether weights are FP4, else FP8 */
    ExpertsPiece(ModelConfig model, boolean fp4, int tokens, SplittableRandom random) {
        this.model = model;
        this.fp4 = fp4;
        this.tokens = tokens;
        this.experts = model.nRoutedExperts();
        this.top = model.numExpertsPerTok();
        this.width = model.hiddenSize();
        this.inner = model.moeIntermediateSize();
        this.copies = Piece.copies(Span.expectedExperts(experts, top, tokens) * expertBytes(), 1);
        this.offsets = new int[copies][experts + 1];
        long hit = 0;
        for (int[] copy : offsets) {
            hit += choose(copy, random);
        }
        this.touched = (double) hit / copies;
    }

    /** Lets the tokens choose. Returns the number of different experts. */
    private long choose(int[] into, SplittableRandom random) {
        int[] counts = new int[experts];
        for (int token = 0; token < tokens; token++) {
            random.ints(0, experts).distinct().limit(top).forEach(e -> counts[e]++);
        }
        for (int e = 0; e < experts; e++) {
            into[e + 1] = into[e] + counts[e];
        }
        return Arrays.stream(counts).filter(n -> n > 0).count();
    }

    private TensorType matrices(long out, long in) {
        Shape shape = Shape.of(experts, out, in);
        return fp4
                ? new TensorType(DType.F4_E2M1, shape, Scaling.MXFP4)
                : new TensorType(DType.F8_E4M3, shape, Scaling.FP8_BLOCK_128);
    }

    private double expertBytes() {
        return (2 * bytes(matrices(inner, width)) + bytes(matrices(width, inner))) / experts;
    }

    private static double bytes(TensorType t) {
        return (double) t.maxDataBytes() + t.maxScaleBytes();
    }

    @Override
    public int copies() {
        return copies;
    }

    /** Experts that were chosen, mean of the copies. */
    @Override
    public Work work() {
        return new Work(touched * expertBytes(), 6.0 * rows() * width * inner, HardwareLimit.BF16_DOT);
    }

    private long rows() {
        return (long) tokens * top;
    }

    @Override
    public Graph graph() {
        GraphBuilder g = Graph.builder("experts");
        Value x = g.weight(
                "x",
                new TensorType(DType.F8_E4M3, Shape.of(rows(), width), Scaling.FP8_GROUP_128)); // codes are no input
        Value weights = g.input("weights", TensorType.of(DType.F32, rows()));
        Value w1 = g.weight("ffn.experts.w1.weight", matrices(inner, width));
        Value w3 = g.weight("ffn.experts.w3.weight", matrices(inner, width));
        Value w2 = g.weight("ffn.experts.w2.weight", matrices(width, inner));
        ExpertGemm product = new ExpertGemm(DType.BF16);
        for (int c = 0; ; c++) {
            Value offsets = g.input(offsets(c), TensorType.of(DType.I32, experts + 1L));
            Value gate = g.node(product, x, w1, offsets);
            Value up = g.node(product, x, w3, offsets);
            Value t = g.node(new SwiGlu(model.swigluLimit(), true), gate, up, weights);
            Value y = g.node(product, quantised(g, t), w2, offsets);
            if (c == copies - 1) {
                return g.output("y", y).build();
            }
            x = quantised(g, y);
        }
    }

    private static Value quantised(GraphBuilder g, Value x) {
        return g.node(new Quantize(DType.F8_E4M3, Scaling.FP8_GROUP_128), x);
    }

    private static String offsets(int copy) {
        return "offsets" + copy;
    }

    @Override
    public void fill(Execution execution, StateStore states, QuickWeights values, SplittableRandom random) {
        float[] ones = new float[Math.toIntExact(rows())];
        Arrays.fill(ones, 1);
        execution.set("weights", ones);
        for (int c = 0; c < copies; c++) {
            execution.set(offsets(c), offsets[c]);
        }
    }
}
