package dev.weft.backend.ascend.kernel;

import dev.weft.backend.ascend.abi.AclType;
import dev.weft.op.LightningIndex;
import dev.weft.op.Op;
import dev.weft.op.OpInstance;
import java.util.List;
import java.util.Map;

/** Scores and picks of compressed entries. */
final class IndexOps {
    static final Map<Class<? extends Op>, List<Candidate>> WAYS =
            Map.of(LightningIndex.class, List.of(Way.composite(IndexOps::simple)));

    private IndexOps() {}

    /**
     * Scores of every listed entry, those a row may not see last in rank, and a stable sort. Picks come in ascending order
     * by a second sort, in which places without a pick are the largest numbers.
     */
    private static void simple(OpInstance op, Emit e) {
        LightningIndex o = (LightningIndex) op.op();
        Calls c = new Calls(e);
        Ten q = c.dense(e.operand(0));
        Ten keys = e.operand(2);
        Ten pages = e.operand(5);
        Ten picks = e.operand(6);
        long rows = q.dim(0);
        long most = op.inputs().getFirst().shape().dim(0).maximum();
        long entries = pages.dim(1) * keys.dim(1);
        StepRows steps = StepRows.of(c, most, c.dense(e.operand(3)), e.operand(4));
        Ten visible = StepRows.quotient(c, c.plus(steps.position(), Scalar.of(1)), o.ratio());
        long kept = Math.min(entries, o.topK());
        Ten chosen = e.temp(AclType.INT32, rows, o.topK());
        Ten none = c.constant(AclType.INT32, Integer.MAX_VALUE, 2);
        if (kept < o.topK()) {
            c.copy(none, chosen.slice(1, kept, o.topK()));
        }
        if (kept > 0) {
            Ten entry = StepRows.integers(c, entries).view(1, entries);
            Ten score = scores(c, q, c.dense(e.operand(1)), keysOf(c, steps, keys, pages, entry));
            Ten rank = c.select(
                    c.less(entry, visible), SelectOps.key(c, score), c.constant(AclType.INT32, Integer.MIN_VALUE, 2));
            Ten best = c.cast(SelectOps.descending(c, rank).slice(1, 0, kept), AclType.INT32);
            c.select(c.less(best, visible), best, none, chosen.slice(1, 0, kept));
        }
        Ten sorted = e.temp(AclType.INT32, rows, o.topK());
        e.call("aclnnSort", chosen, true, -1L, false, sorted, e.temp(AclType.INT64, rows, o.topK()));
        Ten absent = c.atLeast(sorted, Scalar.of(Integer.MAX_VALUE));
        c.select(absent, c.constant(AclType.INT32, -1, 2), sorted, picks);
    }

    /** Keys of each row's sequence: {@code [rows, entries, width]}. */
    private static Ten keysOf(Calls c, StepRows steps, Ten keys, Ten pages, Ten entry) {
        long rows = steps.position().dim(0);
        Ten all = c.emit().temp(AclType.INT32, rows, entry.dim(1));
        c.copy(entry, all);
        Ten row = steps.entryRow(pages, keys.dim(0), keys.dim(1), all);
        Ten picked = c.emit().temp(keys.type(), row.elements(), keys.dim(2));
        c.gather(keys.view(keys.dim(0) * keys.dim(1), keys.dim(2)), row.view(row.elements()), picked);
        return picked.view(rows, entry.dim(1), keys.dim(2));
    }

    /** F32 {@code [rows, entries]}; in a BF16 flow products, weighted products and sums are rounded. */
    private static Ten scores(Calls c, Ten q, Ten w, Ten keys) {
        Ten dots = c.emit().temp(AclType.FLOAT, q.dim(0), q.dim(1), keys.dim(1));
        c.matmul(c.float32(q), c.float32(keys).transpose(), dots);
        Ten positive = c.clamp(NormOps.rounded(c, dots, q.type()), Scalar.of(0f), null);
        Ten weighted = c.mul(positive, c.float32(w).view(w.dim(0), w.dim(1), 1));
        Ten sum = c.sum(NormOps.rounded(c, weighted, q.type()), 1).view(q.dim(0), keys.dim(1));
        return NormOps.rounded(c, sum, q.type());
    }
}
