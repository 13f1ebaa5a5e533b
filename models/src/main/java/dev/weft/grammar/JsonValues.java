package dev.weft.grammar;

import java.util.ArrayList;
import java.util.List;

/** The parts of JSON that do not depend on a schema, as expressions. */
final class JsonValues {
    /** Whole numbers that any reader can hold; a model without limits might write digits for ever. */
    private static final Expr DIGITS_19 = Expr.alt(
            Expr.oneByte('0'), Expr.seq(new Expr.Range('1', '9'), new Expr.Repeat(new Expr.Range('0', '9'), 0, 18)));

    private static final Expr MINUS = Expr.optional(Expr.oneByte('-'));

    static final Expr INTEGER = Expr.alt(Expr.oneByte('0'), Expr.seq(MINUS, new Expr.Range('1', '9'), digits(0, 18)));

    /** At most 17 digits after the point and two of the exponent: all within the range of double precision. */
    static final Expr NUMBER = Expr.seq(
            MINUS,
            DIGITS_19,
            Expr.optional(Expr.seq(Expr.oneByte('.'), digits(1, 17))),
            Expr.optional(Expr.seq(Expr.anyOf("eE"), Expr.optional(Expr.anyOf("+-")), digits(1, 2))));

    static final Expr BOOLEAN = Expr.alt(Expr.text("true"), Expr.text("false"));
    static final Expr NULL = Expr.text("null");

    private final Rules rules;
    private final Expr space;

    JsonValues(Rules rules, JsonOptions options) {
        this.rules = rules;
        this.space = options.spaces()
                ? Expr.alt(
                        Expr.EMPTY,
                        Expr.oneByte(' '),
                        Expr.seq(Expr.oneByte('\n'), new Expr.Repeat(Expr.anyOf(" \t"), 0, Expr.UNBOUNDED)))
                : Expr.EMPTY;
    }

    private static Expr digits(int min, int max) {
        return new Expr.Repeat(new Expr.Range('0', '9'), min, max);
    }

    /** What may stand between the tokens of JSON. */
    Expr space() {
        return space;
    }

    /** Any value with at most {@code depth} containers within each other. */
    Expr any(int depth) {
        return rules.call(
                "any value",
                depth,
                () -> Expr.alt(JsonStrings.FREE, NUMBER, BOOLEAN, NULL, anyObject(depth), anyArray(depth)));
    }

    /** Any object with at most {@code depth} containers within each other, itself included. */
    Expr anyObject(int depth) {
        return depth == 0 ? Expr.NOTHING : object(List.of(), member(JsonStrings.FREE, element(depth)));
    }

    /** Any array with at most {@code depth} containers within each other, itself included. */
    Expr anyArray(int depth) {
        return depth == 0 ? Expr.NOTHING : array(List.of(), element(depth), 0, Expr.UNBOUNDED);
    }

    private Expr element(int depth) {
        return any(depth - 1);
    }

    Expr member(Expr key, Expr value) {
        return Expr.seq(key, space, Expr.oneByte(':'), space, value);
    }

    /** A member of an object with a fixed place among the others. */
    record Member(Expr expr, boolean required) {}

    /** An object: its members in this order, those not required perhaps left out, then any number of others. */
    Expr object(List<Member> members, Expr others) {
        // node i: nothing written yet; n + 1 + i: something is; 2n + 2 + i: the next thing is member i; i = n: another
        // one
        int n = members.size();
        int started = n + 1;
        int next = 2 * started;
        int end = next + n + 1;
        List<Expr.Net.Edge> edges = new ArrayList<>();
        for (int i = 0; i <= n; i++) {
            edges.add(new Expr.Net.Edge(i, Expr.EMPTY, next + i));
            edges.add(new Expr.Net.Edge(started + i, separator(), next + i));
            if (i < n) {
                Member member = members.get(i);
                edges.add(new Expr.Net.Edge(next + i, member.expr(), started + i + 1));
                if (!member.required()) {
                    edges.add(new Expr.Net.Edge(i, Expr.EMPTY, i + 1));
                    edges.add(new Expr.Net.Edge(started + i, Expr.EMPTY, started + i + 1));
                }
            }
        }
        edges.add(new Expr.Net.Edge(next + n, others, started + n));
        edges.add(new Expr.Net.Edge(n, Expr.EMPTY, end));
        edges.add(new Expr.Net.Edge(started + n, space, end));
        return Expr.seq(Expr.oneByte('{'), space, new Expr.Net(end + 1, edges), Expr.oneByte('}'));
    }

    /** An array: first elements of their own, then equal ones; {@code min} to {@code max} of all. */
    Expr array(List<Expr> first, Expr others, int min, int max) {
        // node i: i elements are written; the last before the end repeats itself if there is no maximum
        boolean bounded = max != Expr.UNBOUNDED;
        int last = bounded ? max : Math.max(Math.max(min, first.size()), 1);
        List<Expr.Net.Edge> edges = new ArrayList<>();
        for (int i = 0; i < last; i++) {
            Expr element = i < first.size() ? first.get(i) : others;
            edges.add(new Expr.Net.Edge(i, i == 0 ? element : Expr.seq(separator(), element), i + 1));
        }
        if (!bounded) {
            edges.add(new Expr.Net.Edge(last, Expr.seq(separator(), others), last));
        }
        for (int i = min; i <= last; i++) {
            edges.add(new Expr.Net.Edge(i, i == 0 ? Expr.EMPTY : space, last + 1));
        }
        return Expr.seq(Expr.oneByte('['), space, new Expr.Net(last + 2, edges), Expr.oneByte(']'));
    }

    private Expr separator() {
        return Expr.seq(space, Expr.oneByte(','), space);
    }
}
