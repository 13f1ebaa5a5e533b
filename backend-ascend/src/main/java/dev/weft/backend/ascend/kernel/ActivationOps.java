package dev.weft.backend.ascend.kernel;

import dev.weft.op.Op;
import dev.weft.op.OpInstance;
import dev.weft.op.SwiGlu;
import java.util.List;
import java.util.Map;

/** Gated activations. */
final class ActivationOps {
    static final Map<Class<? extends Op>, List<Candidate>> WAYS = Map.of(
            SwiGlu.class,
            List.of(
                    Way.of("aclnnSwigluGroup", ActivationOps::group)
                            .needing(Profile.Capability.SWIGLU_GROUP),
                    Way.composite(ActivationOps::simple)));

    private ActivationOps() {}

    /** The operator wants gate and up side by side; joining them costs one copy and saves up to eight passes. */
    private static void group(OpInstance op, Emit e) {
        SwiGlu o = (SwiGlu) op.op();
        Calls c = new Calls(e);
        Ten gate = e.operand(0);
        Ten y = e.operand(op.inputs().size());
        Ten both = e.temp(gate.type(), gate.dim(0), 2 * gate.dim(1));
        c.concat(List.of(gate, e.operand(1)), 1, both);
        Ten target = y.isDense() ? y : e.temp(y.type(), y.dims());
        double limit = Float.isInfinite(o.limit()) ? -1 : o.limit();
        e.call("aclnnSwigluGroup", both, o.weighted() ? e.operand(2) : null, null, limit, target);
        if (target != y) {
            c.copy(target, y);
        }
    }

    private static void simple(OpInstance op, Emit e) {
        SwiGlu o = (SwiGlu) op.op();
        Calls c = new Calls(e);
        Ten gate = c.float32(e.operand(0));
        Ten up = c.float32(e.operand(1));
        if (!Float.isInfinite(o.limit())) {
            gate = c.clamp(gate, null, Scalar.of(o.limit()));
            up = c.clamp(up, Scalar.of(-o.limit()), Scalar.of(o.limit()));
        }
        Ten y = e.operand(op.inputs().size());
        Ten wide = c.wide(y);
        if (o.weighted()) {
            Ten weights = e.operand(2);
            c.mul(c.mul(c.silu(gate), up), weights.view(weights.elements(), 1), wide);
        } else {
            c.mul(c.silu(gate), up, wide);
        }
        c.round(wide, y);
    }
}
