package dev.weft.conformance;

import dev.weft.DType;
import dev.weft.TensorType;
import dev.weft.op.Add;
import dev.weft.op.Cast;
import dev.weft.op.Concat;
import dev.weft.op.Expand;
import dev.weft.op.Gather;
import dev.weft.op.Mul;
import dev.weft.op.Scale;
import dev.weft.op.Slice;
import java.util.List;
import java.util.stream.Stream;

/** Copies and elementwise arithmetic. */
final class PlainCases {
    /** Dtypes of a flow. */
    static final List<DType> FLOWS = List.of(DType.F32, DType.BF16);

    private static final int[][] SHAPES = {{0, 17}, {1, 1}, {7, 33}, {17, 130}, {130, 3}};

    private PlainCases() {}

    static Stream<OpCase> all() {
        Stream.Builder<OpCase> integers = Stream.builder();
        joins(DType.I32, integers);
        return Stream.concat(FLOWS.stream().flatMap(PlainCases::flow), integers.build());
    }

    private static Stream<OpCase> flow(DType d) {
        Stream.Builder<OpCase> cases = Stream.builder();
        for (int[] s : SHAPES) {
            Operand x = Operand.of(TensorType.of(d, s[0], s[1]), Data.random().withNan());
            Operand y = Operand.random(d, s[0], s[1]);
            cases.add(OpCase.of(new Add(), x, y));
            cases.add(OpCase.of(new Mul(), x, y).withGaps(0));
            cases.add(OpCase.of(new Scale(0.3f), x).withGaps(0));
            cases.add(OpCase.of(new Cast(d == DType.F32 ? DType.BF16 : DType.F32), x)
                    .withGaps(0));
            cases.add(OpCase.of(new Expand(4), x));
        }
        cases.add(OpCase.of(new Add(), Operand.random(d, 3, 5, 7), Operand.random(d, 3, 5, 7))
                .withGaps(1));
        Data edges = Data.of(
                0.0, -0.0, Float.MAX_VALUE, 1e-40, Double.POSITIVE_INFINITY, Float.NaN, -1.00390625, 1.01171875);
        cases.add(OpCase.of(new Cast(DType.BF16), Operand.of(TensorType.of(d, 2, 8), edges))
                .noted("edges"));
        cases.add(OpCase.of(new Cast(DType.F32), Operand.of(TensorType.of(d, 2, 8), edges))
                .noted("edges"));
        cases.add(OpCase.of(new Expand(1), Operand.random(d, 7, 33)).withGaps(0));
        joins(d, cases);
        gathers(d, cases);
        return cases.build();
    }

    private static void joins(DType d, Stream.Builder<OpCase> cases) {
        Data data = d == DType.I32 ? Data.ints(-9, 1000) : Data.random();
        for (int rows : new int[] {0, 3, 33}) {
            Operand a = Operand.of(TensorType.of(d, rows, 17), data);
            Operand b = Operand.of(TensorType.of(d, rows, 130), data);
            cases.add(OpCase.of(new Concat(), a, b).withGaps(1));
            cases.add(OpCase.of(new Slice(7, 33), b).withGaps(0));
        }
        cases.add(OpCase.of(
                new Concat(),
                Operand.of(TensorType.of(d, 3, 2, 5), data),
                Operand.of(TensorType.of(d, 3, 2, 1), data)));
        cases.add(OpCase.of(new Slice(0, 5), Operand.of(TensorType.of(d, 3, 2, 5), data)));
    }

    private static void gathers(DType d, Stream.Builder<OpCase> cases) {
        for (DType out : FLOWS) {
            if (out == DType.F32 || out == d) {
                Operand table = Operand.random(d, 17, 33);
                int[] outside = {16, 0, -1, 5, 17, 5, Integer.MAX_VALUE};
                cases.add(OpCase.of(new Gather(out), table, Operand.ints(outside, 7))
                        .noted("ids out of range"));
                cases.add(OpCase.of(new Gather(out), table, Operand.of(TensorType.of(DType.I32, 33), Data.ints(0, 17)))
                        .withGaps(0));
                cases.add(OpCase.of(new Gather(out), table, Operand.ints(new int[0], 0)));
                cases.add(OpCase.of(new Gather(out), Operand.random(d, 3, 2, 7), Operand.ints(new int[] {2, 0}, 2)));
            }
        }
    }
}
