package dev.weft.ranks.mpi;

import dev.weft.ranks.Launch;
import dev.weft.ranks.LaunchException;
import dev.weft.ranks.Ranks;
import dev.weft.spi.Communicator;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.function.ToIntFunction;

/** What the ranks of {@link MpiTest} run: the first argument says what happens, the second is the deadline in seconds. */
public final class RankProgram {
    private RankProgram() {}

    /** Ends with the status of the rank. */
    public static void main(String[] args) {
        String rank = System.getenv().getOrDefault("PMI_RANK", System.getenv("OMPI_COMM_WORLD_RANK"));
        ToIntFunction<Throwable> report = failure -> {
            System.err.println("rank " + rank + " says: " + failure.getMessage());
            return 1;
        };
        System.exit(run(args[0], Ranks.seconds(Double.parseDouble(args[1])), rank, report));
    }

    private static int run(String what, Duration deadline, String rank, ToIntFunction<Throwable> report) {
        Map<String, String> environment = new HashMap<>(System.getenv());
        if (what.equals("world")) {
            environment.putAll(Map.of("RANK", rank, "WORLD_SIZE", "3"));
        }
        Launch launch;
        try {
            launch = Launch.of(environment);
        } catch (LaunchException e) {
            report.applyAsInt(e);
            return Ranks.FAILED;
        }
        if (what.equals("pieces")) {
            try (Communicator world = MpiWorld.open(launch, deadline, 1000)) {
                return work("content", world);
            }
        }
        Map<String, String> configuration =
                Map.of("model", "golden", "options", what.equals("differ") ? "seed " + rank : "none");
        return Ranks.run(launch, deadline, configuration, world -> work(what, world), report);
    }

    private static int work(String what, Communicator world) {
        switch (what) {
            case "content" -> {
                MpiContent.check(world);
                System.out.println(
                        "content right on rank " + world.rank() + " of " + world.size() + " over " + world.transport());
            }
            case "late", "killed", "stopped", "throws", "elsewhere" -> misfortune(what, world);
            case "block" -> hangInABlock(world);
            case "nulls" -> {
                System.out.println("null pointers caught on rank " + world.rank() + ": " + nulls());
            }
            case "sizes" -> {
                MemorySegment data = Arena.global().allocate(64);
                long[] bytes = {8, 8};
                long[] expected = {8 + world.rank(), 8};
                long[] offsets = {0, 32};
                world.allToAllV("sizes", data, bytes, offsets, Arena.global().allocate(64), expected, offsets);
            }
            default -> throw new IllegalArgumentException(what);
        }
        return 0;
    }

    /** Compiled code finds null pointers by a memory fault, whose signal belongs to the JVM. */
    private static int nulls() {
        int caught = 0;
        long sum = 0;
        for (int i = 1; i <= 400_000; i++) {
            try {
                sum += fourth(i % 200_000 == 0 ? null : new int[] {1, 2, 3, i});
            } catch (NullPointerException e) {
                caught++;
            }
        }
        return sum > 0 ? caught : -1;
    }

    private static int fourth(int[] values) {
        return values[3];
    }

    /** Something happens to rank 1 while the others wait for it. */
    private static void misfortune(String what, Communicator world) {
        world.step(17);
        world.barrier("start");
        if (world.rank() == 1) {
            befall(what, world);
        }
        MemorySegment data = Arena.global().allocate(64L * world.size());
        long[] bytes = new long[world.size()];
        long[] offsets = new long[world.size()];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = 64;
            offsets[i] = 64L * i;
        }
        if (what.equals("elsewhere")) {
            try (Communicator pair = world.split("pair", 0, 0)) {
                world.barrier("end");
                pair.barrier("end");
            }
        }
        try {
            world.allToAllV(
                    "moeDispatch layers.3",
                    data,
                    bytes,
                    offsets,
                    Arena.global().allocate(64L * world.size()),
                    bytes,
                    offsets);
        } finally {
            System.out.println("under way on rank " + world.rank() + ": " + world.isUnderWay());
        }
    }

    /** Of four ranks in two blocks the last does not come to what its block does; the other block goes on. */
    private static void hangInABlock(Communicator world) {
        world.step(17);
        int first = world.rank() / 2 * 2;
        try (Communicator block = world.split("ranks " + first + "-" + (first + 1), first, world.rank())) {
            if (world.rank() == 3) {
                sleep();
            }
            block.barrier("scatter layers.3");
            world.barrier("dispatch layers.3");
        }
    }

    private static void befall(String what, Communicator world) {
        switch (what) {
            case "killed" -> signal("-KILL");
            case "stopped" -> signal("-STOP");
            case "throws" -> throw new IllegalStateException("expert 3 is not there");
            case "elsewhere" -> {
                try (Communicator pair = world.split("pair", 0, 0)) {
                    pair.receive("state", Arena.global().allocate(8), 0);
                }
            }
            default -> sleep();
        }
    }

    private static void signal(String name) {
        try {
            String self = Long.toString(ProcessHandle.current().pid());
            new ProcessBuilder("kill", name, self).start().waitFor();
        } catch (IOException | InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    private static void sleep() {
        try {
            Thread.sleep(Long.MAX_VALUE);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
