package dev.weft.backend.ascend.kernel;

import dev.weft.op.Op;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** The table of operators: for each contract the ways to run it, in order of preference. */
public final class AscendOps {
    private static final Map<Class<? extends Op>, List<Candidate>> TABLE = table();

    private AscendOps() {}

    private static Map<Class<? extends Op>, List<Candidate>> table() {
        List<Map<Class<? extends Op>, List<Candidate>>> families = List.of(
                PlainOps.WAYS,
                NormOps.WAYS,
                RotaryOps.WAYS,
                SelectOps.WAYS,
                QuantOps.WAYS,
                GemmOps.WAYS,
                ExpertOps.WAYS,
                ActivationOps.WAYS,
                MuonOps.WAYS,
                HyperOps.WAYS,
                RoutingOps.WAYS,
                CacheOps.WAYS,
                AttentionOps.WAYS,
                IndexOps.WAYS);
        Map<Class<? extends Op>, List<Candidate>> all = new HashMap<>();
        families.forEach(all::putAll);
        return Map.copyOf(all);
    }

    /** Ways to run {@code op}, fused functions first and the composite last; empty if there is none. */
    public static List<Candidate> candidates(Op op) {
        return TABLE.getOrDefault(op.getClass(), List.of());
    }
}
