package dev.weft.conformance;

import dev.weft.DType;
import dev.weft.Dim;
import dev.weft.Scaling;
import dev.weft.TensorType;
import dev.weft.op.ExpertTable;
import dev.weft.op.MoeCombine;
import dev.weft.op.MoeDispatch;
import dev.weft.op.MoeGate;
import dev.weft.op.MoePlaces;
import dev.weft.op.SwiGlu;
import dev.weft.op.Unsort;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;

/** Mixture of experts: choice, dispatch, activation, combination. */
final class MoeCases {
    private MoeCases() {}

    static Stream<OpCase> all() {
        Stream.Builder<OpCase> cases = Stream.builder();
        for (MoeGate.Score score : MoeGate.Score.values()) {
            gates(score, cases);
        }
        for (DType d : PlainCases.FLOWS) {
            dispatch(TensorType.of(d, 0), cases);
            activations(d, cases);
            combine(d, cases);
            unsort(d, cases);
        }
        places(cases);
        dispatch(TensorType.of(DType.F8_E4M3, 0).scaled(Scaling.FP8_GROUP_128), cases);
        return cases.build();
    }

    private static void gates(MoeGate.Score score, Stream.Builder<OpCase> cases) {
        for (int[] s : new int[][] {{0, 16, 3}, {1, 1, 1}, {7, 33, 6}, {33, 16, 16}, {17, 130, 6}}) {
            cases.add(scored(score, s[0], s[1], s[2], Data.uniform(-4, 4)).withGaps(0));
        }
        for (int[] s : new int[][] {{0, 16, 3}, {17, 130, 6}}) {
            cases.add(OpCase.of(
                    new MoeGate(s[2], score, true, 1.5f),
                    Operand.of(
                            TensorType.of(DType.F32, s[0], s[1]),
                            Data.uniform(-4, 4).withNan()),
                    Operand.of(TensorType.of(DType.I32, s[0]), Data.ints(0, 5)),
                    Operand.ints(choices(5, s[1], s[2]), 5, s[2])));
        }
        cases.add(scored(score, 3, 17, 6, Data.constant(0.25)).noted("ties"));
        cases.add(scored(score, 3, 17, 6, Data.uniform(-4, 4).withNan()).noted("NaN"));
        cases.add(scored(score, 3, 17, 6, Data.of(19.9, 20, 20.1, 80, -80, 0)).noted("extremes"));
    }

    private static OpCase scored(MoeGate.Score score, int rows, int experts, int k, Data logits) {
        boolean ties = rows == 3;
        return OpCase.of(
                new MoeGate(k, score, false, 2.5f),
                Operand.of(TensorType.of(DType.F32, rows, experts), logits),
                Operand.of(TensorType.of(DType.F32, experts), ties ? Data.constant(0) : Data.uniform(-0.2, 0.2)));
    }

    /** Distinct experts per row, ascending. */
    private static int[] choices(int rows, int experts, int k) {
        SplittableRandom random = new SplittableRandom(rows + 31L * experts);
        int[] all = new int[rows * k];
        for (int i = 0; i < rows; i++) {
            int left = k;
            for (int e = 0; e < experts && left > 0; e++) {
                if (random.nextInt(experts - e) < left) {
                    all[i * k + k - left--] = e;
                }
            }
        }
        return all;
    }

    private static void dispatch(TensorType x, Stream.Builder<OpCase> cases) {
        for (int[] s :
                new int[][] {{0, 16, 8, 2}, {1, 33, 3, 1}, {7, 130, 16, 6}, {33, 256, 5, 5}, {17, 160, 130, 3}}) {
            Operand rows = Operand.of(x.shaped(dev.weft.Shape.of(s[0], s[1])), Data.random());
            cases.add(OpCase.of(
                            new MoeDispatch(s[2]),
                            rows,
                            Operand.ints(choices(s[0], s[2], s[3]), s[0], s[3]),
                            Operand.random(DType.F32, s[0], s[3]))
                    .withGaps(0));
        }
        Operand rows = Operand.of(x.shaped(dev.weft.Shape.of(7, 130)), Data.random());
        int[] places = choices(7, 16, 3);
        Arrays.fill(places, 6, 12, -1); // two rows that hold nothing
        for (int first : new int[] {0, 4, 12}) {
            cases.add(OpCase.of(
                            new MoeDispatch(4, first, 16),
                            rows,
                            Operand.ints(places, 7, 3),
                            Operand.random(DType.F32, 7, 3))
                    .withGaps(0)
                    .noted("experts from " + first + " on"));
        }
    }

