package dev.weft.conformance;

import dev.weft.DType;
import dev.weft.Dim;
import dev.weft.Scaling;
import dev.weft.Shape;
import dev.weft.TensorType;
import dev.weft.op.AllGather;
import dev.weft.op.AllReduce;
import dev.weft.op.AllToAll;
import dev.weft.op.AllToAllV;
import dev.weft.op.Broadcast;
import dev.weft.op.ExpertTable;
import dev.weft.op.GatherColumns;
import dev.weft.op.GatherRows;
import dev.weft.op.MoeGather;
import dev.weft.op.MoeReturn;
import dev.weft.op.MoeSend;
import dev.weft.op.ReduceScatter;
import dev.weft.op.RowCounts;
import dev.weft.op.ScatterColumns;
import java.util.stream.Stream;

/** Collectives on one rank, where each is a copy. More ranks need more devices than a case has. */
final class CollectiveCases {
    private CollectiveCases() {}

    static Stream<OpCase> all() {
        Stream.Builder<OpCase> cases = Stream.builder();
        for (DType d : PlainCases.FLOWS) {
            for (int[] s : new int[][] {{0, 16}, {7, 33}}) {
                Operand x =
                        Operand.of(TensorType.of(d, s[0], s[1]), Data.random().withNan());
                cases.add(OpCase.of(new AllReduce(1), x));
                cases.add(OpCase.of(new AllGather(1), x));
                cases.add(OpCase.of(new ReduceScatter(1), x));
                cases.add(OpCase.of(new Broadcast(1), x));
                Operand counts = Operand.of(TensorType.of(DType.I64, 1), Data.constant(s[0]));
                cases.add(OpCase.of(new AllToAll(1), x));
                cases.add(OpCase.of(new AllToAllV(1), x, counts));
                Dim rows = Dim.fixed(s[0]);
                cases.add(OpCase.of(new RowCounts(1, rows), x));
                cases.add(OpCase.of(new GatherRows(1, rows), x, counts));
                cases.add(OpCase.of(new ScatterColumns(1, rows), x, counts));
                cases.add(OpCase.of(new GatherColumns(1, rows), x, counts));
            }
        }
        for (DType d : PlainCases.FLOWS) {
            experts(TensorType.of(d, 0), cases);
        }
        experts(TensorType.of(DType.F8_E4M3, 0).scaled(Scaling.FP8_GROUP_128), cases);
        return cases.build();
    }

    /** One rank that holds three experts, of which the second has no rows. */
    private static void experts(TensorType rows, Stream.Builder<OpCase> cases) {
        ExpertTable table = ExpertTable.contiguous(3, 1);
        Operand offsets = Operand.ints(new int[] {0, 2, 2, 5}, 4);
        Operand x = Operand.of(rows.shaped(Shape.of(5, 130)), Data.random());
        Operand places = Operand.ints(new int[] {0, 2, 1, 2, -1, -1, 0, 1, 0, 2}, 5, 2);
        cases.add(OpCase.of(new MoeGather(1, Dim.fixed(5)), x, Operand.random(DType.F32, 5, 2), places));
        cases.add(OpCase.of(new MoeSend(table, Dim.fixed(5)), x, Operand.random(DType.F32, 5), offsets));
        if (rows.scaling().isNone()) {
            Operand counts = Operand.of(TensorType.of(DType.I64, 1, 3), Data.of(2, 0, 3));
            cases.add(OpCase.of(new MoeReturn(table, Dim.fixed(5)), x, counts, offsets));
        }
    }
}
