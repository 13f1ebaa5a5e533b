package dev.weft.backend.ascend.kernel;

import dev.weft.DType;
import dev.weft.backend.ascend.abi.AclType;
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
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Copies, elementwise arithmetic, and collectives of one rank. */
final class PlainOps {
    static final Map<Class<? extends Op>, List<Candidate>> WAYS = Map.ofEntries(
            Map.entry(Add.class, List.of(Way.composite((op, e) -> new Calls(e).add(at(e, 0), at(e, 1), at(e, 2))))),
            Map.entry(Mul.class, List.of(Way.composite((op, e) -> new Calls(e).mul(at(e, 0), at(e, 1), at(e, 2))))),
            Map.entry(Scale.class, List.of(Way.composite(PlainOps::scale))),
            Map.entry(Cast.class, List.of(copy())),
            Map.entry(Expand.class, List.of(Way.of("aclnnRepeat", PlainOps::repeat), Way.composite(PlainOps::expand))),
            Map.entry(Concat.class, List.of(Way.of("aclnnCat", PlainOps::cat), Way.composite(PlainOps::concat))),
            Map.entry(Slice.class, List.of(Way.composite(PlainOps::slice))),
            Map.entry(Gather.class, List.of(Way.composite(PlainOps::gather))),
            Map.entry(AllReduce.class, List.of(alone())),
            Map.entry(AllGather.class, List.of(alone())),
            Map.entry(ReduceScatter.class, List.of(alone())),
            Map.entry(Broadcast.class, List.of(alone())),
            Map.entry(AllToAll.class, List.of(alone())),
            Map.entry(AllToAllV.class, List.of(alone())));

    private PlainOps() {}

    private static Ten at(Emit e, int i) {
        return e.operand(i);
    }

    /** Result 0 from operand 0, of another type if they differ. */
    private static Way copy() {
        return Way.composite((op, e) -> {
            Ten x = e.operand(0);
            Ten y = e.operand(op.inputs().size());
            Calls c = new Calls(e);
            if (x.type() == y.type()) {
                c.copy(x, y);
            } else {
                c.cast(x, y);
            }
        });
    }

    /** A collective of one rank: a copy. */
    private static Way alone() {
        return copy().refusing((op, p) -> {
            int ranks = switch (op.op()) {
                case AllReduce o -> o.ranks();
                case AllGather o -> o.ranks();
                case ReduceScatter o -> o.ranks();
                case Broadcast o -> o.ranks();
                case AllToAll o -> o.ranks();
                case AllToAllV o -> o.ranks();
                default -> 0;
            };
            return ranks == 1
                    ? Optional.empty()
                    : Optional.of("a group of " + ranks + " ranks needs a communicator, and this device opens none");
        });
    }

    /** A factor that BF16 holds is multiplied in one step; another one in F32, since documents differ on its rounding. */
    private static void scale(OpInstance op, Emit e) {
        float factor = ((Scale) op.op()).factor();
        Calls c = new Calls(e);
        Ten x = e.operand(0);
        Ten y = e.operand(1);
        if (x.type() == AclType.FLOAT || DType.BF16.round(factor) == factor) {
            c.scale(x, Scalar.of(factor), y);
        } else {
            c.cast(c.scale(c.float32(x), factor), y);
        }
    }

    private static void repeat(OpInstance op, Emit e) {
        Ten x = e.operand(0);
        long copies = ((Expand) op.op()).copies();
        e.call("aclnnRepeat", x.view(x.dim(0), 1, x.dim(1)), new long[] {1, copies, 1}, e.operand(1));
    }

    private static void expand(OpInstance op, Emit e) {
        Ten x = e.operand(0);
        new Calls(e).copy(x.view(x.dim(0), 1, x.dim(1)), e.operand(1));
    }

    private static void cat(OpInstance op, Emit e) {
        new Calls(e).concat(List.of(at(e, 0), at(e, 1)), at(e, 0).rank() - 1, at(e, 2));
    }

    private static void concat(OpInstance op, Emit e) {
        Calls c = new Calls(e);
        long seam = at(e, 0).dim(-1);
        c.copy(at(e, 0), at(e, 2).slice(-1, 0, seam));
        c.copy(at(e, 1), at(e, 2).slice(-1, seam, at(e, 2).dim(-1)));
    }

    private static void slice(OpInstance op, Emit e) {
        Slice s = (Slice) op.op();
        new Calls(e).copy(at(e, 0).slice(-1, s.from(), s.to()), at(e, 1));
    }

    /**
     * Embedding with indices forced into range, since one outside is an exception that costs the device; such rows are
     * then replaced by NaN.
     */
    private static void gather(OpInstance op, Emit e) {
        Calls c = new Calls(e);
        Ten table = at(e, 0);
        Ten index = at(e, 1);
        Ten y = at(e, 2);
        long rows = index.dim(0);
        long width = y.elements() / rows;
        Ten flat = c.dense(table).view(table.dim(0), table.elements() / table.dim(0));
        Ten clamped = c.clamp(index, Scalar.of(0), Scalar.of((int) table.dim(0) - 1));
        Ten picked = e.temp(table.type(), rows, width);
        c.gather(flat, clamped, picked);
        Ten valid = c.equal(index, clamped).view(rows, 1);
        Ten wide = c.cast(picked, y.type());
        c.select(valid, wide, c.constant(y.type(), Float.NaN, 2), y.view(rows, width));
    }
}
