package dev.weft.model;

import dev.weft.DType;
import dev.weft.Dim;
import dev.weft.Shape;
import dev.weft.TensorType;
import dev.weft.graph.GraphBuilder;
import dev.weft.graph.Value;

/**
 * What a step is fed with: the rows of all its sequences one after another.
 *
 * @param ids token of every row
 * @param positions position of every row in its sequence
 * @param starts first row of every sequence, and the number of rows
 * @param slots ring slot of every sequence
 * @param pages page table: one list of page ids per sequence
 * @param logitRows rows whose logits are wanted
 */
record V4Inputs(Value ids, Value positions, Value starts, Value slots, Value pages, Value logitRows) {
    static final String TOKENS = "tokens";
    static final String SEQUENCES = "sequences";
    static final String LOGITS = "logitRows";

    static V4Inputs declare(GraphBuilder g, LoadOptions o) {
        Dim tokens = tokens(o);
        Dim sequences = Dim.named(SEQUENCES, 1, o.maxSequences());
        return new V4Inputs(
                g.input("ids", list(tokens)),
                g.input("positions", list(tokens)),
                g.input("starts", list(sequences.plus(1))),
                g.input("slots", list(sequences)),
                g.input("pages", TensorType.of(DType.I32, Shape.of(sequences, Dim.fixed(o.pagesPerSequence())))),
                g.input("logitRows", list(logits(o))));
    }

    static Dim tokens(LoadOptions o) {
        return Dim.named(TOKENS, 1, o.maxTokens());
    }

    static Dim logits(LoadOptions o) {
        return Dim.named(LOGITS, 0, o.maxTokens());
    }

    private static TensorType list(Dim d) {
        return TensorType.of(DType.I32, Shape.of(d));
    }
}
