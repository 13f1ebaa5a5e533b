package dev.weft.ranks.mpi;

import dev.weft.CommunicatorException;
import dev.weft.ranks.Launch;
import dev.weft.ranks.LaunchException;
import dev.weft.ranks.Ranks;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.IntSupplier;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** This process in a world of MPI: what all its groups share, and how it begins and ends. */
public final class MpiWorld {
    /** {@code MPI_Status} has 24 bytes in Open MPI and 20 in MPICH. */
    static final long STATUS_BYTES = 64;

    /** One message is at most this large: counts are 32-bit integers. */
    static final int CHUNK = 1 << 30;

    private static final Logger LOG = LoggerFactory.getLogger(MpiWorld.class);
    private static final int THREAD_MULTIPLE = 3;
    private static final double NANOS = 1e9;

    /** So long MPI has to end by itself. MPICH 4.0 over UCX's TCP sometimes never does: a rank waits for one that is done. */
    private static final Duration END = Duration.ofSeconds(10);

    private final MpiLibrary library;
    private final Duration deadline;
    private final int chunk;
    private final ExecutorService blocking;
    private final String host = hostName();
    private final AtomicReference<String> failure = new AtomicReference<>("");
    private int rank;
    private int size = 1;
    private boolean crowded = true;
    private volatile long step;
    private @Nullable Notices notices;
    private long side;

    private MpiWorld(MpiLibrary library, Duration deadline, int chunk) {
        this.library = library;
        this.deadline = deadline;
        this.chunk = chunk;
        this.blocking = Executors.newSingleThreadExecutor(
                Thread.ofPlatform().daemon().name("weft-mpi").factory());
    }

    /**
     * Starts MPI, once per process, and returns the group of all ranks. Closing it ends MPI.
     *
     * @throws LaunchException if there is no library, or it does not belong to the launcher
     * @throws CommunicatorException if the other ranks do not come
     */
    public static MpiGroup open(Launch launch, Duration deadline) {
        return open(launch, deadline, CHUNK);
    }

    /** @param chunk largest message */
    static MpiGroup open(Launch launch, Duration deadline, int chunk) {
        MpiLibrary library = MpiLibrary.open(launch.mpi());
        MpiWorld world = new MpiWorld(library, deadline, chunk);
        return world.start(launch);
    }

    private MpiGroup start(Launch launch) {
        MemorySegment out = Arena.global().allocate(ValueLayout.JAVA_LONG);
        Mpi mpi = library.calls();
        mpi.MPI_Initialized(out);
        if (out.get(ValueLayout.JAVA_INT, 0) != 0) {
            throw new LaunchException("MPI is in use in this process already; it starts once per process");
        }
        rank = launch.rank();
        size = launch.size();
        Call start = new Call("start", library.version(), "world", 0, 0, 0);
        bounded(start, () -> mpi.MPI_Init_thread(MemorySegment.NULL, MemorySegment.NULL, THREAD_MULTIPLE, out));
        int provided = out.get(ValueLayout.JAVA_INT, 0);
        if (provided != THREAD_MULTIPLE) {
            throw new LaunchException(library.version() + " (" + library.file() + "): found thread level " + provided
                    + ", expected " + THREAD_MULTIPLE + " (MPI_THREAD_MULTIPLE); use a library built with it");
        }
        long all = library.abi().world();
        mpi.MPI_Comm_set_errhandler(all, library.abi().errorsReturn());
        requireSame(
                launch,
                number(start, out, () -> mpi.MPI_Comm_rank(all, out)),
                number(start, out, () -> mpi.MPI_Comm_size(all, out)));
        side = handle(start, out, () -> mpi.MPI_Comm_dup(all, out));
        notices = new Notices(library, side, rank, size);
        MpiGroup group =
                new MpiGroup(this, "world", all, IntStream.range(0, size).toArray(), rank);
        crowded = group.ranksOfHost(host) >= Runtime.getRuntime().availableProcessors();
        return group;
    }

    /** A library that another launcher started thinks it is alone, and would compute everything alone. */
    private void requireSame(Launch launch, int mpiRank, int mpiSize) {
        if (mpiRank != launch.rank() || mpiSize != launch.size()) {
            throw new LaunchException(
                    "launcher and MPI library do not match: " + launch.mpi().title()
                            + " says rank " + launch.rank() + " of " + launch.size() + ", " + library.version() + " ("
                            + library.file() + ") says rank " + mpiRank + " of " + mpiSize
                            + "; start with the mpirun of this library, or give the launcher's library with -Dweft.mpi.path=FILE");
        }
    }

    private int number(Call call, MemorySegment out, IntSupplier function) {
        check(call, function.getAsInt());
        return out.get(ValueLayout.JAVA_INT, 0);
    }

    /** Calls a blocking function that writes a handle. */
    long handle(Call call, MemorySegment out, IntSupplier function) {
        out.set(ValueLayout.JAVA_LONG, 0, 0);
        bounded(call, function);
        return library.abi().handle(out);
    }

    MpiLibrary library() {
        return library;
    }

    Duration deadline() {
        return deadline;
    }

    int chunk() {
        return chunk;
    }

    long step() {
        return step;
    }

    void step(long number) {
        step = number;
        notices().read();
    }

