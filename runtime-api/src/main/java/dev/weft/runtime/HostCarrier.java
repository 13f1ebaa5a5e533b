package dev.weft.runtime;

import dev.weft.spi.Communicator;
import dev.weft.spi.support.HostScratch;
import java.lang.foreign.MemorySegment;

/** Payload goes through host memory, by any group. */
final class HostCarrier implements Carrier {
    private final Communicator group;
    private final HostOperands operands;
    private final HostScratch sent = new HostScratch();
    private final HostScratch received = new HostScratch();

    HostCarrier(Communicator group, HostOperands operands) {
        this.group = group;
        this.operands = operands;
    }

    @Override
    public MemorySegment data(int i) {
        return operands.data(i);
    }

    @Override
    public MemorySegment scales(int i) {
        return operands.scales(i);
    }

    @Override
    public void copy(MemorySegment from, MemorySegment to) {
        to.copyFrom(from);
    }

    @Override
    public void allGather(String what, MemorySegment send, MemorySegment receive) {
        group.allGather(what, send, receive);
    }

    /** One message, array after array. */
    @Override
    public void allGather(String what, MemorySegment[] send, MemorySegment[] receive) {
        int ranks = group.size();
        long message = 0;
        for (MemorySegment array : receive) {
            message += array.byteSize() / ranks;
        }
        MemorySegment out = sent.bytes(message);
        MemorySegment in = received.bytes(ranks * message);
        long at = 0;
        for (int i = 0; i < send.length; i++) {
            long bytes = receive[i].byteSize() / ranks;
            MemorySegment.copy(send[i], 0, out, at, Math.min(bytes, send[i].byteSize()));
            at += bytes;
        }
        group.allGather(what, out, in);
        at = 0;
        for (MemorySegment array : receive) {
            long bytes = array.byteSize() / ranks;
            for (int r = 0; r < ranks; r++) {
                MemorySegment.copy(in, r * message + at, array, r * bytes, bytes);
            }
            at += bytes;
        }
    }

    @Override
    public void allToAllV(
            String what,
            MemorySegment send,
            long[] sendBytes,
            long[] sendOffsets,
            MemorySegment receive,
            long[] receiveBytes,
            long[] receiveOffsets) {
        group.allToAllV(what, send, sendBytes, sendOffsets, receive, receiveBytes, receiveOffsets);
    }

    @Override
    public void broadcast(String what, MemorySegment data) {
        group.broadcast(what, data, 0);
    }

    @Override
    public void close() {
        // its memory is collected
    }
}
