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
    public MemorySegment scratch(Scratch which, long bytes) {
        return switch (which) {
            case SENT -> sent.bytes(bytes);
            case RECEIVED -> received.bytes(bytes);
        };
    }

    @Override
    public void copy(Rows from, Rows to, long bytes, long rows) {
        boolean dense = from.pitch() == bytes && to.pitch() == bytes;
        long step = dense ? rows * bytes : bytes;
        for (long i = 0; i < (dense ? 1 : rows); i++) {
            MemorySegment.copy(
                    from.memory(), from.offset() + i * from.pitch(), to.memory(), to.offset() + i * to.pitch(), step);
        }
    }

    @Override
    public void allGather(String what, MemorySegment send, MemorySegment receive) {
        group.allGather(what, send, receive);
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
