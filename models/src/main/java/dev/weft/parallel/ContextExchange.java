package dev.weft.parallel;

import dev.weft.DType;
import dev.weft.Dim;
import dev.weft.Shape;
import dev.weft.TensorType;
import dev.weft.graph.GraphBuilder;
import dev.weft.graph.Value;
import dev.weft.op.AllToAllV;
import dev.weft.op.Gather;
import dev.weft.op.GatherRows;
import dev.weft.op.RingWrite;
import java.util.HashMap;
import java.util.Map;

/**
 * Nodes by which ranks that compute parts of one prompt give each other what lies before their parts: the last rows of the
 * part before, which go to the ring of the part that follows, and the cache pages that every rank has filled, which go to all.
 * Readers then find what they find on one device, so their results have the same bits.
 */
final class ContextExchange {
    private final GraphBuilder g;
    private final int ranks;
    private final ContextInputs inputs;
    private final Map<String, Value> declared = new HashMap<>();

    ContextExchange(GraphBuilder g, int ranks, ContextInputs inputs) {
        this.g = g;
        this.ranks = ranks;
        this.inputs = inputs;
    }

    /** {@code ring} with the rows before this rank's parts. @param rows the rows of this rank */
    Value before(Value ring, Value rows) {
        long capacity = ring.type().shape().dim(1).offset();
        String name = inputs.ring(capacity);
        Dim most = Dim.named(name + ".rows", 0, 2 * capacity);
        Dim parts = Dim.named(name + ".parts", 0, 3);
        Value mine = g.node(new Gather(rows.type().dtype()), rows, list(name + ".rows", most));
        Value theirs = g.node(new AllToAllV(ranks), mine, counts(name + ".counts"));
        return g.node(
                new RingWrite(),
                ring,
                theirs,
                list(name + ".positions", most.times(ranks)),
                list(name + ".starts", parts.plus(1)),
                list(name + ".slots", parts));
    }

    /** {@code cache} with the pages that all ranks have filled. */
    Value share(Value cache) {
        Shape shape = cache.type().shape();
        long perPage = shape.dim(1).offset();
        String name = inputs.cache(perPage);
        Dim filled = Dim.named(ContextInputs.PAGES, 0, inputs.maxPages());
        Dim all = Dim.named(ContextInputs.ALL_PAGES, 0, (long) ranks * inputs.maxPages());
        Value mine = g.node(new Gather(cache.type().dtype()), cache, list(ContextInputs.PAGES, filled));
        Value pages = g.node(new GatherRows(ranks, all), mine, counts(ContextInputs.PAGE_COUNTS));
        Dim entries = all.times(perPage);
        return g.node(
                new RingWrite(),
                cache,
                g.reshape(pages, Shape.of(entries, shape.dim(2))),
                list(name + ".positions", entries),
                list(name + ".starts", all.plus(1)),
                list(ContextInputs.ALL_PAGES, all));
    }

    private Value list(String name, Dim dim) {
        return declared.computeIfAbsent(name, n -> g.input(n, TensorType.of(DType.I32, Shape.of(dim))));
    }

    private Value counts(String name) {
        return declared.computeIfAbsent(name, n -> g.input(n, TensorType.of(DType.I64, ranks)));
    }
}
