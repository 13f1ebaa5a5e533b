package dev.weft.model;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/** The backbone's residual streams of a session's last few positions: what an MTP row needs once its next token is known. */
final class HiddenRows {
    private final byte[][] rows;
    private final int[] positions;

    /** @param capacity positions kept */
    HiddenRows(int capacity) {
        rows = new byte[capacity][0];
        positions = new int[capacity];
        Arrays.fill(positions, -1);
    }

    /** Keeps {@code bytes} bytes from {@code offset} of {@code streams} as the row of a position. */
    void put(int position, MemorySegment streams, long offset, int bytes) {
        int at = position % rows.length;
        if (rows[at].length != bytes) {
            rows[at] = new byte[bytes];
        }
        MemorySegment.copy(streams, ValueLayout.JAVA_BYTE, offset, rows[at], 0, bytes);
        positions[at] = position;
    }

    /** Copies the row of a position to {@code offset} of {@code target}. */
    void get(int position, MemorySegment target, long offset) {
        byte[] row = row(position);
        MemorySegment.copy(row, 0, target, ValueLayout.JAVA_BYTE, offset, row.length);
    }

    /** The row of a position, not to be changed. */
    byte[] row(int position) {
        if (!has(position)) {
            throw new AssertionError("streams of position " + position + " are not kept");
        }
        return rows[position % rows.length];
    }

    int capacity() {
        return rows.length;
    }

    boolean has(int position) {
        return position >= 0 && positions[position % rows.length] == position;
    }

    /** Bytes of all rows kept. */
    long bytes() {
        long bytes = 0;
        for (byte[] row : rows) {
            bytes += row.length;
        }
        return bytes;
    }

    HiddenRows copy() {
        HiddenRows copy = new HiddenRows(rows.length);
        for (int i = 0; i < rows.length; i++) {
            copy.rows[i] = rows[i].clone();
        }
        System.arraycopy(positions, 0, copy.positions, 0, rows.length);
        return copy;
    }
}
