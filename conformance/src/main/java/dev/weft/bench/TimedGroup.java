package dev.weft.bench;

import dev.weft.spi.Communicator;
import dev.weft.spi.Pieces;
import dev.weft.spi.support.ForwardingGroup;
import java.lang.foreign.MemorySegment;
import java.util.IdentityHashMap;
import java.util.Map;
import java.util.function.LongSupplier;

/** A group that counts the time in its calls, by whose work they are; the rest of a collective's time is the runtime's. */
final class TimedGroup extends ForwardingGroup {
    /** By the label of a node, which is one object. */
    private final Map<String, Times> times = new IdentityHashMap<>();

    private final LongSupplier library;

    /** Nanoseconds in calls of a node. */
    private static final class Times {
        private long calls;
        private long library;
    }

    /** @param library tells the nanoseconds that the group has spent in its library so far */
    TimedGroup(Communicator group, LongSupplier library) {
        super(group);
        this.library = library;
    }

    /** Time in the calls of a node so far, barriers excepted. */
    long nanos(String what) {
        return of(what).calls;
    }

    /** The part of {@link #nanos} that the group's library took, as far as it tells. */
    long libraryNanos(String what) {
        return of(what).library;
    }

    private Times of(String what) {
        return times.computeIfAbsent(what, w -> new Times());
    }

    private void timed(String what, Runnable call) {
        long start = System.nanoTime();
        Times t = of(what); // the look-up is in the time of the call, not of the runtime
        long before = library.getAsLong();
        call.run();
        t.library += library.getAsLong() - before;
        t.calls += System.nanoTime() - start;
    }

    @Override
    public void broadcast(String what, MemorySegment data, int root) {
        timed(what, () -> super.broadcast(what, data, root));
    }

    @Override
    public void allGather(String what, MemorySegment send, MemorySegment receive) {
        timed(what, () -> super.allGather(what, send, receive));
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
        timed(
                what,
                () -> super.allToAllV(what, send, sendBytes, sendOffsets, receive, receiveBytes, receiveOffsets));
    }

    @Override
    public void exchange(String what, Pieces send, Pieces receive) {
        timed(what, () -> super.exchange(what, send, receive));
    }
}
