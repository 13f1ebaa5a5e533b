package dev.weft.backend.cuda.kernel;

import dev.weft.op.Op;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The table of operators: for each contract the ways to run it, in order of preference. */
public final class CudaOps {
    private static final Map<Class<? extends Op>, List<Way>> TABLE = table();

    private CudaOps() {}

    private static Map<Class<? extends Op>, List<Way>> table() {
        Map<Class<? extends Op>, List<Way>> all = new HashMap<>();
        List.of(
                        PlainOps.WAYS,
                        NormOps.WAYS,
                        QuantOps.WAYS,
                        SelectOps.WAYS,
                        HyperOps.WAYS,
                        GemmOps.WAYS,
                        RoutingOps.WAYS,
                        CacheOps.WAYS,
                        AttentionOps.WAYS,
                        IndexOps.WAYS,
                        MuonOps.WAYS)
                .forEach(all::putAll);
        return Map.copyOf(all);
    }

    /** Ways to run {@code op}, fast ones first and the simple one last; empty if there is none. */
    public static List<Way> ways(Op op) {
        return TABLE.getOrDefault(op.getClass(), List.of());
    }
}
