package dev.weft.backend.cuda;

import dev.weft.backend.cuda.kernel.Grid;
import dev.weft.spi.HostCopy;
import dev.weft.spi.KernelArguments;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Inputs of a step by one launch of a kernel that reads pinned memory ({@code feed.cu}). Copies in its place would each cost
 * the host a call of the driver, and the device a change between its copy engine and its multiprocessors.
 */
final class Feed {
    /** Inputs of a launch. */
    static final int MOST = CallLayout.MAX_OPERANDS;

    /** A longer input is worth a copy. */
    private static final long MOST_BYTES = 64 << 10;

    private static final String NAME = "feed";
    private static final int THREADS = 256;
    private static final int WORD = 4;

    private static final long OPERAND = 8L * KernelArguments.WORDS;
    private static final long DATA = 0;
    private static final long SCALE = 8;
    private static final long DIMS = 48;

    private final Function function;
    private final MemorySegment call;
    private int inputs;
    private long threads;

    /** @param call where the parameter of the launch is written */
    Feed(Functions functions, MemorySegment call) {
        this.function = functions.of(NAME, NAME, 0, 1);
        this.call = call;
    }

    static boolean takes(HostCopy copy) {
        return copy.source().byteSize() <= MOST_BYTES;
    }

    /** Adds an input that is not empty, one of {@link #MOST}. @param source pinned memory, from where a word may be read */
    void add(MemorySegment source, long target) {
        long bytes = source.byteSize();
        long operand = OPERAND * inputs++;
        call.set(ValueLayout.JAVA_LONG, operand + DATA, target);
        call.set(ValueLayout.JAVA_LONG, operand + SCALE, source.address());
        call.set(ValueLayout.JAVA_LONG, operand + DIMS, bytes);
        threads = Math.max(threads, target % WORD == 0 ? bytes / WORD + bytes % WORD : bytes);
    }

    boolean isEmpty() {
        return inputs == 0;
    }

    /** The launch of what was added, which is not nothing. */
    Launch launch() {
        return new Launch(function, Grid.of(Math.ceilDiv(threads, THREADS), inputs), THREADS, 0, call);
    }
}
