package dev.weft.backend.ascend.kernel;

import dev.weft.backend.ascend.abi.AclType;
import dev.weft.op.Op;
import dev.weft.op.OpInstance;
import dev.weft.op.Rotary;
import dev.weft.op.RotaryParameters;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Rotary position embedding. */
final class RotaryOps {
    static final Map<Class<? extends Op>, List<Candidate>> WAYS = Map.of(
            Rotary.class,
            List.of(
                    Way.of("aclnnInplacePartialRotaryMul", RotaryOps::inPlace).refusing(RotaryOps::shapes),
                    Way.composite(RotaryOps::simple)));

    /** {@code rotaryMode}: adjacent lanes are a pair. */
    private static final long INTERLEAVE = 1;

    private static final int MOST_LANES = 1024;

    private RotaryOps() {}

    /** Whether the last axis of the first operand can be rotated. */
    static Optional<String> shapes(OpInstance op, Profile p) {
        long width = op.outputs().getFirst().shape().last().maximum();
        return width % 2 == 0 && width <= MOST_LANES
                ? Optional.empty()
                : Optional.of("rows of " + width + " lanes: an even number up to " + MOST_LANES
                        + " is expected (ops-transformer docs aclnnInplacePartialRotaryMul)");
    }

    private static void inPlace(OpInstance op, Emit e) {
        Rotary o = (Rotary) op.op();
        Calls c = new Calls(e);
        Ten x = e.operand(0);
        Ten y = e.operand(2);
        long rows = x.dim(0);
        long width = x.dim(-1);
        Ten target = y.isDense() ? y : e.temp(y.type(), y.dims());
        c.copy(x, target);
        Ten heads = target.view(rows, x.elements() / rows / width, width);
        rotateInPlace(c, o.parameters(), heads, e.operand(1), o.inverse());
        if (target != y) {
            c.copy(target, y);
        }
    }

    /** Rows are batches of one token, the only form that every product broadcasts over heads. */
    static void rotateInPlace(Calls c, RotaryParameters p, Ten heads, Ten positions, boolean inverse) {
        long rows = heads.dim(0);
        long width = heads.dim(2);
        Angles a = Angles.perLane(c, p, positions, inverse);
        c.emit()
                .call(
                        "aclnnInplacePartialRotaryMul",
                        heads.view(rows, 1, heads.dim(1), width),
                        a.cos().view(rows, 1, 1, p.dim()),
                        a.sin().view(rows, 1, 1, p.dim()),
                        INTERLEAVE,
                        new long[] {width - p.dim(), width});
    }

    /** F32 rows {@code [rows, width]} of which the last lanes are rotated, each at its own position. */
    static Ten rotated(Calls c, RotaryParameters p, Ten x, Ten positions) {
        Ten y = c.emit().temp(AclType.FLOAT, x.dims());
        rotate(c, Angles.perPair(c, p, positions, false), x, y, x.dim(-1) - p.dim());
        return y;
    }

    /** {@code (x0*c - x1*s, x0*s + x1*c)} over strided halves, every product rounded to F32. */
    private static void simple(OpInstance op, Emit e) {
        Rotary o = (Rotary) op.op();
        Calls c = new Calls(e);
        Ten x = e.operand(0);
        Ten y = e.operand(2);
        long width = x.dim(-1);
        long first = width - o.parameters().dim();
        Angles a = Angles.perPair(c, o.parameters(), e.operand(1), o.inverse());
        long[] perRow = x.rank() == 3
                ? new long[] {x.dim(0), 1, o.parameters().dim() / 2}
                : new long[] {x.dim(0), o.parameters().dim() / 2};
        rotate(c, new Angles(a.cos().view(perRow), a.sin().view(perRow)), x, y, first);
    }

    private static void rotate(Calls c, Angles a, Ten x, Ten y, long first) {
        long width = x.dim(-1);
        Ten lanes = c.float32(x.slice(-1, first, width));
        Ten even = lanes.step(-1, 2);
        Ten odd = lanes.slice(-1, 1, lanes.dim(-1)).step(-1, 2);
        if (first > 0) {
            c.copy(x.slice(-1, 0, first), y.slice(-1, 0, first));
        }
        Ten rotated = y.slice(-1, first, width);
        c.cast(c.sub(c.mul(even, a.cos()), c.mul(odd, a.sin())), rotated.step(-1, 2));
        c.cast(
                c.add(c.mul(even, a.sin()), c.mul(odd, a.cos())),
                rotated.slice(-1, 1, rotated.dim(-1)).step(-1, 2));
    }
}
