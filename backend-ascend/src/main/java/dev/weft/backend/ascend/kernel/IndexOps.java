package dev.weft.backend.ascend.kernel;

import dev.weft.DType;
import dev.weft.TensorType;
import dev.weft.backend.ascend.abi.AclType;
import dev.weft.op.LightningIndex;
import dev.weft.op.Op;
import dev.weft.op.OpInstance;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Scores and picks of compressed entries. The operators for 950 score keys in quantised caches of a layout that Weft does
 * not keep; {@code aclnnLightningIndexerV2} scores 16-bit keys on A2 and A3.
 */
final class IndexOps {
    private static final String NAME = "aclnnLightningIndexerV2";

    static final Map<Class<? extends Op>, List<Candidate>> WAYS = Map.of(
            LightningIndex.class,
            List.of(
                    Way.of(NAME, IndexOps::fused)
                            .needing(Profile.Capability.INDEX_16_BIT)
                            .refusing(IndexOps::shapes),
                    Way.composite(IndexOps::simple)));

    private static final String DOCUMENT = " (ops-transformer docs " + NAME + ")";
    private static final long WIDTH = 128;
    private static final long MOST_HEADS = 64;
    private static final long MOST_PICKS = 2048;
    private static final List<Integer> RATIOS = List.of(1, 4, 128);

    /** {@code maskMode}: causal, aligned at the last query and the last token. */
    private static final long CAUSAL = 3;

    /** {@code maxSeqlenQ}: any. */
    private static final long ANY_LENGTH = -1;

    private IndexOps() {}

    private static Optional<String> shapes(OpInstance op, Profile p) {
        LightningIndex o = (LightningIndex) op.op();
        TensorType q = op.inputs().getFirst();
        long heads = q.shape().dim(1).maximum();
        long perPage = op.inputs().get(2).shape().dim(1).maximum();
        if (q.dtype() != DType.BF16 || q.shape().last().maximum() != WIDTH || heads > MOST_HEADS) {
            return Optional.of("takes up to " + MOST_HEADS + " BF16 heads of " + WIDTH + ", found " + q + DOCUMENT);
        }
        if (!RATIOS.contains(o.ratio()) || o.topK() > MOST_PICKS) {
            return Optional.of("takes ratios " + RATIOS + " and up to " + MOST_PICKS + " picks, found " + o + DOCUMENT);
        }
        return Entries.areBlocks(perPage)
                ? Optional.empty()
                : Optional.of("pages must hold a multiple of 16 entries up to 1024, found " + perPage + DOCUMENT);
    }

    /** Scores and picks in one operator, whose picks come in no particular order; they are sorted here. */
    private static void fused(OpInstance op, Emit e) {
        LightningIndex o = (LightningIndex) op.op();
        Calls c = new Calls(e);
        Ten q = c.dense(e.operand(0));
        Ten keys = e.operand(2);
        Ten positions = c.dense(e.operand(3));
        Ten starts = c.dense(e.operand(4));
        Ten pages = c.dense(e.operand(5));
        Ten picks = e.operand(6);
        long rows = q.dim(0);
        long most = op.inputs().get(4).shape().dim(0).maximum() - 1;
        Entries entries = Entries.of(c, StepRows.ofSequences(c, most, positions, starts), positions, starts, o.ratio());
        Ten chosen = e.temp(AclType.INT32, rows, 1, o.topK());
        e.call(
                NAME,
                q,
                keys.view(keys.dim(0), keys.dim(1), 1, WIDTH),
                c.float32(c.dense(e.operand(1))),
                starts,
                null,
                null,
                entries.count(),
                entries.residual(),
                Entries.blocks(c, pages, keys.dim(0)),
                null,
                null,
                (long) o.topK(),
                ANY_LENGTH,
                "TND",
                "PA_BBND",
                CAUSAL,
                (long) o.ratio(),
                0L,
                chosen,
                e.temp(AclType.FLOAT, rows, 1, o.topK()));
        Ten flat = chosen.view(rows, o.topK());
        ascending(
                c,
                c.select(c.atLeast(flat, Scalar.of(0)), flat, c.constant(AclType.INT32, Integer.MAX_VALUE, 2)),
                picks);
    }

    /** Picks in ascending order, the largest integer standing for none. */
    private static void ascending(Calls c, Ten chosen, Ten picks) {
        Emit e = c.emit();
        Ten sorted = e.temp(AclType.INT32, chosen.dims());
        e.call("aclnnSort", chosen, true, -1L, false, sorted, e.temp(AclType.INT64, chosen.dims()));
        Ten absent = c.atLeast(sorted, Scalar.of(Integer.MAX_VALUE));
        c.select(absent, c.constant(AclType.INT32, -1, 2), sorted, picks);
    }

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
        Ten visible = c.shared(
                "visible entries",
                List.of(steps.position()),
                o.ratio(),
                () -> StepRows.quotient(c, c.plus(steps.position(), Scalar.of(1)), o.ratio()));
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
        ascending(c, chosen, picks);
    }

    /** Keys of each row's sequence: {@code [rows, entries, width]}. */
    private static Ten keysOf(Calls c, StepRows steps, Ten keys, Ten pages, Ten entry) {
        long rows = steps.position().dim(0);
        Ten row = c.shared(
                "listed entries",
                List.of(steps.sequence(), pages),
                List.of(entry.dim(1), keys.dim(0), keys.dim(1)),
                () -> {
                    Ten all = c.emit().temp(AclType.INT32, rows, entry.dim(1));
                    c.copy(entry, all);
                    return steps.entryRow(pages, keys.dim(0), keys.dim(1), all);
                });
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
