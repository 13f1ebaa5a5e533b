package dev.weft.runtime;

import dev.weft.spi.Closing;
import dev.weft.spi.DeviceCommunicator;
import dev.weft.spi.support.DeviceScratch;
import java.lang.foreign.MemorySegment;
import java.util.List;

/** Payload stays in device memory, moved in the order of the stream by a group that reaches it. */
final class DeviceCarrier implements Carrier {
    /** Memory that stays from node to node. */
    enum Scratch {
        SENT,
        RECEIVED
    }

    /**
     * Where pieces begin.
     *
     * @param memory that holds them
     * @param offset of the first one
     * @param pitch bytes from one to the next
     */
    record Rows(MemorySegment memory, long offset, long pitch) {
        /** The {@code rows} pieces of {@code bytes} bytes. @throws IndexOutOfBoundsException if they are not all in the memory */
        MemorySegment span(long bytes, long rows) {
            return memory.asSlice(offset, (rows - 1) * pitch + bytes);
        }
    }

    private final DeviceCommunicator group;
    private final HostOperands operands;
    private final DeviceScratch sent;
    private final DeviceScratch received;

    /** @param operands tells addresses, extents and the stream of the node that runs */
    DeviceCarrier(DeviceCommunicator group, HostOperands operands) {
        this.group = group;
        this.operands = operands;
        this.sent = new DeviceScratch(group.device());
        this.received = new DeviceScratch(group.device());
    }

    /** A size and a device address, not for the host to follow. */
    private static MemorySegment segment(long address, long bytes) {
        return MemorySegment.ofAddress(address).reinterpret(bytes);
    }

    @Override
    public MemorySegment data(int i) {
        return segment(operands.arguments().address(i), operands.dataBytes(i));
    }

    @Override
    public MemorySegment scales(int i) {
        return segment(operands.arguments().scaleAddress(i), operands.scaleBytes(i));
    }

    /** Contents undefined. */
    MemorySegment scratch(Scratch which, long bytes) {
        DeviceScratch memory = switch (which) {
            case SENT -> sent;
            case RECEIVED -> received;
        };
        return segment(memory.bytes(operands.stream(), bytes), bytes);
    }

    @Override
    public void copy(MemorySegment from, MemorySegment to) {
        copy(new Rows(from, 0, from.byteSize()), new Rows(to, 0, to.byteSize()), from.byteSize(), 1);
    }

    /** Copies pieces whose beginnings are so far apart at either end. */
    void copy(Rows from, Rows to, long bytes, long rows) {
        if (rows > 0 && bytes > 0) {
            long source = from.span(bytes, rows).address();
            long target = to.span(bytes, rows).address();
            operands.stream().copy(source, from.pitch(), target, to.pitch(), bytes, rows);
        }
    }

    @Override
    public void allGather(String what, MemorySegment send, MemorySegment receive) {
        group.allGather(what, operands.stream(), send.address(), receive.address(), send.byteSize());
    }

    /** Reads past what is there: memory is planned for the largest extents. */
    @Override
    public void allGather(String what, MemorySegment[] send, MemorySegment[] receive) {
        int n = send.length;
        long[] from = new long[n];
        long[] to = new long[n];
        long[] bytes = new long[n];
        for (int i = 0; i < n; i++) {
            from[i] = send[i].address();
            to[i] = receive[i].address();
            bytes[i] = receive[i].byteSize() / group.size();
        }
        group.allGather(what, operands.stream(), from, to, bytes);
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
        group.allToAllV(
                what,
                operands.stream(),
                send.address(),
                sendBytes,
                sendOffsets,
                receive.address(),
                receiveBytes,
                receiveOffsets);
    }

    @Override
    public void broadcast(String what, MemorySegment data) {
        group.broadcast(what, operands.stream(), data.address(), data.byteSize(), 0);
    }

    @Override
    public void close() {
        Closing.all(List.of(sent, received));
    }
}
