package dev.weft.ranks;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/**
 * Who started this process, and which rank it is. The first launcher of {@link Launcher} whose variables are set counts; the
 * others that are set must say the same, else ranks would compute different things in silence. Slurm, LeaderWorkerSet and
 * Indexed Job are not compared with an MPI launcher, whose daemons they may have started.
 *
 * @param launcher what started it
 * @param rank {@code 0 <= rank < size}
 * @param size number of ranks
 * @param localRank number on this host, -1 if no variable says it
 * @param leader host of rank 0, null if no variable says it
 * @param port where rank 0 listens for a {@link Rendezvous}, 0 if no variable says it
 * @param mpi the launcher through which a library of MPI finds the other ranks, {@link Launcher#NONE} if there is none
 */
public record Launch(
        Launcher launcher,
        int rank,
        int size,
        int localRank,
        @Nullable String leader,
        int port,
        Launcher mpi) {
    private static final int MAX_PORT = 65535;

    /** No launcher: one process alone. */
    public static Launch alone() {
        return new Launch(Launcher.NONE, 0, 1, 0, null, 0, Launcher.NONE);
    }

    /**
     * Reads the variables of a process.
     *
     * @throws LaunchException if they are incomplete, not numbers, out of range, or contradict each other
     */
    public static Launch of(Map<String, String> environment) {
        List<Launch> all = new ArrayList<>();
        for (Launcher launcher : Launcher.values()) {
            Launch found = read(launcher, environment);
            if (found != null) {
                all.add(found);
            }
        }
        if (all.isEmpty()) {
            return alone();
        }
        Launch first = all.getFirst();
        all.stream().skip(1).filter(first::isComparable).forEach(first::requireSame);
        Launcher mpi = all.stream()
                .map(Launch::launcher)
                .filter(Launcher::startsMpi)
                .findFirst()
                .orElse(Launcher.NONE);
        return new Launch(first.launcher, first.rank, first.size, first.localRank, first.leader, first.port, mpi);
    }

    /** Whether there is somebody to talk to. */
    public boolean isGroup() {
        return size > 1;
    }

    /** As in {@code rank 1 of 4 (Open MPI)}. */
    @Override
    public String toString() {
        return "rank " + rank + " of " + size + " (" + launcher.title() + ")";
    }

    private static @Nullable Launch read(Launcher launcher, Map<String, String> environment) {
        OptionalInt rank = number(environment, launcher.rank());
        OptionalInt size = number(environment, launcher.size());
        if (rank.isEmpty() && (size.isEmpty() || launcher.isOuter())) {
            // an allocation's shell has Slurm's size without a rank; a pod template may set a size for all its pods
            return null;
        }
        if (rank.isEmpty() || size.isEmpty()) {
            boolean noRank = rank.isEmpty();
            throw new LaunchException("launcher " + launcher.title() + ": found "
                    + (noRank ? launcher.size() : launcher.rank()) + " without "
                    + (noRank ? launcher.rank() : launcher.size())
                    + ", expected both; set the missing one, or unset both to run one process");
        }
        if (size.getAsInt() < 1 || rank.getAsInt() >= size.getAsInt()) {
            throw new LaunchException("launcher " + launcher.title() + ": found " + launcher.rank() + "="
                    + rank.getAsInt() + " and " + launcher.size() + "=" + size.getAsInt()
                    + ", expected a rank below a size of at least 1");
        }
        int local = localRank(launcher, environment, size.getAsInt());
        return switch (launcher) {
            case LEADER_WORKER_SET ->
                new Launch(
                        launcher,
                        rank.getAsInt(),
                        size.getAsInt(),
                        0,
                        value(environment, "LWS_LEADER_ADDRESS"),
                        port(environment),
                        Launcher.NONE);
            default ->
                new Launch(
                        launcher,
                        rank.getAsInt(),
                        size.getAsInt(),
                        local,
                        value(environment, "MASTER_ADDR"),
                        port(environment),
                        Launcher.NONE);
        };
    }

    private static int localRank(Launcher launcher, Map<String, String> environment, int size) {
        for (String name : launcher.localRank()) {
            OptionalInt local = number(environment, name);
            if (local.isPresent()) {
                if (local.getAsInt() >= size) {
                    throw new LaunchException("launcher " + launcher.title() + ": found " + name + "="
                            + local.getAsInt() + " of " + size + " ranks, expected less than " + size);
                }
                return local.getAsInt();
            }
        }
        return -1;
    }

    private static int port(Map<String, String> environment) {
        OptionalInt port = number(environment, "MASTER_PORT");
        if (port.isPresent() && (port.getAsInt() < 1 || port.getAsInt() > MAX_PORT)) {
            throw new LaunchException(
                    "MASTER_PORT: found " + port.getAsInt() + ", expected a port from 1 to " + MAX_PORT);
        }
        return port.orElse(0);
    }

    private static @Nullable String value(Map<String, String> environment, String name) {
        String value = environment.getOrDefault(name, "").strip();
        return value.isEmpty() ? null : value;
    }

    private static OptionalInt number(Map<String, String> environment, String name) {
        String text = value(environment, name);
        if (text == null) {
            return OptionalInt.empty();
        }
        try {
            int number = Integer.parseInt(text);
            if (number >= 0) {
                return OptionalInt.of(number);
            }
        } catch (NumberFormatException e) {
            // said below
        }
        throw new LaunchException(name + ": found '" + text + "', expected a number from 0 to " + Integer.MAX_VALUE);
    }

    private boolean isComparable(Launch other) {
        return !(launcher.isMpi() && other.launcher.isOuter());
    }

    private void requireSame(Launch other) {
        boolean sameLocal = localRank < 0 || other.localRank < 0 || localRank == other.localRank;
        if (rank != other.rank || size != other.size || !sameLocal) {
            throw new LaunchException("launchers contradict each other: " + said() + ", " + other.said()
                    + "; unset the variables of the one that did not start this process");
        }
    }

    private String said() {
        return launcher.title() + " says rank " + rank + " of " + size
                + (localRank < 0 ? "" : ", local rank " + localRank) + " (" + launcher.rank() + ", " + launcher.size()
                + ")";
    }
}
