package dev.weft.ranks.mpi;

import dev.weft.ranks.Launch;
import dev.weft.ranks.Ranks;
import dev.weft.spi.Communicator;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Map;

/** What the ranks of {@link MpiTest} run: the first argument says what happens, the second is the deadline in seconds. */
public final class RankProgram {
    private RankProgram() {}

    /** Ends with the status of the rank. */
    public static void main(String[] args) {
        Launch launch = Launch.of(System.getenv());
        Map<String, String> configuration = Map.of(
                "model", "golden",
                "options", args[0].equals("differ") ? "seed " + launch.rank() : "none");
        int status = Ranks.run(
                launch,
                Ranks.seconds(Double.parseDouble(args[1])),
                configuration,
                world -> work(args[0], world),
                failure -> {
                    System.err.println("rank " + launch.rank() + " says: " + failure.getMessage());
                    return 1;
                });
        System.exit(status);
    }

    private static int work(String what, Communicator world) throws Exception {
        switch (what) {
            case "content" -> {
                MpiContent.check(world);
                System.out.println("content right on rank " + world.rank() + " of " + world.size() + " over "
                        + world.transport());
            }
            case "status" -> {
                return 5 + world.rank();
            }
            case "late", "killed", "stopped", "throws", "missing", "elsewhere", "link" -> misfortune(what, world);
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

    /** Something happens to rank 1 while the others wait for it. */
    private static void misfortune(String what, Communicator world) throws Exception {
        world.step(17);
        world.barrier("start");
        if (world.rank() == 1) {
            String self = Long.toString(ProcessHandle.current().pid());
            switch (what) {
                case "killed" -> new ProcessBuilder("kill", "-KILL", self).start().waitFor();
                case "stopped" -> new ProcessBuilder("kill", "-STOP", self).start().waitFor();
                case "throws" -> throw new IllegalStateException("expert 3 is not there");
                case "elsewhere" -> {
                    try (Communicator all = world.split("pair", 0, 0)) {
                        all.receive("state", Arena.global().allocate(8), 0);
                    }
                }
                case "link" -> {
                    System.out.println("ready");
                    Thread.sleep(2_000);
                }
                default -> Thread.sleep(Long.MAX_VALUE);
            }
        }
        MemorySegment data = Arena.global().allocate(64L * world.size());
        long[] bytes = new long[world.size()];
        long[] offsets = new long[world.size()];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = 64;
            offsets[i] = 64L * i;
        }
        if (what.equals("elsewhere")) {
            try (Communicator all = world.split("pair", 0, 0)) {
                world.barrier("end");
            }
        }
        world.allToAllV(
                "moeDispatch layers.3",
                data,
                bytes,
                offsets,
                Arena.global().allocate(64L * world.size()),
                bytes,
                offsets);
    }
}
