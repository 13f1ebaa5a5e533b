package dev.weft.bench;

import dev.weft.DType;
import dev.weft.TensorType;
import dev.weft.graph.Node;
import dev.weft.graph.Value;
import dev.weft.op.Compress;
import dev.weft.op.Gather;
import dev.weft.op.LightningIndex;
import dev.weft.op.Reach;
import dev.weft.op.SparseAttention;
import dev.weft.spi.HardwareLimit;
import java.util.List;

/**
 * What a node of a graph has to do in a given step. Where the operator's own cost model takes the longest list of keys or
 * the most experts, this takes those of the step.
 *
 * @param flops multiplications and additions
 * @param weightBytes bytes of the weights that the step touches
 * @param stateBytes bytes of states that are read, each once, and written
 * @param otherBytes bytes of the other operands and results
 * @param unit what computes it at best
 */
record NodeCost(double flops, double weightBytes, double stateBytes, double otherBytes, HardwareLimit unit) {
    static NodeCost of(Node node, Span span) {
        List<TensorType> in =
                node.inputs().stream().map(v -> bound(v.type(), span)).toList();
        double weights = 0;
        double others = 0;
        for (int i = 0; i < in.size(); i++) {
            Value v = node.inputs().get(i);
            if (v.kind() == Value.Kind.WEIGHT) {
                weights += bytes(in.get(i)) * touched(node, v, span);
            } else if (!v.isState()) {
                others += bytes(in.get(i));
            }
        }
        for (Value v : node.outputs()) {
            others += v.isState() ? 0 : bytes(bound(v.type(), span));
        }
        return new NodeCost(flops(node, in, span), weights, stateBytes(node, span), others, unit(node));
    }

    /** All that is moved if nothing is in a cache. */
    double bytes() {
        return weightBytes + stateBytes + otherBytes;
    }

    /** Without values between nodes, which may stay in a cache. */
    Work lasting() {
        return new Work(weightBytes + stateBytes, flops, unit);
    }

    Work work() {
        return new Work(bytes(), flops, unit);
    }

    private static TensorType bound(TensorType type, Span span) {
        return type.bind(span.extents()::get);
    }

    private static double bytes(TensorType t) {
        return (double) t.maxDataBytes() + t.maxScaleBytes();
    }

    /** Share of a weight that the step reads. */
    private static double touched(Node node, Value weight, Span span) {
        long first = weight.type().shape().dim(0).maximum();
        if (node.op() instanceof Gather) {
            return Math.min(1, (double) span.sequences() * span.tokens() / first);
        }
        return weight.name().contains(".experts.") ? Math.min(1, span.experts() / first) : 1;
    }

    private static double flops(Node node, List<TensorType> in, Span span) {
        double all = node.op().flops(in);
        return switch (node.op()) {
            case SparseAttention a -> all / (a.keys(in) * span.tokens()) * span.sum(p -> keys(a, node, p));
            case LightningIndex x -> {
                double capacity = (double) in.get(5).shape().dim(1).maximum()
                        * in.get(2).shape().dim(1).maximum();
                yield all / (capacity * span.tokens()) * span.sum(p -> scored(x, p));
            }
            default -> all;
        };
    }

    /** Keys that the row at a position attends to. */
    private static double keys(SparseAttention a, Node node, int position) {
        return Math.min(a.window(), position + 1) + compressed(a, node, position);
    }

    private static long compressed(SparseAttention a, Node node, int position) {
        long visible = (position + 1) / a.ratio();
        return switch (a.reach()) {
            case WINDOW -> 0;
            case ALL -> visible;
            case PICKED -> Math.min(visible, picks(node));
        };
    }

    private static long picks(Node attention) {
        return attention.inputs().get(9).type().shape().dim(1).maximum();
    }

    /** Entries that the indexer scores: none as long as all are picked anyway. */
    private static double scored(LightningIndex x, int position) {
        long visible = (position + 1) / x.ratio();
        return visible <= x.topK() ? 0 : visible;
    }

    private static double stateBytes(Node node, Span span) {
        double perSequence = switch (node.op()) {
            case SparseAttention a ->
                attended(a, node, span) * rowBytes(node.inputs().get(1));
            case LightningIndex x ->
                span.entries(x.ratio()) <= x.topK()
                        ? 0
                        : span.entries(x.ratio()) * rowBytes(node.inputs().get(2));
            case Compress c ->
                (span.entries(c.ratio()) - span.position() / c.ratio())
                        * rowBytes(node.inputs().get(6));
            // a ring is written; what is written was computed by the step
            default ->
                node.outputs().stream().anyMatch(Value::isState)
                        ? span.tokens() * rowBytes(node.inputs().getFirst())
                        : 0;
        };
        return perSequence * span.sequences();
    }

    /** Rows of states that attention reads at least once: those of the window before the step, and entries. */
    private static double attended(SparseAttention a, Node node, Span span) {
        double window = Math.min(a.window() - 1, span.position());
        if (a.reach() == Reach.WINDOW) {
            return window;
        }
        double distinct = Math.min(span.entries(a.ratio()), span.sum(p -> compressed(a, node, p)));
        return window + distinct;
    }

    private static double rowBytes(Value v) {
        return v.type().dtype().bytes(v.type().shape().last().maximum());
    }

    /** F32 weight matrices need F32 arithmetic; everything else is exact in the BF16 unit. */
    static HardwareLimit unit(Node node) {
        boolean wide = node.inputs().stream()
                .anyMatch(v -> v.kind() == Value.Kind.WEIGHT
                        && v.type().shape().rank() > 1
                        && v.type().dtype() == DType.F32);
        return wide ? HardwareLimit.F32_FMA : HardwareLimit.BF16_DOT;
    }
}