    String host() {
        return host;
    }

    Notices notices() {
        return Objects.requireNonNull(notices, "notices are there once MPI has started");
    }

    Patience patience() {
        return new Patience(deadline, crowded);
    }

    /** @throws CommunicatorException after a failure, with its message */
    void requireWhole() {
        String first = failure.get();
        if (!first.isEmpty()) {
            throw new CommunicatorException(first);
        }
    }

    /** Records a failure; the first one counts. */
    CommunicatorException fail(String message) {
        failure.compareAndSet("", message);
        return new CommunicatorException(failure.get());
    }

    /** Runs a function of MPI that blocks, on a thread that may stay in it for ever. */
    void bounded(Call call, IntSupplier function) {
        try {
            bounded(call, deadline, function);
        } catch (TimeoutException e) {
            throw late(call, deadline.toNanos(), List.of());
        }
    }

    private void bounded(Call call, Duration limit, IntSupplier function) throws TimeoutException {
        requireWhole();
        Future<Integer> result = blocking.submit(function::getAsInt);
        try {
            check(call, result.get(limit.toNanos(), TimeUnit.NANOSECONDS));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw fail(subject(call) + ": interrupted");
        } catch (ExecutionException e) {
            switch (e.getCause()) {
                case Error error -> throw error;
                case RuntimeException error -> throw error;
                default -> throw new IllegalStateException(e.getCause());
            }
        }
    }

    /** @throws CommunicatorException if the code is not success */
    void check(Call call, int code) {
        if (code != 0) {
            throw failed(call, library.error(code) + " (code " + code + ")");
        }
    }

    CommunicatorException failed(Call call, String found) {
        return fail(subject(call) + ": " + found + "; look at the first message of the other ranks, and whether their"
                + " processes run");
    }

    /**
     * A deadline has passed.
     *
     * @param missing ranks of the world that this rank waits for
     */
    CommunicatorException late(Call call, long waited, List<Integer> missing) {
        return fail(String.format(
                "%s: not done after %.1f s; %s; see what ended or holds them, and the network between the hosts; raise the"
                        + " limit with --ranks-deadline SECONDS or -D%s=SECONDS",
                subject(call), waited / NANOS, blame(call, missing), Ranks.DEADLINE_PROPERTY));
    }

    private String subject(Call call) {
        return String.format(
                "rank %d of %d on %s: %s (%d bytes, %s)",
                rank, size, host, call.text(), call.bytes(), library.version());
    }

    /** Who has not answered, as far as this rank can know. */
    private String blame(Call call, List<Integer> missing) {
        if (notices == null || missing.isEmpty()) {
            return "which rank did not answer is not known";
        }
        notices.read();
        String mine = Notices.shortened(call.text());
        List<String> silent = new ArrayList<>();
        List<String> others = new ArrayList<>();
        for (int other : missing) {
            String theirs = notices.lately(other);
            if (theirs == null) {
                silent.add("rank " + other + " (no sign of life)");
            } else if (!theirs.equals(mine)) {
                others.add("rank " + other + " (waits in " + theirs + ")");
            }
        }
        silent.addAll(others);
        return silent.isEmpty()
                ? "ranks " + missing + " wait in the same call: something is lost between them"
                : "without answer: " + silent.stream().collect(Collectors.joining(", "));
    }

    /** Ends all ranks. */
    void abort(String reason, int status) {
        LOG.debug("rank {} of {} ends all ranks with status {}: {}", rank, size, status, reason);
        failure.compareAndSet("", "rank " + rank + " of " + size + " ended all ranks: " + reason);
        library.calls().MPI_Abort(library.abi().world(), status);
    }

    /** All ranks have come to the end of their work. After a failure MPI is left as it is: ending it would wait for ever. */
    void finish(MpiGroup all, Call call) {
        ending(call, () -> {
            all.barrier(side, call);
            Patience patience = patience();
            while (notices().isSending() && patience.pause()) {
                notices().read();
            }
            notices().read();
            return 0;
        });
        if (failure.get().isEmpty()) {
            finalizeMpi(call);
        }
        fail("rank " + rank + " of " + size + ": MPI has ended");
        blocking.shutdown();
    }

    /** All ranks have said that they are done: what goes wrong from here on takes nothing from the work. */
    private void finalizeMpi(Call call) {
        try {
            bounded(call, END, library.calls()::MPI_Finalize);
        } catch (TimeoutException e) {
            LOG.warn(
                    "rank {} of {} on {}: {} has not ended within {} s; the work of all ranks is done, this process ends",
                    rank,
                    size,
                    host,
                    library.version(),
                    END.toSeconds());
        } catch (CommunicatorException e) {
            LOG.error("{}", e.getMessage());
        }
    }

    /** Runs a function unless something has failed. A new failure is logged: nobody waits for a result any more. */
    void ending(Call call, IntSupplier function) {
        if (failure.get().isEmpty()) {
            try {
                bounded(call, function);
            } catch (CommunicatorException e) {
                LOG.error("{}", e.getMessage());
            }
        }
    }

    private static String hostName() {
        try {
            return Files.readString(Path.of("/proc/sys/kernel/hostname")).strip();
        } catch (IOException e) {
            return "unknown host";
        }
    }
}
