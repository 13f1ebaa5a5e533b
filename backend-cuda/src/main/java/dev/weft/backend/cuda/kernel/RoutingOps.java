package dev.weft.backend.cuda.kernel;

import dev.weft.op.MoeCombine;
import dev.weft.op.MoeDispatch;
import dev.weft.op.MoeGate;
import dev.weft.op.Op;
import dev.weft.op.OpInstance;
import dev.weft.op.SwiGlu;
import dev.weft.spi.KernelArguments;
import java.util.List;
import java.util.Map;

/** Gate, dispatch, SwiGLU and combine of the mixture of experts. */
final class RoutingOps {
    private static final int THREADS = 256;
    private static final int WARP = 32;

    static final Map<Class<? extends Op>, List<Way>> WAYS = Map.of(
            MoeGate.class,
                    List.of(Way.simple("moe_gate", RoutingOps::gate).attributes(RoutingOps::gateAttributes)),
            MoeDispatch.class, List.of(Way.simple("moe_dispatch", RoutingOps::dispatch)),
            SwiGlu.class,
                    List.of(Way.simple("swi_glu", RoutingOps::swiGlu).attributes(RoutingOps::swiGluAttributes)),
            MoeCombine.class,
                    List.of(Way.simple("moe_combine", RoutingOps::combine).scratch((op, chip) -> placeBytes(op))));

    private RoutingOps() {}

    private static Attributes gateAttributes(OpInstance op) {
        MoeGate gate = (MoeGate) op.op();
        return Attributes.of(gate.topK(), gate.score().ordinal(), gate.hashed() ? 1 : 0, bits(gate.routeScale()));
    }

    private static void gate(Emit e) {
        e.launch("moe", "moe_gate_simple", Grid.covering(e.arguments().dim(0, 0), THREADS / WARP), THREADS, 0);
    }

    private static void dispatch(Emit e) {
        KernelArguments a = e.arguments();
        e.launch("moe", "moe_order", Grid.of(a.dim(6, 0)), THREADS, 0);
        e.launch("moe", "moe_copy", Grid.of(a.dim(3, 0)), THREADS, 0);
    }

    private static Attributes swiGluAttributes(OpInstance op) {
        SwiGlu swiGlu = (SwiGlu) op.op();
        return Attributes.of(bits(swiGlu.limit()), swiGlu.weighted() ? 1 : 0);
    }

    private static void swiGlu(Emit e) {
        e.launch("moe", "swi_glu_simple", Grid.covering(e.arguments().elements(0), THREADS), THREADS, 0);
    }

    private static void combine(Emit e) {
        KernelArguments a = e.arguments();
        e.launch("moe", "moe_places", Grid.covering(a.dim(1, 0), THREADS), THREADS, 0);
        e.launch("moe", "moe_combine_simple", Grid.covering(a.elements(3), THREADS), THREADS, 0);
    }

    private static long placeBytes(OpInstance op) {
        return Integer.BYTES * op.inputs().get(1).maxElements();
    }

    private static long bits(double value) {
        return Double.doubleToRawLongBits(value);
    }
}
