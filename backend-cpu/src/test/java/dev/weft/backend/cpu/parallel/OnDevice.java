package dev.weft.backend.cpu.parallel;

import dev.weft.spi.BackendDevice;
import dev.weft.spi.Communicator;
import dev.weft.spi.DeviceCommunicator;
import dev.weft.spi.DeviceStream;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicLong;

/**
 * A group of ranks on cpu devices that moves their memory itself, as a vendor's library would. Counts what it moves that
 * way and the other one.
 *
 * @param group moves the bytes
 * @param onHost bytes that were in host segments
 * @param onDevice bytes that were at device addresses
 */
record OnDevice(Communicator group, BackendDevice device, AtomicLong onHost, AtomicLong onDevice)
        implements DeviceCommunicator {
    OnDevice(Communicator group, BackendDevice device) {
        this(group, device, new AtomicLong(), new AtomicLong());
    }

    private MemorySegment at(long address, long bytes) {
        onDevice.addAndGet(bytes);
        return MemorySegment.ofAddress(address).reinterpret(bytes);
    }

    private static long end(long[] bytes, long[] offsets) {
        long end = 0;
        for (int i = 0; i < bytes.length; i++) {
            end = Math.max(end, offsets[i] + bytes[i]);
        }
        return end;
    }

    @Override
    public void allGather(String what, DeviceStream stream, long send, long receive, long bytes) {
        stream.synchronize();
        group.allGather(what, at(send, bytes), at(receive, size() * bytes));
    }

    @Override
    public void allToAllV(
            String what,
            DeviceStream stream,
            long send,
            long[] sendBytes,
            long[] sendOffsets,
            long receive,
            long[] receiveBytes,
            long[] receiveOffsets) {
        stream.synchronize();
        MemorySegment from = at(send, end(sendBytes, sendOffsets));
        MemorySegment to = at(receive, end(receiveBytes, receiveOffsets));
        group.allToAllV(what, from, sendBytes, sendOffsets, to, receiveBytes, receiveOffsets);
    }

    @Override
    public void broadcast(String what, DeviceStream stream, long data, long bytes, int root) {
        stream.synchronize();
        group.broadcast(what, at(data, bytes), root);
    }

    @Override
    public String name() {
        return group.name();
    }

    @Override
    public int rank() {
        return group.rank();
    }

    @Override
    public int size() {
        return group.size();
    }

    @Override
    public String transport() {
        return group.transport() + ", on device memory";
    }

    @Override
    public void step(long number) {
        group.step(number);
    }

    @Override
    public Communicator split(String name, int color, int key) {
        return new OnDevice(group.split(name, color, key), device, onHost, onDevice);
    }

    @Override
    public void barrier(String what) {
        group.barrier(what);
    }

    @Override
    public void broadcast(String what, MemorySegment data, int root) {
        onHost.addAndGet(data.byteSize());
        group.broadcast(what, data, root);
    }

    @Override
    public void allGather(String what, MemorySegment send, MemorySegment receive) {
        onHost.addAndGet(send.byteSize());
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
        onHost.addAndGet(Arrays.stream(sendBytes).sum());
        group.allToAllV(what, send, sendBytes, sendOffsets, receive, receiveBytes, receiveOffsets);
    }

    @Override
    public void send(String what, MemorySegment data, int to) {
        group.send(what, data, to);
    }

    @Override
    public void receive(String what, MemorySegment data, int from) {
        group.receive(what, data, from);
    }

    @Override
    public void abort(String reason) {
        group.abort(reason);
    }

    @Override
    public void close() {
        group.close();
    }
}
