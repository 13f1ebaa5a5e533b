package dev.weft.conformance;

import dev.weft.DType;
import dev.weft.TensorType;
import dev.weft.op.AllGather;
import dev.weft.op.AllReduce;
import dev.weft.op.AllToAllV;
import dev.weft.op.Broadcast;
import dev.weft.op.ReduceScatter;
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
                cases.add(OpCase.of(new AllToAllV(1), x, counts));
            }
        }
        return cases.build();
    }
}