    /** Experts of three ranks, of which each holds two of its own and one that all have. */
    private static void places(Stream.Builder<OpCase> cases) {
        ExpertTable table = new ExpertTable(7, List.of(List.of(0, 1, 6), List.of(2, 3, 6), List.of(4, 5, 6)));
        for (int[] s : new int[][] {{0, 3, 2}, {1, 1, 1}, {5, 9, 3}, {33, 33, 7}}) {
            MoePlaces op = new MoePlaces(table, s[2] % 3, Dim.fixed(s[1]));
            cases.add(OpCase.of(op, Operand.ints(choices(s[0], 7, s[2]), s[0], s[2])));
        }
    }

    private static void unsort(DType d, Stream.Builder<OpCase> cases) {
        for (int[] s : new int[][] {{0, 16}, {1, 1}, {42, 33}, {99, 130}, {17, 1024}}) {
            Operand y = Operand.of(TensorType.of(d, s[0], s[1]), Data.random().withNan());
            cases.add(OpCase.of(new Unsort(), y, Operand.ints(permutation(s[0]), s[0]))
                    .withGaps(0));
        }
    }

    private static void activations(DType d, Stream.Builder<OpCase> cases) {
        for (int[] s : new int[][] {{0, 16}, {1, 1}, {3, 130}, {17, 33}, {130, 16}}) {
            TensorType type = TensorType.of(d, s[0], s[1]);
            Operand gate = Operand.of(type, Data.uniform(-14, 14).withNan());
            Operand up = Operand.of(type, Data.uniform(-14, 14));
            cases.add(OpCase.of(new SwiGlu(10, true), gate, up, Operand.random(DType.F32, s[0]))
                    .withGaps(0));
            cases.add(OpCase.of(new SwiGlu(Float.POSITIVE_INFINITY, false), gate, up)
                    .withGaps(1));
        }
        Operand far = Operand.of(TensorType.of(d, 3, 17), Data.of(-100, 100, 0, -1e30, 88, -88));
        cases.add(
                OpCase.of(new SwiGlu(10, false), far, Operand.random(d, 3, 17)).noted("extremes"));
        Operand nan = Operand.of(TensorType.of(d, 3, 17), Data.random().withNan());
        cases.add(
                OpCase.of(new SwiGlu(10, false), Operand.random(d, 3, 17), nan).noted("NaN up"));
    }

    private static void combine(DType d, Stream.Builder<OpCase> cases) {
        for (int[] s : new int[][] {{0, 16, 2}, {1, 1, 1}, {7, 33, 6}, {33, 130, 3}}) {
            Operand y = Operand.of(
                    TensorType.of(d, s[0] * s[2], s[1]), Data.random().withNan());
            Operand source = Operand.ints(permutation(s[0] * s[2]), s[0] * s[2]);
            cases.add(OpCase.of(new MoeCombine(), y, source, Operand.random(d, s[0], s[1]))
                    .withGaps(0, 2));
        }
    }

    private static int[] permutation(int n) {
        int[] p = new int[n];
        java.util.Arrays.setAll(p, i -> i);
        SplittableRandom random = new SplittableRandom(n);
        for (int i = n - 1; i > 0; i--) {
            int j = random.nextInt(i + 1);
            int t = p[i];
            p[i] = p[j];
            p[j] = t;
        }
        return p;
    }
}
