package dev.weft.bench;

import dev.weft.DType;
import dev.weft.TensorType;
import dev.weft.graph.Graph;
import dev.weft.graph.GraphBuilder;
import dev.weft.graph.Value;
import dev.weft.op.TopK;
import dev.weft.runtime.Execution;
import dev.weft.runtime.StateStore;
import dev.weft.spi.HardwareLimit;
import java.util.SplittableRandom;

/** The largest values of rows, which lie in a cache where they fit one, as scores do that have just been written. */
final class TopKPiece implements Piece {
    private static final int COPIES = 16;

    private final int k;
    private final TensorType rows;

    TopKPiece(int k, int rows, int columns) {
        this.k = k;
        this.rows = TensorType.of(DType.F32, rows, columns);
    }

    @Override
    public int copies() {
        return COPIES;
    }

    @Override
    public Work work() {
        return new Work(rows.maxDataBytes(), 0, HardwareLimit.F32_FMA);
    }

    @Override
    public boolean fromMemory() {
        return false;
    }

    @Override
    public Graph graph() {
        GraphBuilder g = Graph.builder("topk");
        Value x = g.input("x", rows);
        for (int c = 0; c < COPIES; c++) {
            g.output("columns" + c, g.nodes(new TopK(k), x).get(1));
        }
        return g.build();
    }

    @Override
    public void fill(Execution execution, StateStore states, QuickWeights values, SplittableRandom random) {
        execution.set("x", values.values(rows, rows.maxDataBytes()));
    }
}
