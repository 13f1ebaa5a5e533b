package dev.weft.backend.cuda.kernel;

import dev.weft.DType;
import dev.weft.op.MoeCombine;
import dev.weft.op.MoeDispatch;
import dev.weft.op.MoeGate;
import dev.weft.op.MoePlaces;
import dev.weft.op.Op;
import dev.weft.op.OpInstance;
import dev.weft.op.SwiGlu;
import dev.weft.op.Unsort;
import dev.weft.spi.KernelArguments;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Gate, dispatch, SwiGLU and combine of the mixture of experts. */
final class RoutingOps {
    private static final int THREADS = 256;
    private static final int WARP = 32;

    /** Consecutive elements of a thread of the fast kernels. */
    private static final int RUN = 8;

    /** Choices of all rows up to which each block of distribution and combination looks for its own among them. */
    static final long FEW = 1024;

    private static final int STATIC_SHARED = 48 << 10;

    static final Map<Class<? extends Op>, List<Way>> WAYS = Map.of(
            MoeGate.class,
                    List.of(
                            Way.fast("moe_gate", RoutingOps::gate)
                                    .refusing((op, chip) -> gateRefusal(op))
                                    .attributes(RoutingOps::gateAttributes),
                            Way.simple("moe_gate", RoutingOps::simpleGate).attributes(RoutingOps::gateAttributes)),
            MoeDispatch.class,
                    List.of(
                            Way.fast("moe_dispatch", RoutingOps::dispatch).attributes(RoutingOps::dispatchAttributes),
                            Way.simple("moe_dispatch", RoutingOps::simpleDispatch)
                                    .attributes(RoutingOps::dispatchAttributes)),
            MoePlaces.class,
                    List.of(Way.simple("moe_addresses", RoutingOps::addresses)
                            .attributes(RoutingOps::addressAttributes)),
            Unsort.class, List.of(Way.simple("unsort", RoutingOps::unsort)),
            SwiGlu.class,
                    List.of(
                            Way.fast("swi_glu", RoutingOps::swiGlu).attributes(RoutingOps::swiGluAttributes),
                            Way.simple("swi_glu", RoutingOps::simpleSwiGlu).attributes(RoutingOps::swiGluAttributes)),
            MoeCombine.class,
                    List.of(
                            Way.fast("moe_combine", RoutingOps::combine).scratch((op, chip) -> placeBytes(op)),
                            Way.simple("moe_combine", RoutingOps::simpleCombine)
                                    .scratch((op, chip) -> placeBytes(op))));

    private RoutingOps() {}

    private static Attributes gateAttributes(OpInstance op) {
        MoeGate gate = (MoeGate) op.op();
        return Attributes.of(gate.topK(), gate.score().ordinal(), gate.hashed() ? 1 : 0, bits(gate.routeScale()));
    }

    /** Shared memory of a row of the fast gate; known to the kernel. */
    static int gateBytes(long experts, long k) {
        long words = experts * (Long.BYTES + Float.BYTES) + k * Integer.BYTES;
        return Math.toIntExact(Math.ceilDiv(words, (long) Long.BYTES) * Long.BYTES);
    }

    /** Whether one block can choose for so many rows at once. */
    static boolean isOneBlock(long rows, long experts, long k) {
        return rows <= THREADS / WARP && rows * gateBytes(experts, k) <= STATIC_SHARED;
    }

    private static Optional<String> gateRefusal(OpInstance op) {
        long experts = op.inputs().getFirst().shape().dim(1).maximum();
        return gateBytes(experts, ((MoeGate) op.op()).topK()) > STATIC_SHARED
                ? Optional.of(experts + " experts do not fit into shared memory")
                : Optional.empty();
    }

    private static void gate(Emit e) {
        KernelArguments a = e.arguments();
        int shared = gateBytes(a.dim(0, 1), a.dim(a.count() - 1, 1));
        e.launch("moe_fast", "moe_gate", Grid.of(a.dim(0, 0)), THREADS, shared);
    }

