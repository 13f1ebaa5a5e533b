package dev.weft.backend.ascend.kernel;

import dev.weft.DType;
import dev.weft.op.Op;
import dev.weft.op.OpInstance;
import dev.weft.op.SwiGlu;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Gated activations. */
final class ActivationOps {
    static final Map<Class<? extends Op>, List<Candidate>> WAYS = Map.of(
            SwiGlu.class,
            List.of(
                    Way.of("aclnnSwigluGroup", ActivationOps::group)
                            .needing(Profile.Capability.SWIGLU_GROUP)
                            .refusing(ActivationOps::limitFits),
                    Way.composite(ActivationOps::simple)));

    /** {@code clampLimit}: none. */
    private static final double NO_LIMIT = -1;

    private ActivationOps() {}

    private static Optional<String> limitFits(OpInstance op, Profile p) {
        DType flow = op.inputs().getFirst().dtype();
        float limit = ((SwiGlu) op.op()).limit();
        return flow.round(limit) == limit
                ? Optional.empty()
                : Optional.of("limit " + limit + " is no " + flow + " and would be rounded before the comparison");
    }

    /**
     * The operator wants gate and up side by side. Clamping them on the way there costs no more than joining them, and
     * keeps NaN, of which the operator's own clamp promises nothing.
     */
    private static void group(OpInstance op, Emit e) {
        SwiGlu o = (SwiGlu) op.op();
        Calls c = new Calls(e);
        Ten gate = e.operand(0);
        Ten y = e.operand(op.inputs().size());
        long width = gate.dim(1);
        Ten both = e.temp(gate.type(), gate.dim(0), 2 * width);
        if (Float.isInfinite(o.limit())) {
            c.concat(List.of(gate, e.operand(1)), 1, both);
        } else {
            c.clamp(gate, null, Scalar.of(o.limit()), both.slice(1, 0, width));
            c.clamp(e.operand(1), Scalar.of(-o.limit()), Scalar.of(o.limit()), both.slice(1, width, 2 * width));
        }
        Ten target = y.isDense() ? y : e.temp(y.type(), y.dims());
        e.call("aclnnSwigluGroup", both, o.weighted() ? e.operand(2) : null, null, NO_LIMIT, target);
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
