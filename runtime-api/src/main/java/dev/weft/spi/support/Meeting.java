package dev.weft.spi.support;

import dev.weft.CommunicatorException;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Where the ranks of a {@link LocalGroup} wait for each other. Once something has failed, everything fails. */
final class Meeting {
    private static final long NANOS_PER_MILLI = 1_000_000;

    private final String name;
    private final int size;
    private final Duration deadline;
    private final @Nullable String[] present;
    private final boolean[] left;
    private final Map<Long, Parcel> sent = new HashMap<>();
    private List<@Nullable Object> parts;
    private long round;
    private int reading;
    private @Nullable String failure;

    Meeting(String name, int size, Duration deadline) {
        this.name = name;
        this.size = size;
        this.deadline = deadline;
        this.present = new String[size];
        this.left = new boolean[size];
        this.parts = new ArrayList<>(Collections.nCopies(size, null));
    }

    String name() {
        return name;
    }

    int size() {
        return size;
    }

    Duration deadline() {
        return deadline;
    }

    synchronized String failure() {
        return failure == null ? name + ": no failure" : failure;
    }

    /**
     * Waits for all ranks and returns what each brought. A rank to which it returns calls {@link #read} when it has read the
     * others' memory, whatever happens.
     */
    @SuppressWarnings("unchecked") // all are there when the list is returned
    synchronized List<Object> meet(int rank, String what, long step, Object part) {
        requireWhole();
        List<@Nullable Object> mine = parts;
        mine.set(rank, part);
        present[rank] = what;
        for (int i = 0; i < size; i++) {
            String other = present[i];
            if (other != null && !other.equals(what)) {
                fail(name + ": rank " + rank + " calls " + what + " while rank " + i + " calls " + other
                        + "; all ranks must run the same steps of the same graph");
                requireWhole();
            }
        }
        if (Arrays.stream(present).allMatch(p -> p != null)) {
            Arrays.fill(present, null);
            reading = size;
            parts = new ArrayList<>(Collections.nCopies(size, null));
            round++;
            notifyAll();
        } else {
            long here = round;
            await(rank, what, step, () -> round > here, this::absent);
        }
        return (List<Object>) (List<?>) mine;
    }

    /** Waits until all ranks have read. Nobody waits for a rank that has not met: reading ends without others. */
    synchronized void read() {
        reading--;
        notifyAll();
        long here = round;
        boolean interrupted = false;
        while (reading > 0 && round == here) {
            try {
                wait();
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /** Ranks that have not come to the current meeting. */
    private List<Integer> absent() {
        List<Integer> absent = new ArrayList<>();
        for (int i = 0; i < size; i++) {
            if (present[i] == null) {
                absent.add(i);
            }
        }
        return absent;
    }

    synchronized void send(int from, int to, String what, long step, MemorySegment data) {
        long key = key(from, to);
        await(from, what, step, () -> !sent.containsKey(key), () -> List.of(to));
        Parcel parcel = new Parcel(data);
        sent.put(key, parcel);
        notifyAll();
        await(from, what, step, () -> sent.get(key) != parcel, () -> List.of(to));
    }

    synchronized void receive(int from, int to, String what, long step, MemorySegment data) {
        long key = key(from, to);
        await(to, what, step, () -> sent.containsKey(key), () -> List.of(from));
        MemorySegment source = sent.remove(key).data;
        if (source.byteSize() != data.byteSize()) {
            fail(name + ": rank " + from + " sends " + source.byteSize() + " bytes to rank " + to + ", which " + what
                    + " expects " + data.byteSize());
            requireWhole();
        }
        MemorySegment.copy(source, 0, data, 0, data.byteSize());
        notifyAll();
    }

    private long key(int from, int to) {
        return (long) from * size + to;
    }

    /** Bytes on their way; two of the same memory are not the same. */
    private static final class Parcel {
        private final MemorySegment data;

        Parcel(MemorySegment data) {
            this.data = data;
        }
    }

    private interface Condition {
        boolean holds();
    }

    private interface Missing {
        List<Integer> ranks();
    }

    private void await(int rank, String what, long step, Condition condition, Missing missing) {
        long start = System.nanoTime();
        requireWhole();
        while (!condition.holds()) {
            List<Integer> ranks = missing.ranks();
            long remaining = deadline.toNanos() - (System.nanoTime() - start);
            if (ranks.stream().anyMatch(r -> left[r])) {
                fail(name + ": " + what + ": rank " + rank + " of " + size + " waits in step " + step + " for ranks "
                        + ranks + ", of which some have left the group; see what ended them");
            } else if (remaining <= 0) {
                fail(name + ": " + what + ": rank " + rank + " of " + size + " waited " + deadline.toMillis()
                        + " ms in step " + step + "; ranks " + ranks
                        + " did not answer; see what they do, or give them a longer deadline");
            } else {
                pause(remaining);
            }
            if (!condition.holds()) { // who has met goes on: the others read its memory
                requireWhole();
            }
        }
    }

    private void pause(long nanos) {
        try {
            wait(nanos / NANOS_PER_MILLI + 1);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            fail(name + ": a rank was interrupted");
        }
    }

    private void requireWhole() {
        if (failure != null) {
            throw new CommunicatorException(failure);
        }
    }

    /** Ends the group; the first reason stays. */
    synchronized void fail(String reason) {
        if (failure == null) {
            failure = reason;
        }
        notifyAll();
    }

    synchronized void leave(int rank) {
        left[rank] = true;
        notifyAll();
    }
}
