package dev.weft.backend.ascend.kernel;

import dev.weft.DType;
import dev.weft.backend.ascend.abi.AclType;
import dev.weft.op.Compress;
import dev.weft.op.Op;
import dev.weft.op.OpInstance;
import dev.weft.op.RingWrite;
import java.util.List;
import java.util.Map;

/**
 * Writing of states. Rows that must not be written go to the state's spare row, since scatters have no other way to leave
 * one out on every product.
 *
 * <p>{@code aclnnCompressor} is not used: it multiplies by the weights itself and keeps its open rows in a cache of its own
 * order, where Weft's operator takes projected rows and position-indexed rings (ops-transformer docs aclnnCompressor).
 */
final class CacheOps {
    static final Map<Class<? extends Op>, List<Candidate>> WAYS = Map.of(
            RingWrite.class, List.of(Way.composite(CacheOps::ringWrite)),
            Compress.class, List.of(Way.composite(CacheOps::compress)));

    private CacheOps() {}

    private static void ringWrite(OpInstance op, Emit e) {
        if (e.operand(1).dim(0) == 0) {
            return;
        }
        Calls c = new Calls(e);
        Ten ring = e.operand(0);
        Ten rows = c.dense(e.operand(1));
        long most = op.inputs().get(1).shape().dim(0).maximum();
        long capacity = ring.dim(1);
        StepRows steps = StepRows.of(c, most, e.operand(2), e.operand(3));
        Ten place = steps.ringRow(e.operand(4), capacity, steps.position());
        // written if among the last C rows of its sequence: row + C >= end
        Ten late = c.plus(StepRows.integers(c, most).slice(0, 0, rows.dim(0)), Scalar.of((int) capacity));
        scatter(c, e.spare(0), c.less(late, steps.end()), place, rows);
    }

    /** Writes rows to {@code place}, those under {@code skip} to the spare row. */
    private static void scatter(Calls c, Ten spare, Ten skip, Ten place, Ten rows) {
        long unused = spare.dim(0) - 1;
        Ten index = c.select(skip, integer(c, unused), place);
        c.emit().call("aclnnScatterNdUpdate", spare, index, rows);
    }

    private static Ten integer(Calls c, long value) {
        return c.emit()
                .constant(
                        "integer " + value,
                        AclType.INT32,
                        new long[] {1, 1},
                        s -> s.set(java.lang.foreign.ValueLayout.JAVA_INT, 0, (int) value));
    }

    private static void compress(OpInstance op, Emit e) {
        Compress o = (Compress) op.op();
        Calls c = new Calls(e);
        long most = op.inputs().getFirst().shape().dim(0).maximum();
        Ten positions = c.dense(e.operand(7));
        long rows = positions.elements();
        if (rows == 0) {
            return;
        }
        StepRows all = StepRows.of(c, most, positions, e.operand(8));
        long sequences = e.operand(9).elements();
        // at most one entry per ratio rows and one more per sequence
        long entries = Math.min(rows, rows / o.ratio() + sequences);
        Ten open =
                c.less(c.plus(StepRows.remainder(c, all.position(), o.ratio()), Scalar.of(1)), integer(c, o.ratio()));
        StepRows last = all.of(closingRows(c, open, entries));
        Ten still =
                c.less(c.plus(StepRows.remainder(c, last.position(), o.ratio()), Scalar.of(1)), integer(c, o.ratio()));
        Ten block = StepRows.quotient(c, last.position(), o.ratio());
        Ten pooled = new Pool(c, o, e, last, last.firstPosition(positions), block).run();
        Ten cache = e.operand(6);
        Ten entry = finish(c, o, pooled, e.operand(3), c.scale(block, Scalar.of(o.ratio())), cache.type());
        Ten place = last.entryRow(e.operand(10), cache.dim(0), cache.dim(1), block);
        scatter(c, e.spare(6), still, place, entry);
    }

    /** The rows that close a block first, then others: INT32 {@code [entries, 1]}. */
    private static Ten closingRows(Calls c, Ten open, long entries) {
        Ten key = c.cast(open, AclType.INT32).view(open.elements());
        Ten sorted = c.emit().temp(AclType.INT32, key.dims());
        Ten order = c.emit().temp(AclType.INT64, key.dims());
        c.emit().call("aclnnSort", key, true, -1L, false, sorted, order);
        return c.cast(order.slice(0, 0, entries), AclType.INT32).view(entries, 1);
    }

