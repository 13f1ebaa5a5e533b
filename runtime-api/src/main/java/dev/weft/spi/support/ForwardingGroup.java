package dev.weft.spi.support;

import dev.weft.spi.Communicator;
import dev.weft.spi.Pieces;
import java.lang.foreign.MemorySegment;

/** A group that does what another one does; subclasses look at some of its calls. */
public abstract class ForwardingGroup implements Communicator {
    private final Communicator group;

    /** @param group does everything */
    protected ForwardingGroup(Communicator group) {
        this.group = group;
    }

    /** The group that does everything. */
    protected final Communicator group() {
        return group;
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
        return group.transport();
    }

    @Override
    public void step(long number) {
        group.step(number);
    }

    @Override
    public Communicator split(String name, int color, int key) {
        return group.split(name, color, key);
    }

    @Override
    public void barrier(String what) {
        group.barrier(what);
    }

    @Override
    public void broadcast(String what, MemorySegment data, int root) {
        group.broadcast(what, data, root);
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
    public void exchange(String what, Pieces send, Pieces receive) {
        group.exchange(what, send, receive);
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
    public boolean isUnderWay() {
        return group.isUnderWay();
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
