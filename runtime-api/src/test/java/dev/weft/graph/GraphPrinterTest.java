package dev.weft.graph;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.DType;
import dev.weft.Dim;
import dev.weft.Shape;
import dev.weft.TensorType;
import dev.weft.op.RingWrite;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** The three printed forms name everything, and JSON and dot are well formed whatever the names are. */
class GraphPrinterTest {
    private static final String ODD = "odd \"name\" \\ with\nline";

    private static Graph graph() {
        GraphBuilder g = Graph.builder(ODD);
        Dim tokens = Dim.named("tokens", 0, 8);
        Value x = g.input("x", TensorType.of(DType.F32, Shape.of(tokens, Dim.fixed(4))));
        Value ring = g.state("ring", TensorType.of(DType.F32, 1, 2, 4));
        Value y = g.scope("layer.0", () -> g.rmsNorm(x, g.weight(ODD, TensorType.of(DType.F32, 4)), 1e-6f));
        Value view = g.reshape(y, Shape.of(tokens, Dim.fixed(2), Dim.fixed(2)));
        Value sum = g.add(view, view);
        Value written = g.node(
                new RingWrite(),
                ring,
                y,
                g.input("positions", TensorType.of(DType.I32, Shape.of(tokens))),
                g.input("starts", TensorType.of(DType.I32, 2)),
                g.input("slots", TensorType.of(DType.I32, 1)));
        return g.output("sum", sum).output("ring", written).build();
    }

    @Test
    void textHasALinePerThing() {
        assertThat(graph().text())
                .contains("dim tokens in [0, 8]")
                .contains("input x [tokens, 4] f32")
                .contains("state ring [1, 2, 4] f32")
                .contains("layer.0.rmsNorm [tokens, 4] f32 = RmsNorm[eps=1.0E-6] (x, ")
                .contains("add [tokens, 2, 2] f32 = Add[] (layer.0.rmsNorm/view, layer.0.rmsNorm/view)")
                .contains("output ring = ringWrite");
        assertThat(graph().toString()).contains("3 nodes");
    }

    @Test
    void jsonIsWellFormed() {
        String json = graph().json();
        assertThat(new JsonChecker(json).isValid()).as(json).isTrue();
        assertThat(json)
                .contains("\"op\":\"rmsNorm\"", "\"kind\":\"UPDATE\"", "\"outputs\":{\"sum\":")
                .contains("odd \\\"name\\\" \\\\ with\\u000aline");
    }

    @Test
    void dotEdgesStartAtDeclaredThings() {
        String dot = graph().dot();
        assertThat(dot).startsWith("digraph \"odd").endsWith("}\n");
        Matcher edge = Pattern.compile("  ([nv]\\d+) -> (n\\d+);").matcher(dot);
        int edges = 0;
        while (edge.find()) {
            edges++;
            assertThat(dot).contains("  " + edge.group(1) + " [").contains("  " + edge.group(2) + " [");
        }
        assertThat(edges).isEqualTo(2 + 2 + 5);
        // the view of a result is drawn as that result
        assertThat(dot).contains("n0 -> n1", "n0 -> n2");
    }

    /** A recogniser of JSON texts; accepts or rejects, builds nothing. */
    private static final class JsonChecker {
        private final String s;
        private int at;

        JsonChecker(String s) {
            this.s = s;
        }

        boolean isValid() {
            return value() && at == s.length();
        }

        private boolean value() {
            if (at >= s.length()) {
                return false;
            }
            return switch (s.charAt(at)) {
                case '{' -> sequence('}', () -> string() && eat(':') && value());
                case '[' -> sequence(']', this::value);
                case '"' -> string();
                default -> number();
            };
        }

        private boolean sequence(char end, java.util.function.BooleanSupplier element) {
            at++;
            if (eat(end)) {
                return true;
            }
            do {
                if (!element.getAsBoolean()) {
                    return false;
                }
            } while (eat(','));
            return eat(end);
        }

        private boolean string() {
            Matcher m = Pattern.compile("\"([^\"\\\\\\x00-\\x1f]|\\\\[\"\\\\/bfnrt]|\\\\u[0-9a-f]{4})*\"")
                    .matcher(s);
            return token(m);
        }

        private boolean number() {
            return token(Pattern.compile("-?\\d+").matcher(s));
        }

        private boolean token(Matcher m) {
            if (!m.region(at, s.length()).lookingAt()) {
                return false;
            }
            at = m.end();
            return true;
        }

        private boolean eat(char c) {
            boolean found = at < s.length() && s.charAt(at) == c;
            at += found ? 1 : 0;
            return found;
        }
    }
}
