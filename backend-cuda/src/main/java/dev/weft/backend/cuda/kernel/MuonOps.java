package dev.weft.backend.cuda.kernel;

import dev.weft.op.Op;
import java.util.List;
import java.util.Map;

/** Muon's step. */
final class MuonOps {
    static final Map<Class<? extends Op>, List<Way>> WAYS = Map.of();

    private MuonOps() {}
}
