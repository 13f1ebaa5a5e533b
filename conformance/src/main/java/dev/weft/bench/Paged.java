package dev.weft.bench;

import dev.weft.DType;
import dev.weft.TensorType;
import dev.weft.graph.GraphBuilder;
import dev.weft.graph.Value;
import dev.weft.model.LoadOptions;
import dev.weft.runtime.Execution;
import java.util.stream.IntStream;

/**
 * Sequences with as many rows each and a paged cache of entries, as a model keeps them.
 *
 * @param sequences how many
 * @param tokens rows of each
 * @param position tokens of each before its rows
 * @param ratio tokens of an entry
 */
record Paged(int sequences, int tokens, int position, int ratio) {
    /** Of entries that are picked. */
    static final int PICKED_RATIO = 4;

    /** Of entries that are all read. */
    static final int HEAVY_RATIO = 128;

    int rows() {
        return sequences * tokens;
    }

    /** Entries that the last row of a sequence sees. */
    int entries() {
        return entries(tokens - 1);
    }

    /** Entries that a row sees. @param token of its sequence */
    int entries(int token) {
        return (position + token + 1) / ratio;
    }

    private int pagesEach() {
        return Math.ceilDiv(position + tokens, LoadOptions.PAGE_TOKENS);
    }

    TensorType cache(int width) {
        return TensorType.of(DType.BF16, (long) sequences * pagesEach(), LoadOptions.PAGE_TOKENS / ratio, width);
    }

    Value positions(GraphBuilder g) {
        return g.input("positions", TensorType.of(DType.I32, rows()));
    }

    Value starts(GraphBuilder g) {
        return g.input("starts", TensorType.of(DType.I32, sequences + 1L));
    }

    Value slots(GraphBuilder g) {
        return g.input("slots", TensorType.of(DType.I32, sequences));
    }

    Value pages(GraphBuilder g) {
        return g.input("pages", TensorType.of(DType.I32, sequences, pagesEach()));
    }

    /** Fills the inputs that a graph has of these. @param slots whether it has slots */
    void fill(Execution execution, boolean slots) {
        execution.set(
                "positions",
                IntStream.range(0, rows()).map(row -> position + row % tokens).toArray());
        execution.set(
                "starts",
                IntStream.rangeClosed(0, sequences).map(s -> s * tokens).toArray());
        execution.set("pages", IntStream.range(0, sequences * pagesEach()).toArray());
        if (slots) {
            execution.set("slots", IntStream.range(0, sequences).toArray());
        }
    }
}
