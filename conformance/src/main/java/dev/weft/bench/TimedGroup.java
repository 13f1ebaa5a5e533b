package dev.weft.bench;

import dev.weft.spi.Communicator;
import dev.weft.spi.Pieces;
import java.lang.foreign.MemorySegment;
import java.util.IdentityHashMap;
import java.util.Map;

/** A group that counts the time in its calls, by whose work they are; the rest of a collective's time is the runtime's. */
final class TimedGroup implements Communicator {
    private final Communicator group;
    /** By the label of a node, which is one object. */
    private final Map<String, long[]> nanos = new IdentityHashMap<>();

    TimedGroup(Communicator group) {
        this.group = group;
    }

    /** Time in the calls of a node so far, barriers excepted. */
    long nanos(String what) {
        return of(what)[0];
    }

    private long[] of(String what) {
        return nanos.computeIfAbsent(what, w -> new long[1]);
    }

    private void add(String what, long start) {
        of(what)[0] += System.nanoTime() - start; // the look-up is in the time of the call, not of the runtime
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
        long start = System.nanoTime();
        group.broadcast(what, data, root);
        add(what, start);
    }

    @Override
    public void allGather(String what, MemorySegment send, MemorySegment receive) {
        long start = System.nanoTime();
        group.allGather(what, send, receive);
        add(what, start);
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
        long start = System.nanoTime();
        group.allToAllV(what, send, sendBytes, sendOffsets, receive, receiveBytes, receiveOffsets);
        add(what, start);
    }

    @Override
    public void exchange(String what, Pieces send, Pieces receive) {
        long start = System.nanoTime();
        group.exchange(what, send, receive);
        add(what, start);
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
