package dev.weft.conformance;

import dev.weft.DType;
import dev.weft.TensorType;
import dev.weft.op.Sample;
import dev.weft.op.Softmax;
import dev.weft.op.TopK;
import java.util.stream.Stream;

/** Softmax, top-k and the draw of a token. */
final class SelectCases {
    private SelectCases() {}

    static Stream<OpCase> all() {
        Stream.Builder<OpCase> cases = Stream.builder();
        for (DType d : PlainCases.FLOWS) {
            softmax(d, cases);
            topK(d, cases);
        }
        samples(cases);
        return cases.build();
    }

    private static void softmax(DType d, Stream.Builder<OpCase> cases) {
        int[] widths = {16, 1, 33, 130, 7, 17, 256, 3};
        for (int i = PlainCases.FLOWS.indexOf(d); i < widths.length; i += 2) {
            Operand x = Operand.of(
                    TensorType.of(d, OpCases.ROWS[i], widths[i]),
                    Data.uniform(-20, 20).withNan());
            cases.add(
                    i % 4 < 2
                            ? OpCase.of(new Softmax(), x)
                            : OpCase.of(new Softmax(), x).withGaps(0));
        }
        Operand wide = Operand.of(TensorType.of(d, 2, 4097), Data.uniform(-9, 9));
        cases.add(OpCase.of(new Softmax(), wide));
        Data nothing = Data.constant(Double.NEGATIVE_INFINITY);
        cases.add(OpCase.of(new Softmax(), Operand.of(TensorType.of(d, 2, 33), nothing))
                .noted("all masked"));
        Data masked = Data.of(1, Double.NEGATIVE_INFINITY, 100, -100, 3);
        cases.add(OpCase.of(new Softmax(), Operand.of(TensorType.of(d, 3, 17), masked))
                .noted("partly masked"));
    }

    private static void topK(DType d, Stream.Builder<OpCase> cases) {
        for (int[] s : new int[][] {{0, 17, 3}, {1, 1, 1}, {7, 33, 16}, {3, 130, 7}, {17, 16, 16}, {3, 257, 17}}) {
            TensorType type = TensorType.of(d, s[0], s[1]);
            cases.add(OpCase.of(new TopK(s[2]), Operand.of(type, Data.random().withNan()))
                    .withGaps(0));
            cases.add(OpCase.of(new TopK(s[2]), Operand.of(type, Data.ints(-2, 2)))
                    .noted("ties"));
        }
        cases.add(OpCase.of(new TopK(512), Operand.random(d, 2, 6007)));
        cases.add(OpCase.of(new TopK(300), Operand.random(d, 2, 33001)));
        cases.add(OpCase.of(new TopK(100), Operand.of(TensorType.of(d, 1, 33001), Data.ints(0, 3)))
                .noted("ties"));
        Operand same = Operand.of(TensorType.of(d, 3, 33), Data.constant(0.5));
        cases.add(OpCase.of(new TopK(7), same).noted("constant"));
        Data edges = Data.of(0.0, Float.NaN, -0.5, Double.NEGATIVE_INFINITY, Double.POSITIVE_INFINITY, Float.NaN, 1);
        cases.add(OpCase.of(new TopK(7), Operand.of(TensorType.of(d, 2, 7), edges))
                .noted("NaN last"));
    }

    private static void samples(Stream.Builder<OpCase> cases) {
        for (int rows : new int[] {0, 1, 7, 33}) {
            cases.add(sample(rows, 130, Data.uniform(-5, 5), Data.of(1, 0.6, 0, 2), Data.of(1, 0.9, 0.3)));
        }
        cases.add(sample(7, 33, Data.constant(1), Data.constant(0), Data.constant(1))
                .noted("greedy tie"));
        cases.add(sample(7, 17, Data.uniform(-5, 5).withNan(), Data.constant(0.7), Data.constant(0.95))
                .noted("NaN"));
        cases.add(sample(3, 7, Data.constant(Float.NaN), Data.of(0, 1), Data.constant(0.5))
                .noted("nothing finite"));
        cases.add(sample(3, 6007, Data.uniform(-20, 20), Data.of(1, 0, 0.5), Data.of(0.9, 1, 1)));
        cases.add(sample(7, 257, Data.uniform(-1, 1), Data.constant(1), Data.constant(0))
                .noted("topP 0"));
    }

    private static OpCase sample(int rows, int vocabulary, Data logits, Data temperature, Data topP) {
        TensorType perRow = TensorType.of(DType.F32, rows);
        return OpCase.of(
                new Sample(),
                Operand.of(TensorType.of(DType.F32, rows, vocabulary), logits),
                Operand.of(perRow, temperature),
                Operand.of(perRow, topP),
                Operand.of(perRow, Data.uniform(0, 1)));
    }
}