    private static void simpleGate(Emit e) {
        e.launch("moe", "moe_gate_simple", Grid.covering(e.arguments().dim(0, 0), THREADS / WARP), THREADS, 0);
    }

    private static Attributes dispatchAttributes(OpInstance op) {
        MoeDispatch dispatch = (MoeDispatch) op.op();
        return Attributes.of(dispatch.experts(), dispatch.first());
    }

    /** A block per pair looks at all of them: one launch as long as they are few. */
    private static void dispatch(Emit e) {
        KernelArguments a = e.arguments();
        long pairs = a.elements(1);
        if (pairs <= FEW) {
            e.launch("moe_fast", "moe_dispatch", Grid.of(Math.max(pairs, a.dim(6, 0))), THREADS, 0);
        } else {
            simpleDispatch(e);
        }
    }

    private static void simpleDispatch(Emit e) {
        KernelArguments a = e.arguments();
        e.launch("moe", "moe_order", Grid.of(a.dim(6, 0)), THREADS, 0);
        e.launch("moe", "moe_copy", Grid.of(a.dim(3, 0)), THREADS, 0);
    }

    private static Attributes addressAttributes(OpInstance op) {
        MoePlaces places = (MoePlaces) op.op();
        int[] of = places.places();
        float[] table = new float[of.length]; // exact below 2^24
        for (int e = 0; e < of.length; e++) {
            table[e] = of[e];
        }
        return new Attributes(List.of((long) places.table().slots()), List.of(table));
    }

    private static void addresses(Emit e) {
        e.launch("moe", "moe_addresses", Grid.covering(e.arguments().elements(1), THREADS), THREADS, 0);
    }

    private static void unsort(Emit e) {
        e.launch("moe", "unsort", Grid.of(e.arguments().dim(0, 0)), THREADS, 0);
    }

    private static Attributes swiGluAttributes(OpInstance op) {
        SwiGlu swiGlu = (SwiGlu) op.op();
        return Attributes.of(bits(swiGlu.limit()), swiGlu.weighted() ? 1 : 0);
    }

    private static void swiGlu(Emit e) {
        e.launch("moe_fast", "swi_glu_" + flow(e), rowsAndColumns(e.arguments(), 0, RUN), THREADS, 0);
    }

    private static String flow(Emit e) {
        return e.arguments().dtype(0) == DType.F32 ? "f32" : "bf16";
    }

    /** Rows of operand {@code i} along x, columns along y, so many a thread. */
    private static Grid rowsAndColumns(KernelArguments a, int i, int columns) {
        return Grid.of(a.dim(i, 0), Math.ceilDiv(a.dim(i, 1), THREADS * columns));
    }

    private static void simpleSwiGlu(Emit e) {
        e.launch("moe", "swi_glu_simple", rowsAndColumns(e.arguments(), 0, 1), THREADS, 0);
    }

    private static void combine(Emit e) {
        KernelArguments a = e.arguments();
        boolean few = a.dim(1, 0) <= FEW;
        if (!few) {
            places(e);
        }
        int shared = Math.toIntExact(a.dim(1, 0) / a.dim(3, 0) * Integer.BYTES);
        e.launch("moe_fast", "moe_combine_" + flow(e), rowsAndColumns(a, 3, RUN), THREADS, shared, few ? 1 : 0);
    }

    private static void places(Emit e) {
        e.launch("moe", "moe_places", Grid.covering(e.arguments().dim(1, 0), THREADS), THREADS, 0);
    }

    private static void simpleCombine(Emit e) {
        KernelArguments a = e.arguments();
        places(e);
        e.launch("moe", "moe_combine_simple", rowsAndColumns(a, 3, 1), THREADS, 0);
    }

    private static long placeBytes(OpInstance op) {
        return Integer.BYTES * op.inputs().get(1).maxElements();
    }

    private static long bits(double value) {
        return Double.doubleToRawLongBits(value);
    }
}
