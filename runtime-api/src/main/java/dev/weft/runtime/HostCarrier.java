package dev.weft.runtime;

import dev.weft.spi.Communicator;
import java.lang.foreign.MemorySegment;

/** Payload goes through host memory, by any group. */
final class HostCarrier implements Carrier {
    private final Communicator group;
    private final HostOperands operands;

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
