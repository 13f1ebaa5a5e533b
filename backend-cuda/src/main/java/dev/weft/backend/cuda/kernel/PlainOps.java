package dev.weft.backend.cuda.kernel;

import dev.weft.op.Add;
import dev.weft.op.AllGather;
import dev.weft.op.AllReduce;
import dev.weft.op.AllToAll;
import dev.weft.op.AllToAllV;
import dev.weft.op.Broadcast;
import dev.weft.op.Cast;
import dev.weft.op.Concat;
import dev.weft.op.Expand;
import dev.weft.op.Gather;
import dev.weft.op.Mul;
import dev.weft.op.Op;
import dev.weft.op.OpInstance;
import dev.weft.op.ReduceScatter;
import dev.weft.op.Scale;
import dev.weft.op.Slice;
import dev.weft.spi.KernelArguments;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.ToIntFunction;

/** Copies, elementwise arithmetic, and collectives of one rank. */
final class PlainOps {
    static final Map<Class<? extends Op>, List<Way>> WAYS = ways();

    private static final int THREADS = 256;

    /** Elements that a thread of the fast kernels moves. */
    private static final int RUN = 8;

    private PlainOps() {}

    private static Map<Class<? extends Op>, List<Way>> ways() {
        Map<Class<? extends Op>, List<Way>> ways = new HashMap<>();
        ways.put(Gather.class, List.of(runs("gather"), elementwise("gather")));
        ways.put(Expand.class, List.of(runs("expand"), elementwise("expand")));
        ways.put(Add.class, List.of(runs("add"), elementwise("add")));
        ways.put(Mul.class, List.of(runs("mul"), elementwise("mul")));
        ways.put(Cast.class, List.of(runs("cast"), elementwise("cast")));
        ways.put(Concat.class, List.of(elementwise("concat")));
        ways.put(Scale.class, List.of(scaled(runs("scale")), scaled(elementwise("scale"))));
        ways.put(Slice.class, List.of(elementwise("slice").attributes(op -> Attributes.of(((Slice) op.op()).from()))));
        ways.put(AllReduce.class, copy(op -> ((AllReduce) op).ranks()));
        ways.put(AllGather.class, copy(op -> ((AllGather) op).ranks()));
        ways.put(ReduceScatter.class, copy(op -> ((ReduceScatter) op).ranks()));
        ways.put(Broadcast.class, copy(op -> ((Broadcast) op).ranks()));
        ways.put(AllToAll.class, copy(op -> ((AllToAll) op).ranks()));
        ways.put(AllToAllV.class, copy(op -> ((AllToAllV) op).ranks()));
        return ways;
    }

    /** One thread per element of the result. */
    private static Way elementwise(String function) {
        return Way.simple(function, e -> {
            int result = e.arguments().count() - 1;
            e.launch("plain", function, Grid.covering(e.arguments().elements(result), THREADS), THREADS, 0);
        });
    }

    /** One thread per run of elements of the result. */
    private static Way runs(String function) {
        return Way.fast(function, e -> {
            KernelArguments a = e.arguments();
            int result = a.count() - 1;
            long columns = a.rank(result) == 0 ? 1 : a.dim(result, -1);
            long runs = a.elements(result) / columns * Math.ceilDiv(columns, (long) RUN);
            e.launch("plain_fast", function + "_runs", Grid.covering(runs, THREADS), THREADS, 0);
        });
    }

    private static Way scaled(Way way) {
        return way.attributes(op -> Attributes.of(Double.doubleToRawLongBits(((Scale) op.op()).factor())));
    }

    /** What a collective does on one rank. */
    private static List<Way> copy(ToIntFunction<Op> ranks) {
        return List.of(elementwise("copy")
                .attributes(op -> Attributes.of(op.inputs().size()))
                .refusing((op, chip) -> peers(op, ranks.applyAsInt(op.op()))));
    }

    private static Optional<String> peers(OpInstance op, int ranks) {
        return ranks == 1
                ? Optional.empty()
                : Optional.of(op.op().name() + " of " + ranks + " ranks: CUDA devices have no communicator");
    }
}
