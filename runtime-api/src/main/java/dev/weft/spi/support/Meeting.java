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
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * Where the ranks of a {@link LocalGroup} wait for each other. Once something has failed, everything fails: the group, what
 * it was split from and all its parts.
 */
final class Meeting {
    private static final long NANOS_PER_MILLI = 1_000_000;

    /** What a group shares with its parts. Its monitor guards all of them. */
    private static final class World {
        private final int size;
        private final Duration deadline;
        private @Nullable String failure;

        World(int size, Duration deadline) {
            this.size = size;
            this.deadline = deadline;
        }
    }

    private final World world;
    private final String name;
    private final int size;
    private final List<Integer> members;
    private final @Nullable String[] present;
    private final boolean[] left;
    private final Map<Long, Parcel> sent = new HashMap<>();
    private List<@Nullable Object> parts;
    private long round;
    private int reading;

    /** A world of its own. */
    Meeting(String name, int size, Duration deadline) {
        this(new World(size, deadline), name, IntStream.range(0, size).boxed().toList());
    }

    private Meeting(World world, String name, List<Integer> members) {
        this.world = world;
        this.name = name;
        this.size = members.size();
        this.members = members;
        this.present = new String[size];
        this.left = new boolean[size];
        this.parts = new ArrayList<>(Collections.nCopies(size, null));
    }

    /** A part of this group. @param ranks of this group, by rank in the part */
    Meeting part(String part, List<Integer> ranks) {
        return new Meeting(world, part, ranks.stream().map(members::get).toList());
    }

    String name() {
        return name;
    }

    int size() {
        return size;
    }

    String failure() {
        synchronized (world) {
            return world.failure == null ? name + ": no failure" : world.failure;
        }
    }

    /**
     * Waits for all ranks and returns what each brought. A rank to which it returns calls {@link #read} when it has read the
     * others' memory, whatever happens.
     */
    @SuppressWarnings("unchecked") // all are there when the list is returned
    List<Object> meet(int rank, String what, long step, Object part) {
        synchronized (world) {
            requireWhole();
            List<@Nullable Object> mine = parts;
            mine.set(rank, part);
            present[rank] = what;
            for (int i = 0; i < size; i++) {
                String other = present[i];
                if (other != null && !other.equals(what)) {
                    fail(name + ": rank " + members.get(rank) + " calls " + what + " while rank " + members.get(i)
                            + " calls " + other + "; all ranks must run the same steps of the same graph");
                    requireWhole();
                }
            }
            if (Arrays.stream(present).allMatch(p -> p != null)) {
                Arrays.fill(present, null);
                reading = size;
                parts = new ArrayList<>(Collections.nCopies(size, null));
                round++;
                world.notifyAll();
            } else {
                long here = round;
                await(rank, what, step, () -> round > here, this::absent);
            }
            return (List<Object>) (List<?>) mine;
        }
    }

    /** Waits until all ranks have read. Nobody waits for a rank that has not met: reading ends without others. */
    void read() {
        boolean interrupted = false;
        synchronized (world) {
            reading--;
            world.notifyAll();
            long here = round;
            while (reading > 0 && round == here) {
                try {
                    world.wait();
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /** Ranks that have not come to the current meeting. */
    private List<Integer> absent() {
        return IntStream.range(0, size).filter(i -> present[i] == null).boxed().toList();
    }

    void send(int from, int to, String what, long step, MemorySegment data) {
        synchronized (world) {
            long key = key(from, to);
            await(from, what, step, () -> !sent.containsKey(key), () -> List.of(to));
            Parcel parcel = new Parcel(data);
            sent.put(key, parcel);
            world.notifyAll();
            await(from, what, step, () -> sent.get(key) != parcel, () -> List.of(to));
        }
    }

    void receive(int from, int to, String what, long step, MemorySegment data) {
        synchronized (world) {
            long key = key(from, to);
            await(to, what, step, () -> sent.containsKey(key), () -> List.of(from));
            MemorySegment source = sent.remove(key).data;
            if (source.byteSize() != data.byteSize()) {
                fail(name + ": rank " + members.get(from) + " sends " + source.byteSize() + " bytes to rank "
                        + members.get(to) + ", which " + what + " expects " + data.byteSize());
                requireWhole();
            }
            MemorySegment.copy(source, 0, data, 0, data.byteSize());
            world.notifyAll();
        }
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

    /** With the monitor held. */
    private void await(int rank, String what, long step, Condition condition, Missing missing) {
        long start = System.nanoTime();
        requireWhole();
        while (!condition.holds()) {
            List<Integer> ranks = missing.ranks();
            long remaining = world.deadline.toNanos() - (System.nanoTime() - start);
            if (ranks.stream().anyMatch(r -> left[r])) {
                fail(waiting(rank, what) + " waits in step " + step + " for ranks " + ofWorld(ranks)
                        + ", of which some have left the group; see what ended them");
            } else if (remaining <= 0) {
                fail(waiting(rank, what) + " waited " + world.deadline.toMillis() + " ms in step " + step + "; ranks "
                        + ofWorld(ranks) + " did not answer; see what they do, or give them a longer deadline");
            } else {
                pause(remaining);
            }
            if (!condition.holds()) { // who has met goes on: the others read its memory
                requireWhole();
            }
        }
    }

    private String waiting(int rank, String what) {
        return name + ": " + what + ": rank " + members.get(rank) + " of " + world.size;
    }

    private List<Integer> ofWorld(List<Integer> ranks) {
        return ranks.stream().map(members::get).toList();
    }

    private void pause(long nanos) {
        try {
            world.wait(nanos / NANOS_PER_MILLI + 1);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            fail(name + ": a rank was interrupted");
        }
    }

    private void requireWhole() {
        if (world.failure != null) {
            throw new CommunicatorException(world.failure);
        }
    }

    /** Ends the group, what it was split from and all parts; the first reason stays. */
    void fail(String reason) {
        synchronized (world) {
            if (world.failure == null) {
                world.failure = reason;
            }
            world.notifyAll();
        }
    }

    void leave(int rank) {
        synchronized (world) {
            left[rank] = true;
            world.notifyAll();
        }
    }
}
