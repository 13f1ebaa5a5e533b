package dev.weft.conformance;

import dev.weft.DType;
import dev.weft.TensorType;
import dev.weft.op.HyperHead;
import dev.weft.op.HyperPost;
import dev.weft.op.HyperPre;
import java.util.stream.Stream;

/** Hyper-connections. */
final class HyperCases {
    private static final float EPS = 1e-6f;

    private static final int[][] SHAPES = {
        {0, 4, 16}, {1, 4, 1}, {7, 4, 33}, {33, 4, 130}, {17, 2, 16}, {3, 1, 17}, {33, 4, 520}, {2, 4, 1100}
    };

    private HyperCases() {}

    static Stream<OpCase> all() {
        Stream.Builder<OpCase> cases = Stream.builder();
        for (DType d : PlainCases.FLOWS) {
            cases.add(pre(d, 257, 4, 300, 20));
            for (int[] s : SHAPES) {
                Operand x = Operand.of(
                        TensorType.of(d, s[0], s[1], s[2]), Data.random().withNan());
                cases.add(pre(d, s[0], s[1], s[2], s[1] == 4 ? 20 : 1));
                cases.add(head(x, s[1], s[2]).withGaps(0));
                cases.add(OpCase.of(
                                new HyperPost(),
                                Operand.random(d, s[0], s[2]),
                                x,
                                Operand.random(DType.F32, s[0], s[1]),
                                Operand.random(DType.F32, s[0], s[1], s[1]))
                        .withGaps(0, 1));
            }
        }
        return cases.build();
    }

    static OpCase pre(DType d, int rows, int streams, int width, int iterations) {
        int mixes = (2 + streams) * streams;
        TensorType x = TensorType.of(d, rows, streams, width);
        return OpCase.of(
                        new HyperPre(streams, iterations, EPS, EPS),
                        Operand.of(x, Data.random().withNan()),
                        projection(mixes, streams * width),
                        Operand.of(TensorType.of(DType.F32, 3), Data.uniform(0.2, 1)),
                        Operand.random(DType.F32, mixes))
                .withGaps(0);
    }

    private static OpCase head(Operand x, int streams, int width) {
        return OpCase.of(
                new HyperHead(streams, EPS, EPS),
                x,
                projection(streams, streams * width),
                Operand.of(TensorType.of(DType.F32, 1), Data.uniform(0.2, 1)),
                Operand.random(DType.F32, streams));
    }

    /** Rows of about unit length, so that mixes stay where the sigmoid bends. */
    private static Operand projection(int mixes, int columns) {
        double size = 1.7 / Math.sqrt(columns);
        return Operand.of(TensorType.of(DType.F32, mixes, columns), Data.uniform(-size, size));
    }
}
