package dev.weft.spi.support;

import dev.weft.spi.BackendDevice;
import dev.weft.spi.Closing;
import dev.weft.spi.DeviceCommunicator;
import dev.weft.spi.DeviceStream;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * A group that moves memory of its device. Host memory goes by way of the device on a stream of the group's own, and a call
 * for it returns when that stream has passed it. Subclasses move device memory.
 */
public abstract class StagedGroup implements DeviceCommunicator {
    /** Host memory of one message goes in pieces of so many bytes, which bounds what it takes of the device. */
    private static final long PIECE = 32L << 20;

    /** Every rank sends this much where only its coming counts. */
    private static final long SIGN = 64;

    private final DeviceStream stream;
    private final DeviceScratch sent;
    private final DeviceScratch received;

    /** @param stream of the group's own, which the subclass closes */
    protected StagedGroup(BackendDevice device, DeviceStream stream) {
        this.stream = stream;
        this.sent = new DeviceScratch(device);
        this.received = new DeviceScratch(device);
    }

    /** Appends an all-gather of one byte or more. @param operation its name in messages */
    protected abstract void gather(
            String operation, String what, DeviceStream stream, long send, long receive, long bytes);

    /** Appends a send of one byte or more. */
    protected abstract void send(String what, DeviceStream stream, long data, long bytes, int to);

    /** Appends a receive of one byte or more. */
    protected abstract void receive(String what, DeviceStream stream, long data, long bytes, int from);

    /** Waits for the group's own stream. */
    protected void finish() {
        stream.synchronize();
    }

    /** Frees the memory on the device; nothing may be under way. */
    protected final void closeStaging() {
        Closing.all(List.of(sent, received));
    }

    @Override
    public final void allGather(String what, DeviceStream on, long send, long receive, long bytes) {
        if (bytes > 0) {
            gather("allGather", what, on, send, receive, bytes);
        }
    }

    /** Whoever has gathered the signs of all has seen all come. */
    @Override
    public final void barrier(String what) {
        gather("barrier", what, stream, sent.bytes(stream, SIGN), received.bytes(stream, SIGN * size()), SIGN);
        finish();
    }

    @Override
    public final void broadcast(String what, MemorySegment data, int root) {
        RankArguments.requireRank("broadcast " + what, root, size());
        RankArguments.requireNative("broadcast " + what, data);
        inPieces(data, (piece, address) -> {
            if (rank() == root) {
                stream.copyIn(piece, address);
            }
            broadcast(what, stream, address, piece.byteSize(), root);
            if (rank() != root) {
                stream.copyOut(address, piece);
            }
        });
    }

    @Override
    public final void allGather(String what, MemorySegment send, MemorySegment receive) {
        RankArguments.requireNative("allGather " + what, send);
        RankArguments.requireNative("allGather " + what, receive);
        RankArguments.requireBytes("allGather " + what + ": receive", receive, size() * send.byteSize());
        long from = sent.bytes(stream, send.byteSize());
        long to = received.bytes(stream, receive.byteSize());
        stream.copyIn(send, from);
        allGather(what, stream, from, to, send.byteSize());
        stream.copyOut(to, receive);
        finish();
    }

    @Override
    public final void allToAllV(
            String what,
            MemorySegment send,
            long[] sendBytes,
            long[] sendOffsets,
            MemorySegment receive,
            long[] receiveBytes,
            long[] receiveOffsets) {
        RankArguments.requireNative("allToAllV " + what, send);
        RankArguments.requireNative("allToAllV " + what, receive);
        RankArguments.requireRanges("allToAllV " + what + ": send", send, sendBytes, sendOffsets, size());
        RankArguments.requireRanges("allToAllV " + what + ": receive", receive, receiveBytes, receiveOffsets, size());
        long from = sent.bytes(stream, send.byteSize());
        long to = received.bytes(stream, receive.byteSize());
        stream.copyIn(send, from);
        allToAllV(what, stream, from, sendBytes, sendOffsets, to, receiveBytes, receiveOffsets);
        for (int peer = 0; peer < size(); peer++) { // what nobody sends to stays as it is
            stream.copyOut(to + receiveOffsets[peer], receive.asSlice(receiveOffsets[peer], receiveBytes[peer]));
        }
        finish();
    }

    @Override
    public final void send(String what, MemorySegment data, int to) {
        RankArguments.requireRank("send " + what, to, size());
        RankArguments.requireNative("send " + what, data);
        inPieces(data, (piece, address) -> {
            stream.copyIn(piece, address);
            send(what, stream, address, piece.byteSize(), to);
        });
    }

    @Override
    public final void receive(String what, MemorySegment data, int from) {
        RankArguments.requireRank("receive " + what, from, size());
        RankArguments.requireNative("receive " + what, data);
        inPieces(data, (piece, address) -> {
            receive(what, stream, address, piece.byteSize(), from);
            stream.copyOut(address, piece);
        });
    }

    /** Moves a piece of host memory by way of a device address. */
    private interface Piece {
        void move(MemorySegment piece, long address);
    }

    private void inPieces(MemorySegment data, Piece body) {
        for (long at = 0; at < data.byteSize(); at += PIECE) {
            long bytes = Math.min(PIECE, data.byteSize() - at);
            body.move(data.asSlice(at, bytes), sent.bytes(stream, bytes));
            finish();
        }
    }
}
