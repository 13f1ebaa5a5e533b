package dev.weft.backend.ascend.kernel;

import dev.weft.backend.ascend.abi.AclType;
import dev.weft.op.Op;
import dev.weft.op.OpInstance;
import dev.weft.op.Reach;
import dev.weft.op.SparseAttention;
import java.util.List;
import java.util.Map;

/** Attention of all heads on one latent row per key. */
final class AttentionOps {
    static final Map<Class<? extends Op>, List<Candidate>> WAYS = Map.of(
            SparseAttention.class,
            List.of(
                    Way.of(FlashAttention.NAME, FlashAttention::emit).refusing(FlashAttention::refuse),
                    Way.composite(AttentionOps::simple)));

    private AttentionOps() {}

    /**
     * Keys are gathered per row of the step, which takes {@code rows x keys x width} of scratch; then two batched products
     * with a softmax in F32 between them.
     */
    private static void simple(OpInstance op, Emit e) {
        SparseAttention o = (SparseAttention) op.op();
        Calls c = new Calls(e);
        Ten q = e.operand(0);
        long most = op.inputs().getFirst().shape().dim(0).maximum();
        Ten positions = c.dense(e.operand(4));
        StepRows steps = StepRows.of(c, most, positions, e.operand(5));
        Keys keys = window(c, o, e, steps, steps.firstPosition(positions));
        if (o.reach() != Reach.WINDOW) {
            keys = keys.and(c, compressed(c, o, e, steps));
        }
        Ten y = e.operand(op.inputs().size());
        attend(c, o, c.dense(q), keys, e.operand(3), y);
    }

    /**
     * Keys of every row of the step.
     *
     * @param rows F32 {@code [rows, keys, width]}, zero where there is no key
     * @param there BOOL {@code [rows, keys]}
     */
    private record Keys(Ten rows, Ten there) {
        static Keys of(Calls c, Ten picked, Ten there) {
            Ten seen = there.view(there.dim(0), there.dim(1), 1);
            return new Keys(c.select(seen, c.float32(picked), c.constant(AclType.FLOAT, 0, 3)), there);
        }

        Keys and(Calls c, Keys more) {
            Emit e = c.emit();
            long n = there.dim(1) + more.there.dim(1);
            Ten bothRows = e.temp(AclType.FLOAT, rows.dim(0), n, rows.dim(2));
            Ten bothThere = e.temp(AclType.BOOL, rows.dim(0), n);
            c.concat(List.of(rows, more.rows), 1, bothRows);
            c.concat(List.of(there, more.there), 1, bothThere);
            return new Keys(bothRows, bothThere);
        }
    }

    private static Ten pickRows(Calls c, Ten table, Ten row) {
        Ten picked = c.emit().temp(table.type(), row.elements(), table.dim(1));
        c.gather(table, row.view(row.elements()), picked);
        return picked.view(row.dim(0), row.dim(1), table.dim(1));
    }

    /** Window positions ascending, from the step or from the ring. */
    private static Keys window(Calls c, SparseAttention o, Emit e, StepRows steps, Ten firstPosition) {
        Ten kv = c.dense(e.operand(1));
        Ten ring = e.operand(2);
        Ten offset = StepRows.integers(c, o.window()).view(1, o.window());
        Ten u = c.add(c.plus(steps.position(), Scalar.of(1 - o.window())), offset);
        Ten there = c.atLeast(u, Scalar.of(0));
        Ten position = c.clamp(u, Scalar.of(0), null);
        Ten inStep = c.less(c.plus(firstPosition, Scalar.of(-1)), position);
        Ten row = c.clamp(c.add(steps.first(), c.sub(position, firstPosition)), Scalar.of(0), null);
        Ten fresh = pickRows(c, kv, row);
        Ten ringRow = steps.ringRow(e.operand(6), ring.dim(1), position);
        Ten kept = pickRows(c, ring.view(ring.dim(0) * ring.dim(1), ring.dim(2)), ringRow);
        Ten either = c.select(inStep.view(inStep.dim(0), inStep.dim(1), 1), fresh, kept);
        return Keys.of(c, either, there);
    }

    private static Keys compressed(Calls c, SparseAttention o, Emit e, StepRows steps) {
        Ten cache = e.operand(7);
        Ten pages = e.operand(8);
        Ten entry;
        Ten there;
        if (o.reach() == Reach.PICKED) {
            Ten picks = c.dense(e.operand(9));
            there = c.atLeast(picks, Scalar.of(0));
            entry = c.clamp(picks, Scalar.of(0), null);
        } else {
            long most = pages.dim(1) * cache.dim(1);
            entry = StepRows.integers(c, most).view(1, most);
            there = c.less(entry, StepRows.quotient(c, c.plus(steps.position(), Scalar.of(1)), o.ratio()));
        }
        Ten row = steps.entryRow(
                pages,
                cache.dim(0),
                cache.dim(1),
                broadcast(c, entry, steps.position().dim(0)));
        Ten table = cache.view(cache.dim(0) * cache.dim(1), cache.dim(2));
        return Keys.of(c, pickRows(c, table, row), there);
    }

    private static Ten broadcast(Calls c, Ten entry, long rows) {
        if (entry.dim(0) == rows) {
            return entry;
        }
        Ten all = c.emit().temp(entry.type(), rows, entry.dim(1));
        c.copy(entry, all);
        return all;
    }

    /** {@code sum_j e_j k_j / (sum_j e_j + exp(sink - m))}; in a BF16 flow e_j is rounded in the numerator only. */
    private static void attend(Calls c, SparseAttention o, Ten q, Keys keys, Ten sink, Ten y) {
        Emit e = c.emit();
        long rows = q.dim(0);
        long heads = q.dim(1);
        long n = keys.there().dim(1);
        Ten dots = e.temp(AclType.FLOAT, rows, heads, n);
        c.matmul(c.float32(q), keys.rows().transpose(), dots);
        Ten z = c.select(
                keys.there().view(rows, 1, n),
                c.scale(dots, o.scale()),
                c.constant(AclType.FLOAT, Float.NEGATIVE_INFINITY, 3));
        Ten max = c.max(z);
        Ten power = c.exp(c.sub(z, max));
        Ten sum = c.add(c.sum(power), c.exp(c.sub(sink.view(1, heads, 1), max)));
        Ten numerator = e.temp(AclType.FLOAT, rows, heads, q.dim(2));
        c.matmul(NormOps.rounded(c, power, q.type()), keys.rows(), numerator);
        Ten wide = c.wide(y);
        c.div(numerator, sum, wide);
        c.round(wide, y);
    }
}
