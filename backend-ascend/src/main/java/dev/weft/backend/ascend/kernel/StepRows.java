package dev.weft.backend.ascend.kernel;

import dev.weft.backend.ascend.abi.AclType;
import java.lang.foreign.ValueLayout;
import java.util.List;

/**
 * Which sequence each row of a step belongs to and where in it, worked out on the device: the host knows how many rows and
 * sequences there are, not which. All values are INT32 {@code [rows, 1]}. Sums that pass through F32 are exact below 2^24, and
 * so are quotients by powers of two, such as those of positions; quotients by other numbers are right below 2^21.
 *
 * @param c where the calls go
 * @param sequence number of the row's sequence
 * @param position of the row
 * @param first row of the step with which the row's sequence begins
 * @param end row of the step behind the last of the row's sequence
 */
record StepRows(Calls c, Ten sequence, Ten position, Ten first, Ten end) {
    /**
     * @param most largest number of rows of any step
     * @param positions INT32 {@code [rows]}
     * @param starts INT32 {@code [sequences + 1]}
     */
    static StepRows of(Calls c, long most, Ten positions, Ten starts) {
        return of(c, c.shared("rows", List.of(positions, starts), most, () -> rows(c, most, positions, starts)));
    }

    /** From {@link #fields}. */
    static StepRows of(Calls c, List<Ten> fields) {
        return new StepRows(c, fields.get(0), fields.get(1), fields.get(2), fields.get(3));
    }

    /** Everything but where the calls go. */
    List<Ten> fields() {
        return List.of(sequence, position, first, end);
    }

    private static List<Ten> rows(Calls c, long most, Ten positions, Ten starts) {
        long rows = positions.elements();
        long sequences = starts.elements() - 1;
        Ten row = integers(c, most).slice(0, 0, rows);
        Ten begins = c.dense(starts.slice(0, 0, sequences));
        Ten ends = c.dense(starts.slice(0, 1, sequences + 1));
        // sequences that end behind the row: its own and all later ones, empty ones before it not among them
        Ten behind = c.cast(c.less(row, ends.view(1, sequences)), AclType.FLOAT);
        Ten fromLast = c.cast(c.sum(behind), AclType.INT32);
        Ten sequence = c.plus(c.neg(fromLast), Scalar.of((int) sequences));
        return List.of(sequence, positions.view(rows, 1), pick(c, begins, sequence), pick(c, ends, sequence));
    }

    /**
     * One row for each sequence instead: the first that the step has of it. A sequence without rows in the step has an
     * arbitrary position.
     *
     * @param most largest number of sequences of any step
     */
    static StepRows ofSequences(Calls c, long most, Ten positions, Ten starts) {
        return of(
                c,
                c.shared("sequences", List.of(positions, starts), most, () -> sequences(c, most, positions, starts)));
    }

    private static List<Ten> sequences(Calls c, long most, Ten positions, Ten starts) {
        long sequences = starts.elements() - 1;
        Ten first = c.dense(starts.slice(0, 0, sequences)).view(sequences, 1);
        Ten end = c.dense(starts.slice(0, 1, sequences + 1)).view(sequences, 1);
        Ten row = c.clamp(first, null, Scalar.of((int) positions.elements() - 1));
        return List.of(integers(c, most).slice(0, 0, sequences), pick(c, positions, row), first, end);
    }

    /** INT32 {@code [n, 1]}: 0, 1, ... */
    static Ten integers(Calls c, long n) {
        return c.emit().constant("integers below " + n, AclType.INT32, new long[] {n, 1}, s -> {
            for (long i = 0; i < n; i++) {
                s.setAtIndex(ValueLayout.JAVA_INT, i, (int) i);
            }
        });
    }

    /** Elements {@code index} of a dense vector, in the shape of the index. */
    static Ten pick(Calls c, Ten vector, Ten index) {
        Ten flat = c.dense(index).view(index.elements());
        Ten picked = c.emit().temp(vector.type(), index.elements(), 1);
        c.gather(vector.view(vector.elements(), 1), flat, picked);
        return picked.view(index.dims());
    }

    /** The same for some of the rows. @param row INT32 {@code [n, 1]} */
    StepRows of(Ten row) {
        return new StepRows(
                c,
                pick(c, c.dense(sequence), row),
                pick(c, c.dense(position), row),
                pick(c, c.dense(first), row),
                pick(c, c.dense(end), row));
    }

    /** Position of the first row that the step has of each row's sequence. */
    Ten firstPosition(Ten allPositions) {
        return pick(c, allPositions, first);
    }

    /**
     * Whole part of a quotient by a constant, for dividends that are not negative and below 2^21, or 2^24 if the divisor is a
     * power of two, whose reciprocal is exact. No document says that units round quotients correctly: one that falls short of a
     * whole number by a unit in the last place would choose another row. So half is added to other dividends, which keeps them
     * further from whole multiples than two units in the last place of the quotient.
     */
    static Ten quotient(Calls c, Ten dividend, long divisor) {
        Ten real = c.cast(dividend, AclType.FLOAT);
        Ten quotient = Long.bitCount(divisor) == 1
                ? c.scale(real, 1f / divisor)
                : c.div(c.plus(real, Scalar.of(0.5f)), c.constant(AclType.FLOAT, divisor, dividend.rank()));
        return c.cast(quotient, AclType.INT32);
    }

    /** Remainder, as {@link #quotient}. */
    static Ten remainder(Calls c, Ten dividend, long divisor) {
        return c.sub(dividend, c.scale(quotient(c, dividend, divisor), Scalar.of((int) divisor)));
    }

    /**
     * Where position {@code u} of the row's sequence lies in a ring {@code [slots, capacity, width]} seen as rows.
     *
     * @param u INT32 {@code [rows, n]}, not negative
     */
    Ten ringRow(Ten slots, long capacity, Ten u) {
        Ten base = c.scale(pick(c, c.dense(slots), sequence), Scalar.of((int) capacity));
        return c.add(remainder(c, u, capacity), base);
    }

    /**
     * Where entry {@code j} of the row's sequence lies in a cache {@code [pages, perPage, width]} seen as rows. Entries
     * whose page is not there come out in range and mean nothing.
     *
     * @param pages INT32 {@code [sequences, most pages]}
     * @param j INT32 {@code [rows, n]}, not negative
     */
    Ten entryRow(Ten pages, long pageCount, long perPage, Ten j) {
        long most = pages.dim(1);
        Ten page = c.clamp(quotient(c, j, perPage), null, Scalar.of((int) most - 1));
        Ten listed = c.add(page, c.scale(sequence, Scalar.of((int) most)));
        Ten id = c.clamp(
                pick(c, c.dense(pages).view(pages.elements()), listed), Scalar.of(0), Scalar.of((int) pageCount - 1));
        return c.add(c.scale(id, Scalar.of((int) perPage)), remainder(c, j, perPage));
    }
}
