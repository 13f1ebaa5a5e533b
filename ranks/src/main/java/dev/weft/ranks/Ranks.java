package dev.weft.ranks;

import dev.weft.CommunicatorException;
import dev.weft.WeftException;
import dev.weft.ranks.mpi.MpiGroup;
import dev.weft.ranks.mpi.MpiWorld;
import dev.weft.spi.BackendDevice;
import dev.weft.spi.Communicator;
import dev.weft.spi.DeviceGroups;
import dev.weft.spi.support.LocalGroup;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.function.ToIntFunction;

/**
 * Runs work as one rank of a group of processes, and sees to it that all of them end when one fails.
 *
 * <p>Ranks that MPI's launchers or Slurm started talk through MPI, and so do their devices, unless a library of the devices'
 * vendor joins them ({@link #group}). Ranks that only variables started have nothing but that library. A process that nobody
 * started as a rank is a group of one.
 */
public final class Ranks {
    /** System property: seconds that a call waits for the other ranks. */
    public static final String DEADLINE_PROPERTY = "weft.ranks.deadline";

    /** Exit status of a process that ended because ranks could not work together. */
    public static final int FAILED = 3;

    private static final Duration DEFAULT_DEADLINE = Duration.ofMinutes(5);

    /** So long the other ranks have to say what they wait for or miss, before all are ended. */
    private static final Duration LAST_WORDS = Duration.ofSeconds(1);

    /** So long MPI has to end all ranks, before this one ends by itself. */
    private static final Duration END = Duration.ofSeconds(5);

    private Ranks() {}

    /** What a rank does. */
    @FunctionalInterface
    public interface Work {
        /** @return exit status of this process */
        int run(Communicator world) throws Exception;
    }

    /**
     * What {@link #DEADLINE_PROPERTY} says, else five minutes.
     *
     * @throws LaunchException if it is no number of seconds
     */
    public static Duration deadline() {
        String text = System.getProperty(DEADLINE_PROPERTY, "").strip();
        if (text.isEmpty()) {
            return DEFAULT_DEADLINE;
        }
        try {
            return seconds(Double.parseDouble(text));
        } catch (NumberFormatException e) {
            throw new LaunchException(DEADLINE_PROPERTY + ": found '" + text + "', expected seconds, as in 300");
        }
    }

    /** @throws LaunchException if a call could not wait so long, or at all */
    public static Duration seconds(double seconds) {
        if (!(seconds > 0 && seconds <= Duration.ofDays(1).toSeconds())) {
            throw new LaunchException(
                    "deadline of ranks: found " + seconds + " s, expected more than 0 and at most a day");
        }
        return Duration.ofMillis(Math.max(1, Math.round(seconds * 1000)));
    }

    /**
     * The group of all ranks. Closing it waits for the others. Ranks that only variables started can do nothing in it but
     * begin a {@link #group} of their devices.
     *
     * @throws LaunchException if what started the ranks says neither how they talk nor where rank 0 is, if there is no library
     *     of MPI, or if it is not the launcher's
     * @throws CommunicatorException if the others do not come
     */
    public static Communicator connect(Launch launch, Duration deadline) {
        if (!launch.isGroup()) {
            return LocalGroup.of(1, deadline).getFirst();
        }
        if (launch.mpi() == Launcher.NONE) {
            return new RendezvousWorld(launch, deadline);
        }
        return MpiWorld.open(launch, deadline);
    }

    /**
     * The group in which ranks work with a device each: of the library that joins devices of its kind if there is one, else
     * {@code world} itself. Called by all ranks; ends with the device at the latest.
     *
     * @param world what {@link #run} gives to its work
     * @throws LaunchException if devices of this kind need a transport that {@code world} does not have, or a rank table says
     *     something else than the launcher
     * @throws CommunicatorException if the devices cannot be joined
     */
    public static Communicator group(Communicator world, BackendDevice device, Duration deadline) {
        if (device instanceof DeviceGroups groups) {
            RankTable.of(System.getenv()).ifPresent(table -> table.requireSame(world.rank(), world.size()));
            return groups.join(world.name(), world.rank(), world.size(), mine -> fromRankZero(world, mine), deadline);
        }
        if (world instanceof RendezvousWorld nothingElse) {
            throw nothingElse.noTransport();
        }
        return world;
    }

    private static byte[] fromRankZero(Communicator world, byte[] mine) {
        Arena arena = Arena.global(); // a library may write to it after a failure
        MemorySegment length = arena.allocateFrom(ValueLayout.JAVA_INT, mine.length);
        world.broadcast("bytes of rank 0", length, 0);
        MemorySegment bytes = arena.allocate(length.get(ValueLayout.JAVA_INT, 0));
        if (world.rank() == 0) {
            bytes.copyFrom(MemorySegment.ofArray(mine));
        }
        world.broadcast("bytes of rank 0", bytes, 0);
        return bytes.toArray(ValueLayout.JAVA_BYTE);
    }

    /** What measures a group against MPI and within it; empty if the group does not talk through MPI. */
    public static Optional<MpiMeasures> measures(Communicator group) {
        return group instanceof MpiGroup mpi ? Optional.of(mpi) : Optional.empty();
    }

    /**
     * Connects, requires the same configuration of all ranks, works, and waits for the others.
     *
     * <p>If anything is thrown in a group of several, {@code report} says it, all ranks are ended and this process halts:
     * the method does not return. A process alone returns the status that {@code report} answers.
     *
     * @param configuration what must be the same on all ranks, by name
     * @param report writes one line to standard error and answers an exit status
     * @return status of the work, {@link #FAILED} if the ranks could not connect
     */
    public static int run(
            Launch launch,
            Duration deadline,
            Map<String, String> configuration,
            Work work,
            ToIntFunction<Throwable> report) {
        Communicator world;
        try {
            world = connect(launch, deadline);
        } catch (WeftException e) {
            int status = report.applyAsInt(e);
            if (launch.isGroup()) {
                sleep(LAST_WORDS); // the launcher ends the others when one has ended
            }
            return Math.max(FAILED, status); // whatever it was, the ranks did not meet
        }
        try {
            Agreement.require(world, configuration);
            int status = work.run(world);
            world.close();
            return status;
        } catch (Throwable t) {
            return end(world, t, report);
        }
    }

    /**
     * What {@link #run} does when its work throws, for work that fails on another thread while its own waits for something
     * else. In a group of several it does not return, and reports the first failure only.
     *
     * @return status for a process alone
     */
    public static synchronized int end(Communicator world, Throwable reason, ToIntFunction<Throwable> report) {
        int reported = report.applyAsInt(reason);
        return world.size() > 1 ? end(world, reason, reported) : reported;
    }

    private static int end(Communicator world, Throwable reason, int reported) {
        boolean together = reason instanceof CommunicatorException;
        int status = together ? FAILED : reported;
        Thread.ofPlatform().daemon().start(() -> {
            sleep(LAST_WORDS.plus(END));
            Runtime.getRuntime().halt(status);
        });
        if (together) {
            sleep(LAST_WORDS);
        }
        System.out.flush();
        System.err.flush();
        if (world instanceof MpiGroup group) {
            group.end(reason.toString(), status);
        }
        Runtime.getRuntime().halt(status);
        return status;
    }

    private static void sleep(Duration time) {
        try {
            Thread.sleep(time);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
