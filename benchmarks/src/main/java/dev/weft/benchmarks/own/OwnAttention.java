package dev.weft.benchmarks.own;

import dev.weft.DType;
import dev.weft.TensorType;
import dev.weft.benchmarks.work.AttentionWork;
import dev.weft.graph.Graph;
import dev.weft.graph.GraphBuilder;
import dev.weft.graph.Value;
import dev.weft.op.Reach;
import dev.weft.op.SparseAttention;
import dev.weft.runtime.Device;
import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * One {@code SparseAttention} node per copy, as in the model: a ring of the window, a paged cache of entries, and, up to
 * {@link #PICKED} entries, picks of an index.
 */
final class OwnAttention extends GraphContender {
    /** Entries an index picks at most; above, all entries are read. */
    private static final int PICKED = 1024;

    private static final int PAGE = 64;

    /** Tokens per entry. Consecutive rows see the same entries as long as they do not finish another one. */
    private static final int RATIO = 128;

    OwnAttention(Device device, AttentionWork work) {
        super(device, graph(work), (name, type) -> {
            throw new IllegalStateException("attention has no weights: " + name);
        });
        int entries = work.keys() - AttentionWork.WINDOW;
        int first = entries * RATIO;
        execution.set("q", bf16(work.q()));
        execution.set("sink", work.sink());
        execution.set(
                "positions", IntStream.range(0, work.m()).map(i -> first + i).toArray());
        execution.set("starts", 0, work.m());
        execution.set("slots", 0);
        execution.set("pages", IntStream.range(0, pages(work)).toArray());
        if (entries <= PICKED) {
            execution.set("picks", picks(work));
        }
        for (int c = 0; c < work.copies(); c++) {
            fill(work, c, first);
        }
    }

    private void fill(AttentionWork work, int copy, int first) {
        int width = work.width();
        float[] latents = work.latents(copy);
        int window = AttentionWork.WINDOW * width;
        float[] rows = new float[work.m() * width];
        for (int i = 0; i < work.m(); i++) {
            System.arraycopy(latents, (first + i) % AttentionWork.WINDOW * width, rows, i * width, width);
        }
        execution.set("kv" + copy, bf16(rows));
        states().write("ring" + copy, 0, bf16(Arrays.copyOf(latents, window)));
        states().write("cache" + copy, 0, bf16(Arrays.copyOfRange(latents, window, latents.length)));
    }

    private static int[] picks(AttentionWork work) {
        int[] one = work.picks();
        int[] all = new int[work.m() * one.length];
        for (int i = 0; i < work.m(); i++) {
            System.arraycopy(one, 0, all, i * one.length, one.length);
        }
        return all;
    }

    private static int pages(AttentionWork work) {
        return Math.ceilDiv(work.keys() - AttentionWork.WINDOW, PAGE);
    }

    private static Graph graph(AttentionWork work) {
        int entries = work.keys() - AttentionWork.WINDOW;
        boolean picked = entries <= PICKED;
        var op = new SparseAttention(AttentionWork.WINDOW, RATIO, picked ? Reach.PICKED : Reach.ALL, work.scale());
        GraphBuilder g = Graph.builder(work.name());
        Value q = g.input("q", TensorType.of(DType.BF16, work.m(), work.heads(), work.width()));
        Value sink = g.input("sink", TensorType.of(DType.F32, work.heads()));
        Value positions = g.input("positions", TensorType.of(DType.I32, work.m()));
        Value starts = g.input("starts", TensorType.of(DType.I32, 2));
        Value slots = g.input("slots", TensorType.of(DType.I32, 1));
        Value pages = g.input("pages", TensorType.of(DType.I32, 1, pages(work)));
        Value picks = picked ? g.input("picks", TensorType.of(DType.I32, work.m(), entries)) : null;
        for (int c = 0; c < work.copies(); c++) {
            Value kv = g.input("kv" + c, TensorType.of(DType.BF16, work.m(), work.width()));
            Value ring = g.state("ring" + c, TensorType.of(DType.BF16, 1, AttentionWork.WINDOW, work.width()));
            Value cache = g.state("cache" + c, TensorType.of(DType.BF16, pages(work), PAGE, work.width()));
            g.output(
                    "y" + c,
                    picks == null
                            ? g.node(op, q, kv, ring, sink, positions, starts, slots, cache, pages)
                            : g.node(op, q, kv, ring, sink, positions, starts, slots, cache, pages, picks));
        }
        return g.build();
    }

    @Override
    public float[] output(int copy) {
        return execution.floats("y" + copy);
    }
}
