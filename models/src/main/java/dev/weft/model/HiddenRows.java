package dev.weft.model;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** The backbone's residual streams of a session's last few positions: what an MTP row needs once its next token is known. */
final class HiddenRows {
    private final byte[][] rows;
    private final int[] positions;

    /** @param capacity positions kept */
    HiddenRows(int capacity) {
        rows = new byte[capacity][];
        positions = new int[capacity];
        java.util.Arrays.fill(positions, -1);
    }

    void put(int position, MemorySegment row) {
        int at = position % rows.length;
        rows[at] = row.toArray(ValueLayout.JAVA_BYTE);
        positions[at] = position;
    }

    int capacity() {
        return rows.length;
    }

    boolean has(int position) {
        return position >= 0 && positions[position % rows.length] == position;
    }

    byte[] get(int position) {
        if (!has(position)) {
            throw new AssertionError("streams of position " + position + " are not kept");
        }
        return rows[position % rows.length];
    }

    HiddenRows copy() {
        HiddenRows copy = new HiddenRows(rows.length);
        System.arraycopy(rows, 0, copy.rows, 0, rows.length); // rows are never modified
        System.arraycopy(positions, 0, copy.positions, 0, rows.length);
        return copy;
    }
}