    /** The softmax-weighted sum of the rows of a block per channel. */
    private record Pool(Calls c, Compress o, Emit e, StepRows last, Ten firstPosition, Ten block) {
        Ten run() {
            long n = block.dim(0);
            long tokens = (long) o.coff() * o.ratio();
            Ten offset = StepRows.integers(c, tokens).view(1, tokens);
            Ten from = c.plus(c.scale(block, Scalar.of(o.ratio())), Scalar.of((int) (o.ratio() - tokens)));
            Ten u = c.add(from, offset);
            Ten exists = c.atLeast(u, Scalar.of(0));
            Ten position = c.clamp(u, Scalar.of(0), null);
            Ten inStep = c.less(c.plus(firstPosition, Scalar.of(-1)), position);
            // channels: a row has coff parts, of which the block's own tokens use the last and those before it the
            // first
            Ten half = StepRows.quotient(c, offset, o.ratio());
            Ten row = c.clamp(
                    c.add(last.first(), c.sub(position, firstPosition)),
                    Scalar.of(0),
                    Scalar.of((int) e.operand(0).dim(0) - 1));
            Ten ringRow = last.ringRow(e.operand(9), e.operand(4).dim(1), position);
            Ten k = tokens(e.operand(0), e.operand(4), row, ringRow, half, inStep);
            Ten z = tokens(e.operand(1), e.operand(5), row, ringRow, half, inStep);
            long width = k.dim(2);
            Ten seen = exists.view(n, tokens, 1);
            k = c.select(seen, k, c.constant(AclType.FLOAT, 0, 3));
            Ten bias = e.operand(2).view(o.ratio(), o.coff(), width).permute(1, 0, 2);
            Ten score = c.add(z.view(n, o.coff(), o.ratio(), width), bias);
            score = c.select(seen, score.view(n, tokens, width), c.constant(AclType.FLOAT, Float.NEGATIVE_INFINITY, 3));
            Ten power = c.exp(c.sub(score, c.max(score, 1)));
            Ten mean = c.div(c.sum(c.mul(power, k), 1), c.sum(power, 1));
            return mean.view(n, width);
        }

        /** Rows from the step or from the ring: F32 {@code [entries, tokens, width]}. */
        private Ten tokens(Ten step, Ten ring, Ten row, Ten ringRow, Ten half, Ten inStep) {
            long parts = o.coff();
            long width = step.dim(1) / parts;
            Ten fresh = part(c.dense(step).view(step.dim(0) * parts, width), row, half);
            Ten kept = part(ring.view(ring.dim(0) * ring.dim(1) * parts, width), ringRow, half);
            return c.select(inStep.view(row.dim(0), row.dim(1), 1), fresh, kept);
        }

        private Ten part(Ten table, Ten row, Ten half) {
            Ten index = c.add(c.scale(row, Scalar.of(o.coff())), half);
            Ten picked = c.emit().temp(AclType.FLOAT, index.elements(), table.dim(1));
            c.gather(table, index.view(index.elements()), picked);
            return picked.view(row.dim(0), row.dim(1), table.dim(1));
        }
    }

    /** Norm, rotary at the block's first position and the entry form; each step rounds to the cache's type. */
    private static Ten finish(Calls c, Compress o, Ten pooled, Ten norm, Ten position, AclType flow) {
        Ten x = NormOps.rounded(c, pooled, flow);
        x = c.mul(c.mul(x, NormOps.inverseRms(c, x, o.eps())), c.float32(norm).view(1, norm.elements()));
        x = NormOps.rounded(c, x, flow);
        x = NormOps.rounded(c, RotaryOps.rotated(c, o.rotary(), x, position), flow);
        x = switch (o.form()) {
            case PLAIN -> x;
            case FP8 -> QuantOps.onGrid(c, x, x.dim(1) - o.rotary().dim(), 64, DType.F8_E4M3);
            case HADAMARD -> NormOps.hadamard(c, x);
            case HADAMARD_FP4 ->
                QuantOps.onGrid(c, NormOps.rounded(c, NormOps.hadamard(c, x), flow), x.dim(1), 32, DType.F4_E2M1);
        };
        return c.cast(x, flow);
    }
}
