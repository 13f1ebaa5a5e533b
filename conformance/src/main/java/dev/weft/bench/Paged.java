package dev.weft.bench;

import dev.weft.DType;
import dev.weft.TensorType;
import dev.weft.graph.GraphBuilder;
import dev.weft.graph.Value;
import dev.weft.model.LoadOptions;
import dev.weft.runtime.Execution;
import java.util.Arrays;
import java.util.stream.IntStream;

/**
 * Sequences with one row each and a paged cache of entries of ratio 4, as a model keeps them.
 *
 * @param rows sequences
 * @param position tokens of each before its row
 */
record Paged(int rows, int position) {
    /** Tokens of an entry. */
    static final int RATIO = 4;

    private static final int PER_PAGE = LoadOptions.PAGE_TOKENS / RATIO;

    /** Entries that a row sees. */
    int entries() {
        return (position + 1) / RATIO;
    }

    private int pagesEach() {
        return Math.ceilDiv(position + 1, LoadOptions.PAGE_TOKENS);
    }

    TensorType cache(int width) {
        return TensorType.of(DType.BF16, (long) rows * pagesEach(), PER_PAGE, width);
    }

    Value positions(GraphBuilder g) {
        return g.input("positions", TensorType.of(DType.I32, rows));
    }

    Value starts(GraphBuilder g) {
        return g.input("starts", TensorType.of(DType.I32, rows + 1L));
    }

    Value slots(GraphBuilder g) {
        return g.input("slots", TensorType.of(DType.I32, rows));
    }

    Value pages(GraphBuilder g) {
        return g.input("pages", TensorType.of(DType.I32, rows, pagesEach()));
    }

    /** Fills the inputs that a graph has of these. @param slots whether it has slots */
    void fill(Execution execution, boolean slots) {
        int[] positions = new int[rows];
        Arrays.fill(positions, position);
        execution.set("positions", positions);
        execution.set("starts", IntStream.rangeClosed(0, rows).toArray());
        execution.set("pages", IntStream.range(0, rows * pagesEach()).toArray());
        if (slots) {
            execution.set("slots", IntStream.range(0, rows).toArray());
        }
    }
}
