package dev.weft.runtime;

import dev.weft.runtime.DeviceCarrier.Rows;
import dev.weft.runtime.DeviceCarrier.Scratch;
import java.lang.foreign.MemorySegment;

/**
 * Rows in device memory: everything that belongs to one row (codes, scales, weight) goes in one message per pair of ranks,
 * array after array, packed and unpacked by copies on the device.
 */
final class DeviceRowExchange extends RowExchange {
    private final DeviceCarrier carrier;
    private final long[] sendBytes;
    private final long[] sendOffsets;
    private final long[] receiveBytes;
    private final long[] receiveOffsets;

    /** @param n ranks of the group */
    DeviceRowExchange(DeviceCarrier carrier, int n) {
        this.carrier = carrier;
        sendBytes = new long[n];
        sendOffsets = new long[n];
        receiveBytes = new long[n];
        receiveOffsets = new long[n];
    }

    @Override
    void move(String what, Route from, Route to) {
        long rowBytes = 0;
        for (int c = 0; c < columns.size(); c++) {
            rowBytes += columns.get(c).rowBytes();
        }
        MemorySegment out = carrier.scratch(Scratch.SENT, lay(from, rowBytes, sendBytes, sendOffsets));
        MemorySegment in = carrier.scratch(Scratch.RECEIVED, lay(to, rowBytes, receiveBytes, receiveOffsets));
        copy(from, sendOffsets, out, true);
        carrier.allToAllV(what, out, sendBytes, sendOffsets, in, receiveBytes, receiveOffsets);
        copy(to, receiveOffsets, in, false);
    }

    /** One message per rank, one after another. Returns the bytes of all. */
    private static long lay(Route route, long rowBytes, long[] bytes, long[] offsets) {
        long at = 0;
        for (int r = 0; r < bytes.length; r++) {
            bytes[r] = Math.multiplyExact(route.rowsOf(r), rowBytes);
            offsets[r] = at;
            at += bytes[r];
        }
        return at;
    }

    private void copy(Route route, long[] offsets, MemorySegment messages, boolean out) {
        int other = -1;
        long done = 0; // rows of the rank's message that are behind
        for (int i = 0; i < route.runs(); ) {
            done = route.rank(i) == other ? done : 0;
            other = route.rank(i);
            long first = route.first(i);
            long rows = route.rows(i++);
            while (i < route.runs() && route.rank(i) == other && route.first(i) == first + rows) {
                rows += route.rows(i++); // every copy is a launch
            }
            long array = offsets[other];
            for (int c = 0; c < columns.size(); c++) {
                Column column = columns.get(c);
                copy(column, other, first, rows, messages, array + done * column.rowBytes(), out);
                array += route.rowsOf(other) * column.rowBytes();
            }
            done += rows;
        }
    }

    private void copy(Column c, int other, long first, long rows, MemorySegment messages, long at, boolean out) {
        long pitch = out ? c.fromPitch() : c.toPitch();
        long start = first * pitch + other * (out ? c.fromPerRank() : c.toPerRank());
        Rows array = new Rows(out ? c.from() : c.to(), start, pitch);
        Rows message = new Rows(messages, at, c.rowBytes());
        carrier.copy(out ? array : message, out ? message : array, c.rowBytes(), rows);
    }
}
