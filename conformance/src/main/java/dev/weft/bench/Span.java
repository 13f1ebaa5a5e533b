package dev.weft.bench;

import dev.weft.graph.Graph;
import dev.weft.graph.Node;
import dev.weft.op.MoeSend;
import dev.weft.op.RowCounts;
import java.util.HashMap;
import java.util.Map;
import java.util.function.IntToDoubleFunction;

/**
 * The rows of a step: the same number of each of one or more sequences that are equally long.
 *
 * @param sequences how many sequences
 * @param position tokens of each before the step
 * @param tokens tokens of each in the step
 * @param experts different experts that the rows are sent to, per layer
 * @param extents of the graph's named dimensions
 */
record Span(int sequences, int position, int tokens, double experts, Map<String, Long> extents) {
    /** Experts that rows hit on average if each chooses {@code k} of {@code all} by chance. */
    static double expectedExperts(int all, int k, int rows) {
        return all * (1 - Math.pow(1 - (double) k / all, rows));
    }

    /**
     * The extents of a graph that may be spread over ranks: with those that come to light when ranks meet, on a rank that
     * receives as many rows as all ranks do on average.
     *
     * @param fed extents of this rank's own rows
     * @param working how many ranks have such rows
     */
    static Map<String, Long> ofRanks(Graph graph, Map<String, Long> fed, int working) {
        Map<String, Long> extents = new HashMap<>(fed);
        for (Node node : graph.nodes()) {
            switch (node.op()) {
                case MoeSend s -> extents.put(s.received().name(), working * rows(node, extents) / s.ranks());
                case RowCounts c -> extents.put(c.total().name(), working * rows(node, extents));
                default -> {}
            }
        }
        return extents;
    }

    private static long rows(Node node, Map<String, Long> extents) {
        return node.inputs().getFirst().type().bind(extents::get).shape().dim(0).maximum();
    }

    /** Compressed entries that the last row of a sequence sees. */
    long entries(int ratio) {
        return (position + tokens) / ratio;
    }

    /** Sum over the rows of a sequence of a count that depends on the row's position. */
    double sum(IntToDoubleFunction count) {
        double sum = 0;
        for (int p = position; p < position + tokens; p++) {
            sum += count.applyAsDouble(p);
        }
        return sum;
    }
}
