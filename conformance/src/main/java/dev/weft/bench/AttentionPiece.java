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
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/**
 * Shared-KV attention of the rows of every sequence to their windows and to entries, picked ones or all; queries, a ring and a cache
 * for each copy.
 */
final class AttentionPiece implements Piece {
    private final ModelConfig model;
    private final Paged paged;
    private final Reach reach;
    private final int copies;

    /** @param reach to picked entries or to all */
    AttentionPiece(ModelConfig model, Paged paged, Reach reach) {
        this.model = model;
        this.paged = paged;
        this.reach = reach;
        this.copies = paged.tokens() > 1 ? 1 : Piece.copies(work().bytes(), 1); // a prompt takes long by itself
    }

    /** Entries that a row attends to. @param token row of its sequence */
    private int read(int token) {
        return reach == Reach.ALL ? paged.entries(token) : Math.min(model.indexTopk(), paged.entries(token));
    }

    /** Keys of all rows of a sequence, one after another. */
    private double keys() {
        return IntStream.range(0, paged.tokens())
                .mapToDouble(t -> Math.min(model.slidingWindow(), paged.position() + t + 1.0) + read(t))
                .sum();
    }

    /** Different keys of a sequence: what was before its rows, those, and entries, of which several rows pick all. */
    private double distinctKeys() {
        double before = Math.min(model.slidingWindow() - 1.0, paged.position());
        return before + paged.tokens() + (paged.tokens() == 1 ? read(0) : paged.entries());
    }

    @Override
    public int copies() {
        return copies;
    }

    /** Different keys, queries and results, each once. */
    @Override
    public Work work() {
        double keyBytes = paged.sequences() * distinctKeys() * DType.BF16.bytes(model.headDim());
        double dots = paged.sequences() * keys() * model.numAttentionHeads();
        return new Work(keyBytes + 2.0 * queries().maxDataBytes(), 4 * dots * model.headDim(), HardwareLimit.BF16_DOT);
    }

    private TensorType queries() {
        return TensorType.of(DType.BF16, paged.rows(), model.numAttentionHeads(), model.headDim());
    }

    private TensorType latents() {
        return TensorType.of(DType.BF16, paged.rows(), model.headDim());
    }

    private TensorType ring() {
        return TensorType.of(DType.BF16, paged.sequences(), model.slidingWindow(), model.headDim());
    }

    @Override
    public Graph graph() {
        GraphBuilder g = Graph.builder("attention");
        Value kv = g.input("kv", latents());
        Value sink = g.input("sink", TensorType.of(DType.F32, model.numAttentionHeads()));
        Value positions = paged.positions(g);
        Value starts = paged.starts(g);
        Value slots = paged.slots(g);
        Value pages = paged.pages(g);
        List<Value> picks = reach == Reach.ALL
                ? List.of()
                : List.of(g.input("picks", TensorType.of(DType.I32, paged.rows(), model.indexTopk())));
        float scale = (float) (1 / Math.sqrt(model.headDim()));
        SparseAttention op = new SparseAttention(model.slidingWindow(), paged.ratio(), reach, scale);
        for (int c = 0; c < copies; c++) {
            Value q = g.input("q" + c, queries());
            Value ring = g.state("ring" + c, ring());
            Value cache = g.state("cache" + c, paged.cache(model.headDim()));
            List<Value> operands = new ArrayList<>(List.of(q, kv, ring, sink, positions, starts, slots, cache, pages));
            operands.addAll(picks);
            g.output("y" + c, g.node(op, operands.toArray(Value[]::new)));
        }
        return g.build();
    }

    @Override
    public void fill(Execution execution, StateStore states, QuickWeights values, SplittableRandom random) {
        paged.fill(execution, true);
        execution.set("kv", values.values(latents(), latents().maxDataBytes()));
        execution.set("sink", new float[model.numAttentionHeads()]);
        if (reach == Reach.PICKED) {
            execution.set("picks", chosen(random));
        }
        for (int c = 0; c < copies; c++) {
            execution.set("q" + c, values.values(queries(), queries().maxDataBytes()));
            FilledStates.rows(states, "ring" + c, ring(), values);
            FilledStates.rows(states, "cache" + c, paged.cache(model.headDim()), values);
        }
    }

    /** Ascending entries of every row, then -1. */
    private int[] chosen(SplittableRandom random) {
        int[] all = new int[paged.rows() * model.indexTopk()];
        Arrays.fill(all, -1);
        for (int row = 0; row < paged.rows(); row++) {
            int token = row % paged.tokens();
            int[] one = random.ints(0, Math.max(1, paged.entries(token)))
                    .distinct()
                    .limit(read(token))
                    .sorted()
                    .toArray();
            System.arraycopy(one, 0, all, row * model.indexTopk(), one.length);
        }
        return all;
    }
}
