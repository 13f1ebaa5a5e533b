package dev.weft.bench;

import dev.weft.DType;
import dev.weft.TensorType;
import dev.weft.graph.Graph;
import dev.weft.graph.GraphBuilder;
import dev.weft.graph.Value;
import dev.weft.model.config.ModelConfig;
import dev.weft.op.LightningIndex;
import dev.weft.runtime.Execution;
import dev.weft.runtime.StateStore;
import dev.weft.spi.HardwareLimit;
import java.util.SplittableRandom;

/** The lightning indexer of one row of every sequence: scores of all entries, then the best; keys of its own for each copy. */
final class IndexPiece implements Piece {
    private final ModelConfig model;
    private final Paged paged;
    private final int copies;

    IndexPiece(ModelConfig model, Paged paged) {
        this.model = model;
        this.paged = paged;
        this.copies = Piece.copies(keyBytes(), 1);
    }

    private double keyBytes() {
        return (double) paged.rows() * paged.entries() * DType.BF16.bytes(model.indexHeadDim());
    }

    @Override
    public int copies() {
        return copies;
    }

    /** Keys once; every score is a dot product of each head. */
    @Override
    public Work work() {
        double dots = (double) paged.rows() * paged.entries() * model.indexNHeads();
        return new Work(keyBytes(), 2 * dots * model.indexHeadDim(), HardwareLimit.BF16_DOT);
    }

    private TensorType queries() {
        return TensorType.of(DType.BF16, paged.rows(), model.indexNHeads(), model.indexHeadDim());
    }

    private TensorType headWeights() {
        return TensorType.of(DType.BF16, paged.rows(), model.indexNHeads());
    }

    @Override
    public Graph graph() {
        GraphBuilder g = Graph.builder("index");
        Value q = g.input("q", queries());
        Value w = g.input("w", headWeights());
        Value positions = paged.positions(g);
        Value starts = paged.starts(g);
        Value pages = paged.pages(g);
        LightningIndex op = new LightningIndex(model.indexTopk(), paged.ratio());
        for (int c = 0; c < copies; c++) {
            Value keys = g.state("keys" + c, paged.cache(model.indexHeadDim()));
            g.output("picks" + c, g.node(op, q, w, keys, positions, starts, pages));
        }
        return g.build();
    }

    @Override
    public void fill(Execution execution, StateStore states, QuickWeights values, SplittableRandom random) {
        paged.fill(execution, false);
        execution.set("q", values.values(queries(), queries().maxDataBytes()));
        execution.set("w", values.values(headWeights(), headWeights().maxDataBytes()));
        for (int c = 0; c < copies; c++) {
            FilledStates.rows(states, "keys" + c, paged.cache(model.indexHeadDim()), values);
        }
    }
}
