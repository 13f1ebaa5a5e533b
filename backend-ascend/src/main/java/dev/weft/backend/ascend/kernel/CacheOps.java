package dev.weft.backend.ascend.kernel;

import dev.weft.DType;
import dev.weft.backend.ascend.abi.AclType;
import dev.weft.op.Compress;
import dev.weft.op.Op;
import dev.weft.op.OpInstance;
import dev.weft.op.RingWrite;
import java.util.ArrayList;
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
            Compress.class,
                    List.of(
                            Way.of("aclnnRmsNorm", (op, e) -> compress(op, e, CacheOps::finishFused))
                                    .refusing(RotaryOps::shapes),
                            Way.composite((op, e) -> compress(op, e, CacheOps::finish))));

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
        Ten positions = e.operand(2);
        Ten starts = e.operand(3);
        Ten slots = e.operand(4);
        Ten spare = e.spare(0);
        long unused = spare.dim(0) - 1;
        Ten place = c.shared("ring rows", List.of(positions, starts, slots), List.of(most, capacity, unused), () -> {
            StepRows steps = StepRows.of(c, most, positions, starts);
            // written if among the last C rows of its sequence: row + C >= end
            Ten late = c.plus(StepRows.integers(c, most).slice(0, 0, rows.dim(0)), Scalar.of((int) capacity));
            return orSpare(c, unused, c.less(late, steps.end()), steps.ringRow(slots, capacity, steps.position()));
        });
        e.call("aclnnScatterNdUpdate", spare, place, rows);
    }

    /** {@code place}, or the spare row under {@code skip}. */
    private static Ten orSpare(Calls c, long unused, Ten skip, Ten place) {
        return c.select(skip, integer(c, unused), place);
    }

    private static Ten integer(Calls c, long value) {
        return c.emit()
                .constant(
                        "integer " + value,
                        AclType.INT32,
                        new long[] {1, 1},
                        s -> s.set(java.lang.foreign.ValueLayout.JAVA_INT, 0, (int) value));
    }

    /** Makes entries of pooled rows. */
    private interface Finish {
        /**
         * @param pooled F32 {@code [entries, width]}
         * @param position INT32 {@code [entries, 1]}: first positions of the blocks
         * @param flow the cache's type, to which each step rounds
         */
        Ten entries(Calls c, Compress o, Ten pooled, Ten norm, Ten position, AclType flow);
    }

    private static void compress(OpInstance op, Emit e, Finish finish) {
        Compress o = (Compress) op.op();
        Calls c = new Calls(e);
        long most = op.inputs().getFirst().shape().dim(0).maximum();
        Ten positions = c.dense(e.operand(7));
        long rows = positions.elements();
        if (rows == 0) {
            return;
        }
        long sequences = e.operand(9).elements();
        // at most one entry per ratio rows and one more per sequence
        long entries = Math.min(rows, rows / o.ratio() + sequences);
        Closing closing = Closing.of(c, o, most, positions, e.operand(8), entries);
        Ten pooled = new Pool(c, o, e, closing).run();
        Ten cache = e.operand(6);
        Ten entry = finish.entries(c, o, pooled, e.operand(3), closing.from(), cache.type());
        Ten pages = e.operand(10);
        Ten spare = e.spare(6);
        long unused = spare.dim(0) - 1;
        Ten place = c.shared(
                "entry rows",
                List.of(closing.block(), pages),
                List.of(cache.dim(0), cache.dim(1), unused),
                () -> orSpare(
                        c,
                        unused,
                        closing.open(),
                        closing.last().entryRow(pages, cache.dim(0), cache.dim(1), closing.block())));
        e.call("aclnnScatterNdUpdate", spare, place, entry);
    }

    /**
     * The rows of a step that close a block, one per entry that it may write.
     *
     * @param last the rows; those behind the step's closing ones close nothing
     * @param open BOOL: rows that close nothing
     * @param block INT32: their blocks
     * @param from INT32: first positions of the blocks
     * @param firstPosition INT32: position of the first row that the step has of the row's sequence
     */
    private record Closing(StepRows last, Ten open, Ten block, Ten from, Ten firstPosition) {
        static Closing of(Calls c, Compress o, long most, Ten positions, Ten starts, long entries) {
            List<Ten> t =
                    c.shared("closing rows", List.of(positions, starts), List.of(most, o.ratio(), entries), () -> {
                        StepRows all = StepRows.of(c, most, positions, starts);
                        StepRows last = all.of(closingRows(c, isOpen(c, o, all), entries));
                        Ten block = StepRows.quotient(c, last.position(), o.ratio());
                        List<Ten> list = new ArrayList<>(last.fields());
                        list.add(isOpen(c, o, last));
                        list.add(block);
                        list.add(c.scale(block, Scalar.of(o.ratio())));
                        list.add(last.firstPosition(positions));
                        return list;
                    });
            return new Closing(StepRows.of(c, t.subList(0, 4)), t.get(4), t.get(5), t.get(6), t.get(7));
        }

        private static Ten isOpen(Calls c, Compress o, StepRows rows) {
            Ten within = StepRows.remainder(c, rows.position(), o.ratio());
            return c.less(c.plus(within, Scalar.of(1)), integer(c, o.ratio()));
        }
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
    private record Pool(Calls c, Compress o, Emit e, Closing closing) {
        /**
         * Where the tokens of each block are.
         *
         * @param exists BOOL: not before the sequence's first
         * @param inStep BOOL: among the step's rows, else in the rings
         * @param row INT32: parts of the step's rows
         * @param ringRow INT32: parts of the rings' rows
         */
        private record Tokens(Ten exists, Ten inStep, Ten row, Ten ringRow) {}

        private long tokens() {
            return (long) o.coff() * o.ratio();
        }

        private Tokens where() {
            Ten slots = e.operand(9);
            long capacity = e.operand(4).dim(1);
            long rows = e.operand(0).dim(0);
            List<Ten> t = c.shared(
                    "tokens of blocks",
                    List.of(closing.block(), slots),
                    List.of(o.coff(), o.ratio(), capacity, rows),
                    () -> where(slots, capacity, rows));
            return new Tokens(t.get(0), t.get(1), t.get(2), t.get(3));
        }

        private List<Ten> where(Ten slots, long capacity, long rows) {
            Ten offset = StepRows.integers(c, tokens()).view(1, tokens());
            Ten u = c.add(c.plus(closing.from(), Scalar.of((int) (o.ratio() - tokens()))), offset);
            Ten position = c.clamp(u, Scalar.of(0), null);
            Ten inStep = c.less(c.plus(closing.firstPosition(), Scalar.of(-1)), position);
            // channels: a row has coff parts, of which the block's own tokens use the last and those before it the
            // first
            Ten half = StepRows.quotient(c, offset, o.ratio());
            Ten row = c.clamp(
                    c.add(closing.last().first(), c.sub(position, closing.firstPosition())),
                    Scalar.of(0),
                    Scalar.of((int) rows - 1));
            Ten ringRow = closing.last().ringRow(slots, capacity, position);
            return List.of(c.atLeast(u, Scalar.of(0)), inStep, part(row, half), part(ringRow, half));
        }

        private Ten part(Ten row, Ten half) {
            return c.add(c.scale(row, Scalar.of(o.coff())), half);
        }

        Ten run() {
            Tokens where = where();
            long n = closing.block().dim(0);
            Ten k = tokens(e.operand(0), e.operand(4), where);
            Ten z = tokens(e.operand(1), e.operand(5), where);
            long width = k.dim(2);
            Ten seen = where.exists().view(n, tokens(), 1);
            k = c.select(seen, k, c.constant(AclType.FLOAT, 0, 3));
            Ten bias = e.operand(2).view(o.ratio(), o.coff(), width).permute(1, 0, 2);
            Ten score = c.add(z.view(n, o.coff(), o.ratio(), width), bias);
            score = c.select(
                    seen, score.view(n, tokens(), width), c.constant(AclType.FLOAT, Float.NEGATIVE_INFINITY, 3));
            Ten power = c.exp(c.sub(score, c.max(score, 1)));
            Ten mean = c.div(c.sum(c.mul(power, k), 1), c.sum(power, 1));
            return mean.view(n, width);
        }

        /** Rows from the step or from the ring: F32 {@code [entries, tokens, width]}. */
        private Ten tokens(Ten step, Ten ring, Tokens where) {
            long parts = o.coff();
            long width = step.dim(1) / parts;
            Ten fresh = picked(c.dense(step).view(step.dim(0) * parts, width), where.row());
            Ten kept = picked(ring.view(ring.dim(0) * ring.dim(1) * parts, width), where.ringRow());
            Ten inStep = where.inStep();
            return c.select(inStep.view(inStep.dim(0), inStep.dim(1), 1), fresh, kept);
        }

        private Ten picked(Ten table, Ten index) {
            Ten picked = c.emit().temp(AclType.FLOAT, index.elements(), table.dim(1));
            c.gather(table, index.view(index.elements()), picked);
            return picked.view(index.dim(0), index.dim(1), table.dim(1));
        }
    }

    /** As {@link #finish}, with the vendor's norm and rotary operators, which round once. */
    private static Ten finishFused(Calls c, Compress o, Ten pooled, Ten norm, Ten position, AclType flow) {
        Ten x = c.cast(pooled, flow);
        Ten y = c.emit().temp(flow, x.dims());
        NormOps.rmsNorm(c, x, c.float32(norm), o.eps(), y);
        RotaryOps.rotateInPlace(c, o.rotary(), y.view(y.dim(0), 1, y.dim(1)), position, false);
        return switch (o.form()) {
            case PLAIN -> y;
            case FP8 -> {
                QuantOps.toGrid(c, y.slice(-1, 0, y.dim(1) - o.rotary().dim()), 64, DType.F8_E4M3);
                yield y;
            }
            case HADAMARD -> c.cast(NormOps.hadamard(c, c.float32(y)), flow);
            case HADAMARD_FP4 -> {
                Ten turned = c.cast(NormOps.hadamard(c, c.float32(y)), flow);
                QuantOps.toGrid(c, turned, 32, DType.F4_E2M1);
                yield turned;
            }
        };
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
