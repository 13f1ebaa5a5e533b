package dev.weft.bench;

import dev.weft.DType;
import dev.weft.TensorType;
import dev.weft.graph.Graph;
import dev.weft.graph.GraphBuilder;
import dev.weft.graph.Value;
import dev.weft.model.config.ModelConfig;
import dev.weft.op.Reach;
import dev.weft.op.SparseAttention;
import dev.weft.runtime.Execution;
import dev.weft.runtime.StateStore;
import dev.weft.spi.HardwareLimit;
import java.util.Arrays;
import java.util.SplittableRandom;

/** Shared-KV attention of one row of every sequence to its window and to picked entries; a ring and a cache for each copy. */
final class AttentionPiece implements Piece {
    private final ModelConfig model;
    private final Paged paged;
    private final int copies;

    AttentionPiece(ModelConfig model, Paged paged) {
        this.model = model;
        this.paged = paged;
        this.copies = Piece.copies(keyBytes(), 1);
    }

    private int picks() {
        return Math.min(model.indexTopk(), paged.entries());
    }

    private double keys() {
        return Math.min(model.slidingWindow(), paged.position() + 1) + picks();
    }

    private double keyBytes() {
        return paged.rows() * keys() * DType.BF16.bytes(model.headDim());
    }

    @Override
    public int copies() {
        return copies;
    }

    /** Keys, queries and results, each once. */
    @Override
    public Work work() {
        double queries = (double) paged.rows() * model.numAttentionHeads() * model.headDim();
        return new Work(keyBytes() + 2 * DType.BF16.bytes((long) queries), 4 * queries * keys(), HardwareLimit.BF16_DOT);
    }

    private TensorType queries() {
        return TensorType.of(DType.BF16, paged.rows(), model.numAttentionHeads(), model.headDim());
    }

    private TensorType latents() {
        return TensorType.of(DType.BF16, paged.rows(), model.headDim());
    }

    private TensorType ring() {
        return TensorType.of(DType.BF16, paged.rows(), model.slidingWindow(), model.headDim());
    }

    @Override
    public Graph graph() {
        GraphBuilder g = Graph.builder("attention");
        Value q = g.input("q", queries());
        Value kv = g.input("kv", latents());
        Value sink = g.input("sink", TensorType.of(DType.F32, model.numAttentionHeads()));
        Value positions = paged.positions(g);
        Value starts = paged.starts(g);
        Value slots = paged.slots(g);
        Value pages = paged.pages(g);
        Value picks = g.input("picks", TensorType.of(DType.I32, paged.rows(), model.indexTopk()));
        float scale = (float) (1 / Math.sqrt(model.headDim()));
        SparseAttention op = new SparseAttention(model.slidingWindow(), Paged.RATIO, Reach.PICKED, scale);
        for (int c = 0; c < copies; c++) {
            Value ring = g.state("ring" + c, ring());
            Value cache = g.state("cache" + c, paged.cache(model.headDim()));
            g.output("y" + c, g.node(op, q, kv, ring, sink, positions, starts, slots, cache, pages, picks));
        }
        return g.build();
    }

    @Override
    public void fill(Execution execution, StateStore states, QuickWeights values, SplittableRandom random) {
        paged.fill(execution, true);
        execution.set("q", values.values(queries(), queries().maxDataBytes()));
        execution.set("kv", values.values(latents(), latents().maxDataBytes()));
        execution.set("sink", new float[model.numAttentionHeads()]);
        execution.set("picks", chosen(random));
        for (int c = 0; c < copies; c++) {
            FilledStates.rows(states, "ring" + c, ring(), values);
            FilledStates.rows(states, "cache" + c, paged.cache(model.headDim()), values);
        }
    }

    /** Ascending entries of every row, then -1. */
    private int[] chosen(SplittableRandom random) {
        int[] all = new int[paged.rows() * model.indexTopk()];
        Arrays.fill(all, -1);
        for (int row = 0; row < paged.rows(); row++) {
            int[] one = random.ints(0, Math.max(1, paged.entries()))
                    .distinct()
                    .limit(picks())
                    .sorted()
                    .toArray();
            System.arraycopy(one, 0, all, row * model.indexTopk(), one.length);
        }
        return all;
    }
}
