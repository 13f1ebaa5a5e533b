package dev.weft.grammar;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** A regular expression over bytes and calls of rules. */
sealed interface Expr {
    /** No bound of a repetition. */
    int UNBOUNDED = -1;

    /** The empty text. */
    Expr EMPTY = new Seq(List.of());

    /** No text at all. */
    Expr NOTHING = new Alt(List.of());

    /** One byte from {@code low} to {@code high}, both 0 to 255. */
    record Range(int low, int high) implements Expr {}

    /** One after the other. */
    record Seq(List<Expr> parts) implements Expr {}

    /** One of them. */
    record Alt(List<Expr> choices) implements Expr {}

    /** The same {@code min} to {@code max} times. */
    record Repeat(Expr part, int min, int max) implements Expr {}

    /** A text of another rule. */
    record Call(int rule) implements Expr {}

    /** What an automaton without calls accepts. */
    record Machine(Dfa dfa) implements Expr {}

    /** Ways from node 0 to node {@code nodes - 1} of a graph, for parts that follow each other in more than one way. */
    record Net(int nodes, List<Edge> edges) implements Expr {
        record Edge(int from, Expr expr, int to) {}
    }

    static Expr seq(Expr... parts) {
        return new Seq(List.of(parts));
    }

    static Expr alt(Expr... choices) {
        return new Alt(List.of(choices));
    }

    static Expr optional(Expr part) {
        return alt(EMPTY, part);
    }

    static Expr oneByte(int value) {
        return new Range(value, value);
    }

    /** The bytes of a text in UTF-8. */
    static Expr text(String text) {
        List<Expr> parts = new ArrayList<>();
        for (byte b : text.getBytes(StandardCharsets.UTF_8)) {
            parts.add(oneByte(b & 0xFF));
        }
        return new Seq(parts);
    }

    /** One of some texts. */
    static Expr texts(Stream<String> texts) {
        return new Alt(texts.map(Expr::text).toList());
    }

    /** One of some ASCII characters. */
    static Expr anyOf(String characters) {
        return new Alt(characters.chars().mapToObj(Expr::oneByte).toList());
    }
}
