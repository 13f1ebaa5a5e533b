package dev.weft.backend.cpu.parallel;

import dev.weft.spi.BackendDevice;
import dev.weft.spi.Communicator;
import dev.weft.spi.DeviceCommunicator;
import dev.weft.spi.DeviceStream;
import dev.weft.spi.Pieces;
import dev.weft.spi.support.ForwardingGroup;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicLong;

/**
 * A group of ranks on cpu devices that moves their memory itself, as a vendor's library would. Counts what it moves that
 * way and the other one.
 */
final class OnDevice extends ForwardingGroup implements DeviceCommunicator {
    private final BackendDevice device;
    private final AtomicLong onHost;
    private final AtomicLong onDevice;

    OnDevice(Communicator group, BackendDevice device) {
        this(group, device, new AtomicLong(), new AtomicLong());
    }

    private OnDevice(Communicator group, BackendDevice device, AtomicLong onHost, AtomicLong onDevice) {
        super(group);
        this.device = device;
        this.onHost = onHost;
        this.onDevice = onDevice;
    }

    /** Bytes that were in host segments. */
    AtomicLong onHost() {
        return onHost;
    }

    /** Bytes that were at device addresses. */
    AtomicLong onDevice() {
        return onDevice;
    }

    @Override
    public BackendDevice device() {
        return device;
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
        group().allGather(what, at(send, bytes), at(receive, size() * bytes));
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
        group().allToAllV(what, from, sendBytes, sendOffsets, to, receiveBytes, receiveOffsets);
    }

    @Override
    public void broadcast(String what, DeviceStream stream, long data, long bytes, int root) {
        stream.synchronize();
        group().broadcast(what, at(data, bytes), root);
    }

    @Override
    public String transport() {
        return group().transport() + ", on device memory";
    }

    @Override
    public Communicator split(String name, int color, int key) {
        return new OnDevice(group().split(name, color, key), device, onHost, onDevice);
    }

    @Override
    public void broadcast(String what, MemorySegment data, int root) {
        onHost.addAndGet(data.byteSize());
        super.broadcast(what, data, root);
    }

    @Override
    public void allGather(String what, MemorySegment send, MemorySegment receive) {
        onHost.addAndGet(send.byteSize());
        super.allGather(what, send, receive);
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
        super.allToAllV(what, send, sendBytes, sendOffsets, receive, receiveBytes, receiveOffsets);
    }

    @Override
    public void exchange(String what, Pieces send, Pieces receive) {
        onHost.addAndGet(send.total());
        super.exchange(what, send, receive);
    }
}
