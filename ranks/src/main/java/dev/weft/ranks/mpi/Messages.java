package dev.weft.ranks.mpi;

import dev.weft.CommunicatorException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.ToIntFunction;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * Messages of a communicator: started without blocking and polled, since MPI itself waits for ever. A call of the group
 * starts some and waits for all of them; if that fails, some may still be under way. Used by one thread.
 */
final class Messages {
    /** Those of open groups, and those whose last call has failed: the library may reach what they have. */
    private static final Set<Messages> REACHED = ConcurrentHashMap.newKeySet();

    private final MpiWorld world;
    private final Mpi mpi;
    private final long type;
    private final long comm;
    private final int[] members;
    private final int rank;
    private final Requests requests = new Requests();
    private final LibraryTime time = new LibraryTime();
    private MemorySegment sent = MemorySegment.NULL;
    private MemorySegment received = MemorySegment.NULL;
    private final MemorySegment flag = Arena.global().allocate(ValueLayout.JAVA_INT);
    private final MemorySegment count = Arena.global().allocate(ValueLayout.JAVA_INT);
    private final MemorySegment status = Arena.global().allocate(MpiWorld.STATUS_BYTES, 8);

    /** @param members ranks in the world, by rank in the communicator */
    Messages(MpiWorld world, long comm, int[] members, int rank) {
        this.world = world;
        this.mpi = world.library().calls();
        this.type = world.library().abi().bytes();
        this.comm = comm;
        this.members = members;
        this.rank = rank;
        REACHED.add(this);
    }

    /** The group ends. */
    void end() {
        if (!areUnderWay()) {
            REACHED.remove(this);
        }
    }

    /** Memory of the next call, which is kept from the collector until all is done: messages have addresses only. */
    void use(MemorySegment send, MemorySegment receive) {
        sent = send;
        received = receive;
    }

    /** Time in functions of the library. */
    LibraryTime time() {
        return time;
    }

    /** Whether some are under way, after a call that failed: the library may still read or write the memory of these. */
    boolean areUnderWay() {
        return requests.count() > 0;
    }

    /** Starts to send, in pieces if there are many bytes. */
    void send(Call call, long address, long bytes, int to, int tag) {
        for (long at = 0; at < bytes; at += world.chunk()) {
            int piece = (int) Math.min(world.chunk(), bytes - at);
            long request = requests.add(to, Requests.NO_SIZE);
            long start = time.read();
            int code = mpi.MPI_Isend(address + at, piece, type, to, tag, comm, request);
            time.add(start);
            requireStarted(call, code);
        }
    }

    /** Starts to receive, in pieces as they are sent. */
    void receive(Call call, long address, long bytes, int from, int tag) {
        for (long at = 0; at < bytes; at += world.chunk()) {
            int piece = (int) Math.min(world.chunk(), bytes - at);
            long request = requests.add(from, piece);
            long start = time.read();
            int code = mpi.MPI_Irecv(address + at, piece, type, from, tag, comm, request);
            time.add(start);
            requireStarted(call, code);
        }
    }

    /** Starts something that all ranks do. @param function receives the place for the request */
    void start(Call call, ToIntFunction<MemorySegment> function) {
        requests.add(Requests.ALL, Requests.NO_SIZE);
        long start = time.read();
        int code = function.applyAsInt(requests.slot(requests.count() - 1));
        time.add(start);
        requireStarted(call, code);
    }

    private void requireStarted(Call call, int code) {
        if (code != 0) {
            throw failed(call, requests.count() - 1, code);
        }
    }

    /** Waits for all that were started. */
    void await(Call call) {
        await(call, world.patience());
    }

    /** @param patience how long the call may still take */
    void await(Call call, Patience patience) {
        for (int i = 0; i < requests.count(); i++) {
            while (!isDone(call, i)) {
                pause(call, i, patience);
            }
        }
        requests.clear();
        use(MemorySegment.NULL, MemorySegment.NULL);
    }

    private void pause(Call call, int i, Patience patience) {
        long start = time.read();
        long before = patience.waitedNanos() / Notices.PERIOD_NANOS;
        if (!patience.pause()) {
            throw world.late(call, patience.waitedNanos(), missing(i));
        }
        if (patience.waitedNanos() / Notices.PERIOD_NANOS > before) {
            world.notices().period(call.text());
            world.requireWhole();
        }
        time.add(start);
    }

    private boolean isDone(Call call, int i) {
        long start = time.read();
        int code = mpi.MPI_Test(requests.address(i), flag, status);
        time.add(start);
        if (code != 0) {
            throw failed(call, i, code);
        }
        if (flag.get(ValueLayout.JAVA_INT, 0) == 0) {
            return false;
        }
        int expected = requests.size(i);
        if (expected != Requests.NO_SIZE) {
            requireBytes(call, i, expected);
        }
        return true;
    }

    private void requireBytes(Call call, int i, int expected) {
        long start = time.read();
        mpi.MPI_Get_count(status, type, count);
        time.add(start);
        int found = count.get(ValueLayout.JAVA_INT, 0);
        if (found != expected) {
            throw world.failed(
                    call, "rank " + members[requests.peer(i)] + " sent " + found + " bytes, expected " + expected);
        }
    }

    private CommunicatorException failed(Call call, int i, int code) {
        return world.failed(call, where(i, code) + world.library().error(code) + " (code " + code + ")");
    }

    /** Which ranks have failed if the library knows it, else at the other end of which request the error was found. */
    private String where(int i, int code) {
        int[] failed = FailedRanks.of(world.library(), comm, code);
        if (failed.length > 0) {
            return Arrays.stream(failed)
                    .mapToObj(r -> "rank " + members[r] + " has failed")
                    .collect(Collectors.joining(", ", "", ": "));
        }
        int peer = requests.peer(i);
        return peer == Requests.ALL ? "" : "rank " + members[peer] + ": ";
    }

    /** Ranks of the world with which requests from the given one on are not done. */
    private List<Integer> missing(int first) {
        List<Integer> missing = new ArrayList<>();
        for (int i = first; i < requests.count(); i++) {
            int peer = requests.peer(i);
            if (peer == Requests.ALL) {
                return IntStream.range(0, members.length)
                        .filter(other -> other != rank)
                        .mapToObj(other -> members[other])
                        .toList();
            }
            flag.set(ValueLayout.JAVA_INT, 0, 0);
            mpi.MPI_Test(requests.address(i), flag, status);
            if (flag.get(ValueLayout.JAVA_INT, 0) == 0 && !missing.contains(members[peer])) {
                missing.add(members[peer]);
            }
        }
        return missing;
    }
}
