package dev.weft.cli;

import dev.weft.CommunicatorException;
import dev.weft.spi.Communicator;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/** Exchanges whose bytes are known, and their times. All ranks call the same. */
final class RankExchange {
    /** Experts of a token in DeepSeek-V4. */
    private static final int EXPERTS = 6;

    /** MXFP8: a byte per value and one scale per so many. */
    private static final int BLOCK = 32;

    private static final int REPEATS = 21;
    private static final int WARMUP = 5;

    private final Communicator world;

    RankExchange(Communicator world) {
        this.world = world;
    }

    /** What a rank sends to each rank when its tokens' rows go to experts evenly, in MXFP8. */
    static long dispatchBytes(int width, int tokens, int ranks) {
        return Math.ceilDiv((long) tokens * EXPERTS, ranks) * (width + width / BLOCK);
    }

    /** @throws CommunicatorException if a byte is not what its sender wrote */
    void check(long bytes) {
        int size = world.size();
        MemorySegment send = memory(bytes * size);
        MemorySegment gathered = memory(bytes * size);
        MemorySegment exchanged = memory(bytes * size);
        for (int to = 0; to < size; to++) {
            fill(send.asSlice(to * bytes, bytes), world.rank(), to);
        }
        world.barrier("check");
        world.allGather("check", send.asSlice(0, bytes), gathered);
        exchange(send, exchanged, bytes);
        for (int from = 0; from < size; from++) {
            requireFilled("allGather", gathered.asSlice(from * bytes, bytes), from, 0);
            requireFilled("allToAllV", exchanged.asSlice(from * bytes, bytes), from, world.rank());
        }
    }

    /** Median time of a barrier. */
    long barrierNanos() {
        return median(() -> world.barrier("measure"));
    }

    /** Median time, on this rank, of sending so many bytes to every rank, each time from a barrier on. */
    long allToAllNanos(long bytes) {
        MemorySegment send = memory(bytes * world.size());
        MemorySegment receive = memory(bytes * world.size());
        return median(() -> exchange(send, receive, bytes));
    }

    private long median(Runnable call) {
        long[] times = new long[REPEATS];
        for (int i = -WARMUP; i < REPEATS; i++) {
            world.barrier("measure");
            long start = System.nanoTime();
            call.run();
            if (i >= 0) {
                times[i] = System.nanoTime() - start;
            }
        }
        Arrays.sort(times);
        return times[REPEATS / 2];
    }

    private void exchange(MemorySegment send, MemorySegment receive, long bytes) {
        long[] sizes = new long[world.size()];
        long[] offsets = new long[world.size()];
        Arrays.fill(sizes, bytes);
        Arrays.setAll(offsets, i -> i * bytes);
        world.allToAllV("exchange", send, sizes, offsets, receive, sizes, offsets);
    }

    /** Stays until the process ends: a library may write to it after a failure. */
    private static MemorySegment memory(long bytes) {
        return Arena.global().allocate(bytes, Long.BYTES);
    }

    private static byte value(int from, int to, long i) {
        return (byte) (from * 31 + to * 7 + i + (i >> 8) * 13);
    }

    private static void fill(MemorySegment part, int from, int to) {
        for (long i = 0; i < part.byteSize(); i++) {
            part.set(ValueLayout.JAVA_BYTE, i, value(from, to, i));
        }
    }

    private void requireFilled(String operation, MemorySegment part, int from, int to) {
        for (long i = 0; i < part.byteSize(); i++) {
            byte found = part.get(ValueLayout.JAVA_BYTE, i);
            if (found != value(from, to, i)) {
                throw new CommunicatorException(operation + " on rank " + world.rank() + " of " + world.size()
                        + ": byte " + i + " of " + part.byteSize() + " from rank " + from + ": found " + found
                        + ", expected " + value(from, to, i) + "; the transport " + world.transport()
                        + " does not move data rightly");
            }
        }
    }
}
