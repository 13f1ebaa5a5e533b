package dev.weft.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.DType;
import dev.weft.Dim;
import dev.weft.Scaling;
import dev.weft.Shape;
import dev.weft.TensorType;
import dev.weft.conformance.FusedComparison;
import dev.weft.graph.Graph;
import dev.weft.graph.GraphBuilder;
import dev.weft.graph.Value;
import dev.weft.op.Compress;
import dev.weft.op.EntryForm;
import dev.weft.op.ExpertGemm;
import dev.weft.op.FakeQuantize;
import dev.weft.op.Gather;
import dev.weft.op.GroupedGemm;
import dev.weft.op.Hadamard;
import dev.weft.op.HeadNorm;
import dev.weft.op.HyperPost;
import dev.weft.op.HyperPre;
import dev.weft.op.MoeCombine;
import dev.weft.op.MoeDispatch;
import dev.weft.op.MoeGate;
import dev.weft.op.Quantize;
import dev.weft.op.Reach;
import dev.weft.op.RingWrite;
import dev.weft.op.Rotary;
import dev.weft.op.RotaryParameters;
import dev.weft.op.Scale;
import dev.weft.op.SparseAttention;
import dev.weft.op.SwiGlu;
import dev.weft.runtime.Weft;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Kernels over several nodes leave the bits of the kernels of single nodes. */
class FusionTest {
    private static final int MOST_ROWS = 72;
    private static final RotaryParameters ROTARY = RotaryParameters.plain(16, 10000);

    private Emulator emulator;
    private Weft weft;
    private GraphBuilder g;

    @BeforeEach
    void start() {
        emulator = Emulator.start();
        weft = Weft.of(Emulator.backends());
        g = Graph.builder("fused");
    }

    @AfterEach
    void end() {
        weft.close();
        emulator.close();
    }

    private static Dim rows() {
        return Dim.named("rows", 0, MOST_ROWS);
    }

    private static TensorType rowsOf(DType dtype, long... columns) {
        List<Dim> dims = new ArrayList<>(List.of(rows()));
        for (long c : columns) {
            dims.add(Dim.fixed(c));
        }
        return TensorType.of(dtype, new Shape(dims));
    }

    private Value input(String name, DType dtype, long... columns) {
        return g.input(name, rowsOf(dtype, columns));
    }

    private Value quantised(Value x) {
        return g.node(new Quantize(DType.F8_E4M3, Scaling.FP8_GROUP_128), x);
    }

    private Value norm(String name, Value x) {
        long width = x.type().shape().last().maximum();
        return g.rmsNorm(x, g.weight(name, TensorType.of(DType.BF16, width)), 1e-6f);
    }

    /** Runs with so many rows at positions from 5 on, and says how many kernels there are. */
    private long kernels(long rows) {
        return comparison(rows).run(Map.of("rows", rows));
    }

    private FusedComparison comparison(long rows) {
        FusedComparison c = new FusedComparison(weft.device("cuda:0"), g.build());
        int n = Math.toIntExact(rows);
        c.set("positions", IntStream.range(5, 5 + n).toArray());
        c.set("starts", 0, n).set("slots", 1).set("pages", 2, 0, 1, 3, 4, 5, 6, 7);
        return n > 0 ? c.withNan() : c;
    }

