package dev.weft.spi;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** An exchange of pieces as one message per pair of ranks, for transports that have no better way. */
public final class PackedPieces {
    private PackedPieces() {}

    /** What {@link Communicator#exchange} promises, by {@link Communicator#allToAllV}. */
    public static void exchange(Communicator group, String what, Pieces send, Pieces receive) {
        int ranks = group.size();
        long[] sendBytes = new long[ranks];
        long[] sendOffsets = new long[ranks];
        long[] receiveBytes = new long[ranks];
        long[] receiveOffsets = new long[ranks];
        MemorySegment out = Arena.ofAuto().allocate(lay(send, sendBytes, sendOffsets), Long.BYTES);
        MemorySegment in = Arena.ofAuto().allocate(lay(receive, receiveBytes, receiveOffsets), Long.BYTES);
        long at = 0;
        for (int i = 0; i < send.end(ranks - 1); i++) {
            MemorySegment.copy(send.segment(i), 0, out, at, send.bytes(i));
            at += send.bytes(i);
        }
        group.allToAllV(what, out, sendBytes, sendOffsets, in, receiveBytes, receiveOffsets);
        at = 0;
        for (int i = 0; i < receive.end(ranks - 1); i++) {
            MemorySegment.copy(in, at, receive.segment(i), 0, receive.bytes(i));
            at += receive.bytes(i);
        }
    }

    private static long lay(Pieces pieces, long[] bytes, long[] offsets) {
        long at = 0;
        for (int r = 0; r < bytes.length; r++) {
            bytes[r] = pieces.bytesOf(r);
            offsets[r] = at;
            at += bytes[r];
        }
        return at;
    }
}
