package dev.weft.model;

import dev.weft.CommunicatorException;
import dev.weft.RequestException;
import dev.weft.WeftException;
import dev.weft.spi.Communicator;
import dev.weft.spi.support.HostScratch;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * What the ranks of one model say to each other between steps: whether they were started alike, whether all could do what
 * was asked of them, and before every step who has work. Used by one thread at a time.
 */
final class RankSteps {
    private static final ValueLayout.OfLong I64 = ValueLayout.JAVA_LONG_UNALIGNED;
    private static final int HEADER_BYTES = 2 * Long.BYTES;
    private static final int TEXT_BYTES = 1024;

    private final Communicator group;
    private final HostScratch mine = new HostScratch();
    private final HostScratch all = new HostScratch();
    private long steps;
    private long met = System.nanoTime();
    private boolean parted;

    /** What a rank brings to a meeting. */
    enum Part {
        /** It takes part in the work of the others. */
        NOTHING,
        /** As {@link #NOTHING}, and it may have work later: the others wait for it. */
        IDLE,
        /** It has rows for a step. */
        WORK
    }

    RankSteps(Communicator group) {
        this.group = group;
    }

    /**
     * Compares what every rank was started with.
     *
     * @throws CommunicatorException on all ranks, naming the first that differs from rank 0
     */
    void requireSame(String subject, String value) {
        List<String> values = texts("same " + subject, value);
        for (int r = 1; r < values.size(); r++) {
            if (!values.get(r).equals(values.getFirst())) {
                throw new CommunicatorException(subject + ": rank " + r + " has " + values.get(r) + ", rank 0 has "
                        + values.getFirst() + "; start all ranks with the same model and options");
            }
        }
    }

    /**
     * Does something that can fail on one rank and not on another.
     *
     * @throws WeftException what failed here, or a {@link CommunicatorException} that says what failed elsewhere
     */
    void together(String subject, Runnable work) {
        List<String> failures;
        try {
            work.run();
            failures = texts(subject, "");
        } catch (CommunicatorException e) {
            throw e;
        } catch (WeftException e) {
            texts(subject, String.valueOf(e.getMessage()));
            throw e;
        }
        for (int r = 0; r < failures.size(); r++) {
            if (!failures.get(r).isEmpty()) {
                throw new CommunicatorException(subject + " failed on rank " + r + ": " + failures.get(r));
            }
        }
    }

    /**
     * Meets the others before a step.
     *
     * @return whether any rank has work; if not there is no step, and the ranks part unless one is idle
     * @throws RequestException if they have parted
     * @throws CommunicatorException if the ranks are not at the same step
     */
    boolean meet(Part part) {
        if (parted) {
            throw new RequestException("step: no rank had work for the step before, which ended the common work; load"
                    + " the model again on all ranks");
        }
        group.step(++steps);
        MemorySegment header = mine.bytes(HEADER_BYTES);
        header.setAtIndex(I64, 0, steps);
        header.setAtIndex(I64, 1, part.ordinal());
        MemorySegment headers = all.bytes((long) group.size() * HEADER_BYTES);
        group.allGather("start of step", header, headers);
        long most = 0;
        for (int r = 0; r < group.size(); r++) {
            long step = headers.getAtIndex(I64, 2L * r);
            if (step != steps) {
                throw new CommunicatorException("step: rank " + r + " is at step " + step + ", rank " + group.rank()
                        + " at step " + steps + "; all ranks of a model must step together");
            }
            most = Math.max(most, headers.getAtIndex(I64, 2L * r + 1));
        }
        met = System.nanoTime();
        parted = most == Part.NOTHING.ordinal();
        return most == Part.WORK.ordinal();
    }

    /** Nanoseconds since the ranks met. */
    long apart() {
        return System.nanoTime() - met;
    }

    /** Whether the ranks do not meet any more. */
    boolean parted() {
        return parted;
    }

    /** Tells the others that this rank cannot go on, unless that is what it was told. */
    void end(Throwable failure) {
        if (!(failure instanceof CommunicatorException)) {
            parted = true;
            group.abort("step " + steps + " on rank " + group.rank() + ": " + failure);
        }
    }

    private List<String> texts(String what, String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        MemorySegment own = mine.bytes(TEXT_BYTES).fill((byte) 0);
        MemorySegment.copy(bytes, 0, own, ValueLayout.JAVA_BYTE, 0, Math.min(bytes.length, TEXT_BYTES));
        MemorySegment everyone = all.bytes((long) group.size() * TEXT_BYTES);
        group.allGather(what, own, everyone);
        List<String> out = new ArrayList<>();
        for (int r = 0; r < group.size(); r++) {
            byte[] raw = everyone.asSlice((long) r * TEXT_BYTES, TEXT_BYTES).toArray(ValueLayout.JAVA_BYTE);
            int end = 0;
            while (end < raw.length && raw[end] != 0) {
                end++;
            }
            out.add(new String(Arrays.copyOf(raw, end), StandardCharsets.UTF_8));
        }
        return out;
    }
}