    @ParameterizedTest
    @CsvSource({"BF16, 1", "BF16, 0", "BF16, 11", "F32, 5"})
    void normsRotationsAndQuantisersOfNarrowAndWideRows(DType flow, long rows) {
        Value positions = g.input("positions", rowsOf(DType.I32));
        Value narrow = norm("a", input("narrow", flow, 256));
        Value wide = norm("b", input("wide", flow, 1280));
        Value kv = norm("c", input("kv", flow, 80));
        Value cached =
                g.node(new FakeQuantize(DType.F8_E4M3, 64, 64), g.node(new Rotary(ROTARY, false), kv, positions));
        Value plain = g.node(new Rotary(ROTARY, true), norm("d", input("plain", flow, 24)), positions);
        Value scaled = g.node(new Scale(0.3f), input("scores", flow, 7));
        g.output("narrow", quantised(narrow)).output("wide", quantised(wide)).output("wide before", wide);
        g.output("cached", cached).output("plain", plain).output("scaled", scaled);
        assertThat(kernels(rows)).isEqualTo(1);
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 0, 3})
    void headsOfQueries(long rows) {
        Value positions = g.input("positions", rowsOf(DType.I32));
        Value q = g.node(new HeadNorm(1e-6f), input("q", DType.BF16, 5, 64));
        g.output("q", g.node(new Rotary(ROTARY, false), q, positions));
        Value index = g.node(new Rotary(ROTARY, false), input("index", DType.BF16, 3, 128), positions);
        g.output("index", g.node(new FakeQuantize(DType.F4_E2M1, 32, 128), g.node(new Hadamard(), index)));
        assertThat(kernels(rows)).isEqualTo(1);
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 4, 17, 70, 0})
    void productsOfDifferentFormats(long rows) {
        Value x = input("x", DType.BF16, 256);
        Value codes = quantised(input("y", DType.BF16, 256));
        g.output("a", g.gemm(x, g.weight("a", TensorType.of(DType.BF16, 70, 256)), DType.F32));
        g.output("b", g.gemm(x, g.weight("b", TensorType.of(DType.BF16, 9, 256)), DType.BF16));
        g.output("c", g.gemm(codes, g.weight("c", fp8(130, 256)), DType.BF16));
        g.output("d", g.gemm(x, g.weight("d", fp8(40, 256)), DType.BF16));
        assertThat(kernels(rows)).isEqualTo(2);
    }

    @ParameterizedTest
    @CsvSource({
        "1, 256, F8_E4M3",
        "17, 256, F8_E4M3",
        "72, 256, BF16",
        "72, 128, F8_E4M3",
        "20, 192, BF16",
        "0, 128, F8_E4M3"
    })
    void groupedProductsThatAreQuantised(long rows, long outputs, DType weights) {
        TensorType w = weights == DType.BF16 ? TensorType.of(DType.BF16, 2, outputs, 256) : fp8(2, outputs, 256);
        Value y = g.node(new GroupedGemm(DType.BF16), input("x", DType.BF16, 2, 256), g.weight("a", w));
        Value flat = g.reshape(y, rowsOf(DType.BF16, 2 * outputs).shape());
        g.output("z", g.gemm(quantised(flat), g.weight("b", fp8(70, 2 * outputs)), DType.BF16));
        assertThat(kernels(rows)).isEqualTo(1);
    }

    /** A row of the quantiser that is not all groups of a token is not what a block of the grouped product makes. */
    @ParameterizedTest
    @CsvSource({"20, true", "20, false", "3, true"})
    void groupedProductsWhoseGroupsAreQuantisedApart(long rows, boolean isView) {
        Value y = g.node(new GroupedGemm(DType.BF16), input("x", DType.BF16, 2, 256), g.weight("a", fp8(2, 128, 256)));
        Value apart = isView ? g.reshape(y, rowsTimes(2, 128)) : y;
        g.output("z", g.gemm(quantised(apart), g.weight("b", fp8(70, 128)), DType.BF16));
        assertThat(kernels(rows)).isEqualTo(2);
    }

    /** Blocks norm and quantise up to four tokens themselves. */
    @ParameterizedTest
    @CsvSource({
        "1, 256, BF16",
        "4, 1280, BF16",
        "3, 1280, F32",
        "4, 128, F32",
        "7, 1280, BF16",
        "7, 256, F32",
        "8, 256, BF16",
        "20, 256, F32",
        "0, 128, BF16"
    })
    void productsOfANorm(long rows, long width, DType flow) {
        Value codes = quantised(norm("norm", input("x", flow, width)));
        g.output("a", g.gemm(codes, g.weight("a", fp8(300, width)), flow));
        g.output("b", g.gemm(codes, g.weight("b", fp8(70, width)), DType.F32));
        assertThat(kernels(rows)).isEqualTo(1);
    }

    /** Tokens are the product of all axes but the last, with a norm before the product and without. */
    @ParameterizedTest
    @CsvSource({
        "1, 9, 1152, true",
        "1, 16, 256, true",
        "2, 8, 256, true",
        "2, 2, 256, true",
        "1, 9, 256, false",
        "3, 6, 256, false"
    })
    void tokensInTwoAxes(long rows, long each, long width, boolean isNormed) {
        Value x = input("x", DType.BF16, each, width);
        Value codes = quantised(isNormed ? norm("norm", x) : x);
        g.output("y", g.gemm(codes, g.weight("y", fp8(33, width)), DType.BF16));
        assertThat(kernels(rows)).isEqualTo(1);
    }

    /** Blocks that have no memory for the token beside what their kernel has of its own leave norm and quantiser to others. */
    @Test
    void productsOfANormTooDeepForABlock() {
        emulator.with("static", "1024");
        long width = 34_176;
        Value codes = quantised(norm("norm", input("x", DType.BF16, width)));
        g.output("y", g.gemm(codes, g.weight("y", fp8(33, width)), DType.BF16));
        assertThat(kernels(1)).isEqualTo(1);
    }

    /** A norm or codes that others want, or in other rows, are stored. */
    @ParameterizedTest
    @EnumSource
    void productsOfANormThatIsWanted(Wanted wanted) {
        Value normed = norm("norm", input("x", DType.BF16, 256));
        Value codes = quantised(wanted == Wanted.NORM_IN_OTHER_ROWS ? g.reshape(normed, rowsTimes(2, 128)) : normed);
        long width = codes.type().shape().last().maximum();
        g.output("y", g.gemm(codes, g.weight("y", fp8(70, width)), DType.BF16));
        if (wanted == Wanted.NORM) {
            g.output("norm", normed);
        }
        if (wanted == Wanted.CODES) {
            g.output("codes", codes);
        }
        if (wanted == Wanted.CODES_BESIDE) {
            g.output("z", g.gemm(codes, g.weight("z", TensorType.of(DType.BF16, 70, 256)), DType.BF16));
        }
        assertThat(kernels(3)).isEqualTo(2);
    }

    /** What of a norm before a product is wanted otherwise. */
    enum Wanted {
        NORM,
        CODES,
        CODES_BESIDE,
        NORM_IN_OTHER_ROWS
    }

    private static Shape rowsTimes(int factor, long... columns) {
        List<Dim> dims = new ArrayList<>(List.of(rows().times(factor)));
        for (long c : columns) {
            dims.add(Dim.fixed(c));
        }
        return new Shape(dims);
    }

    /** Halves of an activation's rows as rows of a product: its operands would be read beyond their end. */
    @ParameterizedTest
    @ValueSource(longs = {2, 20})
    void activationsInAnotherShape(long rows) {
        Value act = g.node(new SwiGlu(9, false), input("gate", DType.BF16, 256), input("up", DType.BF16, 256));
        TensorType fp4 = new TensorType(DType.F4_E2M1, Shape.of(3, 256, 128), Scaling.MXFP4);
        Value x = quantised(g.reshape(act, rowsTimes(2, 128)));
        Value offsets = g.input("offsets", TensorType.of(DType.I32, 4));
        g.output("y", g.node(new ExpertGemm(DType.BF16), x, g.weight("w", fp4), offsets));
        int n = Math.toIntExact(rows);
        FusedComparison c = new FusedComparison(weft.device("cuda:0"), g.build()).set("offsets", 0, 1, n, 2 * n);
        assertThat(c.run(Map.of("rows", rows))).isEqualTo(3);
    }

    /** What is handed from one sublayer to the next in other rows, or as another operand, has kernels of its own. */
    @ParameterizedTest
    @EnumSource
    void sublayersInAnotherShape(Seen seen) {
        long rows = 3;
        Value y = input("y", DType.F32, 64);
        Value streams = input("streams", DType.F32, 4, 64);
        Value out = switch (seen) {
            case SUM -> {
                Value sum = g.reshape(sum(128), rowsTimes(2, 64));
                yield g.node(new HyperPost(), sum, twice("wide", 4, 64), twice("post", 4), twice("comb", 4, 4));
            }
            case SUM_AS_STREAMS ->
                exit("exit", y, g.reshape(sum(256), rowsOf(DType.F32, 4, 64).shape()), 64);
            case EXIT -> enter("entry", g.reshape(exit("exit", y, streams, 64), rowsTimes(2, 4, 32)), 32);
            case ENTRY -> norm("norm", g.reshape(pre("entry", streams, 64).get(0), rowsTimes(2, 32)));
            case COEFFICIENTS -> norm("norm", pre("entry", streams, 64).get(1));
        };
        g.output("out", out);
        int n = Math.toIntExact(rows);
        FusedComparison c = new FusedComparison(weft.device("cuda:0"), g.build());
        c.set("positions", IntStream.range(0, 3 * n).map(i -> 3 * n - 1 - i).toArray());
        assertThat(c.run(Map.of("rows", rows))).isEqualTo(2);
    }

    /** Which value is seen in another shape, or read as another operand. */
    enum Seen {
        SUM,
        SUM_AS_STREAMS,
        EXIT,
        ENTRY,
        COEFFICIENTS
    }

    private Value twice(String name, long... columns) {
        return g.input(name, TensorType.of(DType.F32, rowsTimes(2, columns)));
    }

    private Value sum(long width) {
        return g.node(
                new MoeCombine(),
                g.input("parts", TensorType.of(DType.F32, rowsTimes(3, width))),
                g.input("positions", TensorType.of(DType.I32, Shape.of(rows().times(3)))),
                input("shared", DType.F32, width));
    }

    /** Choices of a token as choices of two. */
    @ParameterizedTest
    @ValueSource(longs = {2, 40})
    void choicesInAnotherShape(long rows) {
        MoeGate gate = new MoeGate(4, MoeGate.Score.SQRT_SOFTPLUS, false, 1.5f);
        List<Value> routed =
                g.nodes(gate, input("logits", DType.F32, 11), g.weight("bias", TensorType.of(DType.F32, 11)));
        List<Value> d = g.nodes(
                new MoeDispatch(11),
                g.input("x", TensorType.of(DType.BF16, rowsTimes(2, 64))),
                g.reshape(routed.get(0), rowsTimes(2, 2)),
                g.reshape(routed.get(1), rowsTimes(2, 2)));
        g.output("rows", d.get(0)).output("weights", d.get(1)).output("offsets", d.get(3));
        assertThat(kernels(rows)).isEqualTo(2);
    }

    private static TensorType fp8(long... dims) {
        return new TensorType(DType.F8_E4M3, Shape.of(dims), Scaling.FP8_BLOCK_128);
    }

    @ParameterizedTest
    @CsvSource({"1, false", "8, false", "9, false", "0, false", "3, true", "40, false"})
    void expertsFromGateToSum(long rows, boolean hashed) {
        int experts = 11;
        Value logits = input("logits", DType.F32, experts);
        MoeGate gate = new MoeGate(3, MoeGate.Score.SQRT_SOFTPLUS, hashed, 1.5f);
        List<Value> routed = hashed
                ? g.nodes(
                        gate,
                        logits,
                        g.input("positions", rowsOf(DType.I32)),
                        g.weight("table", TensorType.of(DType.I32, 64, 3)))
                : g.nodes(gate, logits, g.weight("bias", TensorType.of(DType.F32, experts)));
        Value x = quantised(input("x", DType.BF16, 256));
        List<Value> d = g.nodes(new MoeDispatch(experts), x, routed.get(0), routed.get(1));
        TensorType fp4 = new TensorType(DType.F4_E2M1, Shape.of(experts, 256, 256), Scaling.MXFP4);
        Value up = g.node(new ExpertGemm(DType.BF16), d.get(0), g.weight("w1", fp4), d.get(3));
        Value down = g.node(new ExpertGemm(DType.BF16), d.get(0), g.weight("w3", fp4), d.get(3));
        Value act = quantised(g.node(new SwiGlu(10, true), up, down, d.get(1)));
        Value y = g.node(
                new ExpertGemm(DType.BF16),
                quantised(g.node(new SwiGlu(9, true), up, down, d.get(1))),
                g.weight("w2", fp4),
                d.get(3));
        Value z = g.gemm(quantised(input("z", DType.BF16, 256)), g.weight("w4", fp8(70, 256)), DType.BF16);
        Value shared = g.node(new SwiGlu(2, false), input("gate", DType.BF16, 128), input("up", DType.BF16, 128));
        g.output("act", act)
                .output("y", y)
                .output("z", z)
                .output("source", d.get(2))
                .output("offsets", d.get(3))
                .output("rows", d.get(0));
        g.output("experts", routed.get(0)).output("weights", routed.get(1)).output("shared", quantised(shared));
        // quantiser; gate, dispatch and shared activation; two products; activation; two products that quantise
        assertThat(kernels(rows)).isEqualTo(6);
    }

    @ParameterizedTest
    @CsvSource({
        "BF16, 1, 64",
        "BF16, 7, 1280",
        "BF16, 8, 64",
        "F32, 3, 320",
        "BF16, 0, 64",
        "BF16, 21, 1280",
        "F32, 17, 72",
        "BF16, 72, 320"
    })
    void fromOneSublayerIntoTheNext(DType flow, long rows, long width) {
        Value streams = input("streams", flow, 4, width);
        Value summed = g.node(
                new MoeCombine(),
                g.input("y", TensorType.of(flow, Shape.of(rows().times(3), Dim.fixed(width)))),
                g.input("positions", TensorType.of(DType.I32, Shape.of(rows().times(3)))),
                input("shared", flow, width));
        Value out = exit("first", summed, streams, width);
        Value x = enter("second", out, width);
        Value again = exit("third", x, out, width);
        Value y = enter("fourth", again, width);
        g.output("out", out).output("x", x).output("again", again);
        g.output("y", width % 128 == 0 ? quantised(y) : y);
        int n = Math.toIntExact(rows);
        FusedComparison c = new FusedComparison(weft.device("cuda:0"), g.build());
        c.set("positions", IntStream.range(0, 3 * n).map(i -> 3 * n - 1 - i).toArray());
        // into two sublayers
        assertThat((n > 0 ? c.withNan() : c).run(Map.of("rows", rows))).isEqualTo(2);
    }

    /** Behind the last layer comes no entry, but the head, which wants some rows. */
    @ParameterizedTest
    @CsvSource({
        "BF16, 1, 1280, 1",
        "F32, 2, 72, 3",
        "BF16, 13, 320, 64",
        "BF16, 21, 64, 65",
        "BF16, 5, 64, 0",
        "BF16, 0, 64, 0"
    })
    void outOfTheLastLayer(DType flow, long rows, long width, int wanted) {
        Value summed = g.node(
                new MoeCombine(),
                g.input("y", TensorType.of(flow, Shape.of(rows().times(3), Dim.fixed(width)))),
                g.input("positions", TensorType.of(DType.I32, Shape.of(rows().times(3)))),
                input("shared", flow, width));
        Value out = exit("last", summed, input("streams", flow, 4, width), width);
        g.output("out", out);
        TensorType index = TensorType.of(DType.I32, Shape.of(Dim.named("wanted", 0, 80)));
        g.output("wanted", g.node(new Gather(flow), out, g.input("index", index)));
        int n = Math.toIntExact(rows);
        FusedComparison c = new FusedComparison(weft.device("cuda:0"), g.build());
        c.set("positions", IntStream.range(0, 3 * n).map(i -> 3 * n - 1 - i).toArray());
        // one of several is no row
        c.set(
                "index",
                IntStream.range(0, wanted).map(i -> i == 1 ? n : i * 5 % n).toArray());
        assertThat((n > 0 ? c.withNan() : c).run(Map.of("rows", rows, "wanted", (long) wanted)))
                .isEqualTo(1);
    }

    private Value exit(String name, Value y, Value streams, long width) {
        return g.node(
                new HyperPost(),
                y,
                streams,
                input(name + " post", DType.F32, 4),
                input(name + " comb", DType.F32, 4, 4));
    }

    private Value enter(String name, Value streams, long width) {
        List<Value> pre = pre(name, streams, width);
        g.output(name + " post", pre.get(1)).output(name + " comb", pre.get(2));
        return norm(name + " norm", pre.get(0));
    }

    private List<Value> pre(String name, Value streams, long width) {
        return g.nodes(
                new HyperPre(4, 20, 1e-6f, 1e-6f),
                streams,
                g.weight(name + " fn", TensorType.of(DType.F32, 24, 4 * width)),
                g.weight(name + " scale", TensorType.of(DType.F32, 3)),
                g.weight(name + " base", TensorType.of(DType.F32, 24)));
    }

    @ParameterizedTest
    @CsvSource({"1, false", "0, false", "6, false", "33, false", "33, true"})
    void attentionRingsAndEntries(long rows, boolean isWanted) {
        Value positions = g.input("positions", rowsOf(DType.I32));
        Value starts = g.input("starts", TensorType.of(DType.I32, 2));
        Value slots = g.input("slots", TensorType.of(DType.I32, 1));
        Value pages = g.input("pages", TensorType.of(DType.I32, 1, 8));
        Value k = input("k", DType.F32, 128);
        Value z = input("z", DType.F32, 128);
        Value kRing = g.state("k ring", TensorType.of(DType.F32, 2, 8, 128));
        Value zRing = g.state("z ring", TensorType.of(DType.F32, 2, 8, 128));
        Value cache = g.node(
                new Compress(4, true, ROTARY, 1e-6f, EntryForm.PLAIN),
                k,
                z,
                g.weight("ape", TensorType.of(DType.F32, 4, 128)),
                g.weight("norm", TensorType.of(DType.BF16, 64)),
                kRing,
                zRing,
                g.state("cache", TensorType.of(DType.BF16, 8, 32, 64)),
                positions,
                starts,
                slots,
                pages);
        Value ring = g.state("ring", TensorType.of(DType.BF16, 2, 40, 64));
        Value kv = norm("kv norm", input("kv", DType.BF16, 64));
        Value o = g.node(
                new SparseAttention(16, 4, Reach.ALL, 0.125f),
                input("q", DType.BF16, 3, 64),
                kv,
                ring,
                g.weight("sink", TensorType.of(DType.F32, 3)),
                positions,
                starts,
                slots,
                cache,
                pages);
        g.output("o", g.node(new Rotary(ROTARY, true), o, positions));
        if (isWanted) {
            g.output("o before", o);
        }
        g.output("ring", g.node(new RingWrite(), ring, kv, positions, starts, slots));
        g.output("k ring", g.node(new RingWrite(), kRing, k, positions, starts, slots));
        g.output("z ring", g.node(new RingWrite(), zRing, z, positions, starts, slots));
        g.output("cache", cache);
        // norm and entry; attention and rotation; rings of the entry, then that of attention
        assertThat(kernels(rows)).isLessThanOrEqualTo(4);
    }
}
