package dev.weft.bench;

import dev.weft.DType;
import dev.weft.Scaling;
import dev.weft.Shape;
import dev.weft.TensorType;
import dev.weft.graph.Graph;
import dev.weft.graph.GraphBuilder;
import dev.weft.graph.Value;
import dev.weft.model.config.ModelConfig;
import dev.weft.op.Gemm;
import dev.weft.op.GroupedGemm;
import dev.weft.op.Quantize;
import dev.weft.runtime.Execution;
import dev.weft.runtime.StateStore;
import dev.weft.spi.HardwareLimit;
import java.util.SplittableRandom;

/**
 * One linear layer of a layer, weights of its own for each copy. Matrices that a model multiplies with the same rows in one launch
 * are one here; every copy is a launch.
 */
final class LinearPiece implements Piece {
    private final int rows;
    private final int groups;
    private final TensorType matrix;
    private final DType out;
    private final boolean quantised;
    private final int copies;

    /**
     * @param groups of columns with a matrix each, 0 for one matrix
     * @param matrix {@code [out, in]}, with groups {@code [groups, out, in]}
     * @param quantised whether the rows are codes of FP8, else BF16
     */
    private LinearPiece(int rows, int groups, TensorType matrix, DType out, boolean quantised) {
        this.rows = rows;
        this.groups = groups;
        this.matrix = matrix;
        this.out = out;
        this.quantised = quantised;
        this.copies = Piece.copies(weightBytes(), 1);
    }

    static LinearPiece of(PieceBench.Kind kind, ModelConfig c, int rows) {
        long width = c.hiddenSize();
        long heads = (long) c.numAttentionHeads() * c.headDim();
        long shared = (long) c.moeIntermediateSize() * c.nSharedExperts();
        return switch (kind) {
            case WQ_A_WKV -> quantised(rows, c.qLoraRank() + c.headDim(), width);
            case WQ_B -> quantised(rows, heads, c.qLoraRank());
            case WO_A -> grouped(rows, c.oGroups(), c.oLoraRank(), heads / c.oGroups());
            case WO_B -> quantised(rows, width, (long) c.oGroups() * c.oLoraRank());
            case SHARED_W1_W3 -> quantised(rows, 2 * shared, width);
            case SHARED_W2 -> quantised(rows, width, shared);
            case INDEX_WQ_B -> quantised(rows, (long) c.indexNHeads() * c.indexHeadDim(), c.qLoraRank());
            case GATE -> plain(rows, c.nRoutedExperts(), width);
            // keys and weights of entries; overlapping ones have two sets of both
            case COMPRESSOR_4 -> plain(rows, 4L * c.headDim(), width);
            case COMPRESSOR_128 -> plain(rows, 2L * c.headDim(), width);
            case INDEX_COMPRESSOR -> plain(rows, 4L * c.indexHeadDim(), width);
            default -> throw new IllegalArgumentException(kind.key() + " is no linear layer");
        };
    }

    private static LinearPiece quantised(int rows, long out, long in) {
        return new LinearPiece(rows, 0, fp8(Shape.of(out, in)), DType.BF16, true);
    }

    /** Rows of the output projection are not quantised. */
    private static LinearPiece grouped(int rows, int groups, long out, long in) {
        return new LinearPiece(rows, groups, fp8(Shape.of(groups, out, in)), DType.BF16, false);
    }

    private static LinearPiece plain(int rows, long out, long in) {
        return new LinearPiece(rows, 0, TensorType.of(DType.BF16, out, in), DType.F32, false);
    }

    private static TensorType fp8(Shape shape) {
        return new TensorType(DType.F8_E4M3, shape, Scaling.FP8_BLOCK_128);
    }

    private double weightBytes() {
        return (double) matrix.maxDataBytes() + matrix.maxScaleBytes();
    }

    @Override
    public int copies() {
        return copies;
    }

    @Override
    public boolean isFused() {
        return false;
    }

    /** Weights once; rows and results stay in a cache. */
    @Override
    public Work work() {
        return new Work(weightBytes(), 2.0 * rows * matrix.maxElements(), HardwareLimit.BF16_DOT);
    }

    private TensorType x() {
        long in = matrix.shape().last().maximum();
        return groups == 0 ? TensorType.of(DType.BF16, rows, in) : TensorType.of(DType.BF16, rows, groups, in);
    }

    @Override
    public Graph graph() {
        GraphBuilder g = Graph.builder("linear");
        Value x = g.input("x", x());
        if (quantised) {
            x = g.node(new Quantize(DType.F8_E4M3, Scaling.FP8_GROUP_128), x);
        }
        Value y = x;
        for (int c = 0; c < copies; c++) {
            y = g.node(groups == 0 ? new Gemm(out) : new GroupedGemm(out), x, g.weight("w" + c, matrix));
        }
        return g.output("y", y).build();
    }

    @Override
    public void fill(Execution execution, StateStore states, QuickWeights values, SplittableRandom random) {
        execution.set("x", values.values(x(), x().maxDataBytes()));
    }
}
