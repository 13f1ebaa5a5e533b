package dev.weft.reference;

/**
 * Which rows of a step belong to which sequence, and where a sequence keeps what came before.
 *
 * <p>Sequence s has rows {@code starts[s] .. starts[s+1]-1} at consecutive positions.
 */
final class Sequences {
    private final int[] positions;
    private final int[] starts;

    Sequences(HostOperand positions, HostOperand starts) {
        this.positions = positions.ints(0);
        this.starts = starts.ints(0);
    }

    int count() {
        return starts.length - 1;
    }

    int firstRow(int s) {
        return starts[s];
    }

    int endRow(int s) {
        return starts[s + 1];
    }

    int position(int row) {
        return positions[row];
    }

    /** Values of a token of sequence s at position p: a row of this step, or of the ring if the token came earlier. */
    float[] token(HostOperand rows, HostOperand ring, int[] slots, int s, int p) {
        int row = starts[s] + p - positions[starts[s]];
        if (row >= starts[s]) {
            return rows.row(row);
        }
        int capacity = ring.dim(1);
        return ring.row((long) slots[s] * capacity + p % capacity);
    }

    /** Row of a paged operand {@code [pages, E, w]} that holds entry j of the sequence with the given page list. */
    static long entry(HostOperand paged, int[] pages, int j) {
        int perPage = paged.dim(1);
        return (long) pages[j / perPage] * perPage + j % perPage;
    }
}
