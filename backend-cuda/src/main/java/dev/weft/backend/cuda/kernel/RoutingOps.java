package dev.weft.backend.cuda.kernel;

import dev.weft.op.Op;
import java.util.List;
import java.util.Map;

/** Gate, dispatch, SwiGLU and combine of the mixture of experts. */
final class RoutingOps {
    static final Map<Class<? extends Op>, List<Way>> WAYS = Map.of();

    private RoutingOps() {}
}
