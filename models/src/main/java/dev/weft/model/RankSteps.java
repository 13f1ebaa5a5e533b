package dev.weft.model;

import dev.weft.CommunicatorException;
import dev.weft.RequestException;
import dev.weft.WeftException;
import dev.weft.parallel.ContextCuts;
import dev.weft.runtime.RankGroups;
import dev.weft.spi.Communicator;
import dev.weft.spi.DeviceCommunicator;
import dev.weft.spi.support.HostScratch;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What the ranks of one model say to each other between steps: whether they were started alike, whether all could do what
 * was asked of them, and before every step who has work. Owns the blocks in which they work. Used by one thread at a time.
 */
final class RankSteps implements AutoCloseable {
    private static final ValueLayout.OfLong I64 = ValueLayout.JAVA_LONG_UNALIGNED;
    private static final int HEADER_LONGS = 7;
    private static final int TEXT_BYTES = 1024;

    private final Communicator group;
    private @Nullable RankGroups groups;
    private final HostScratch mine = new HostScratch();
    private final HostScratch all = new HostScratch();
    private long steps;
    private long met = System.nanoTime();
    private boolean parted;
    private boolean stretched;

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

    /** The ranks, and their blocks of some sizes; once. */
    RankGroups split(Collection<Integer> sizes) {
        groups = RankGroups.split(group, sizes);
        return groups;
    }

    /** What a rank wants to do next, in ascending precedence. */
    enum Work {
        /** Nothing of its own. */
        NONE,
        /** Nothing now, but there may be something later: the others wait for it. */
        IDLE,
        /** To run the MTP block for drafts. */
        DRAFT,
        /** To append rows to its sequences. */
        STEP,
        /** To spread a stretch of a prompt. */
        CONTEXT,
        /** To spread the stretch that follows the last one. */
        CONTEXT_NEXT;

        private static final List<Work> ALL = List.of(values());

        boolean isContext() {
            return compareTo(CONTEXT) >= 0;
        }
    }

    /**
     * What a rank wants, or what all have agreed on.
     *
     * @param leader whose it is once all have agreed, the first of several
     * @param start position of the first token of a stretch
     * @param tokens tokens of a stretch or of a step; once all have agreed on a step, the most that a rank has
     * @param all whether a stretch's logits are all wanted
     * @param sequences sequences of a step
     * @param wanted logits of a step that are wanted
     */
    record Meeting(Work work, int leader, int start, int tokens, boolean all, int sequences, int wanted) {
        static Meeting of(Work work) {
            return new Meeting(work, 0, 0, 0, false, 0, 0);
        }

        static Meeting stretch(Work work, int start, int tokens, boolean all) {
            return new Meeting(work, 0, start, tokens, all, 0, 0);
        }

        static Meeting step(int tokens, int sequences, int wanted) {
            return new Meeting(Work.STEP, 0, 0, tokens, false, sequences, wanted);
        }

        ContextCuts cuts(int ranks, int leader) {
            return new ContextCuts(start, tokens, ranks, leader);
        }
    }

    /**
     * Meets the others before a step. All do what has the highest precedence; those who wanted something else take part
     * without rows and meet again.
     *
     * @param mine what this rank wants
     * @return what all do now; with {@link Work#NONE} there is no step and the ranks part, with {@link Work#IDLE} there is
     *     none either
     * @throws RequestException if they have parted
     * @throws CommunicatorException if the ranks are not at the same step
     */
    Meeting meet(Meeting mine) {
        if (parted) {
            throw new RequestException("step: no rank had work for the step before, which ended the common work; load"
                    + " the model again on all ranks");
        }
        group.step(++steps);
        MemorySegment headers = all.bytes((long) group.size() * HEADER_LONGS * Long.BYTES);
        group.allGather("start of step", header(mine), headers);
        Meeting agreed = Meeting.of(Work.NONE);
        Meeting other = agreed;
        int most = 0;
        long extents = 0;
        for (int r = 0; r < group.size(); r++) {
            long step = headers.getAtIndex(I64, (long) HEADER_LONGS * r);
            if (step != steps) {
                throw new CommunicatorException("step: rank " + r + " is at step " + step + ", rank " + group.rank()
                        + " at step " + steps + "; all ranks of a model must step together");
            }
            Meeting theirs = meeting(headers, r);
            Meeting rows = theirs.work() == Work.STEP ? theirs : Meeting.step(0, 0, 0);
            most = Math.max(most, rows.tokens());
            extents = mixed(mixed(mixed(extents, rows.tokens()), rows.sequences()), rows.wanted());
            agreed = theirs.work().compareTo(agreed.work()) > 0 ? theirs : agreed;
            boolean stretch = theirs.work().isContext();
            other = !stretch && theirs.work().compareTo(other.work()) > 0 ? theirs : other;
        }
        // after a stretch others have a turn: people wait for their next token
        agreed = stretched && other.work().compareTo(Work.DRAFT) >= 0 ? other : agreed;
        stretched = agreed.work().isContext();
        met = System.nanoTime();
        parted = agreed.work() == Work.NONE;
        if (agreed.work() != Work.STEP) {
            return agreed;
        }
        if (group instanceof DeviceCommunicator devices) {
            devices.agree(extents);
        }
        return Meeting.step(most, 0, 0);
    }

    /** A number that stands for a list of numbers, with one more; equal lists have equal ones, others do not in practice. */
    private static long mixed(long list, long number) {
        long x = (list + number + 1) * 0x9E3779B97F4A7C15L;
        x = (x ^ x >>> 32) * 0xD6E8FEB86659FD93L;
        return x ^ x >>> 32;
    }

    private MemorySegment header(Meeting m) {
        MemorySegment header = mine.bytes((long) HEADER_LONGS * Long.BYTES);
        long[] longs = {steps, m.work().ordinal(), m.start(), m.tokens(), m.all() ? 1 : 0, m.sequences(), m.wanted()};
        for (int i = 0; i < HEADER_LONGS; i++) {
            header.setAtIndex(I64, i, longs[i]);
        }
        return header;
    }

    private static Meeting meeting(MemorySegment headers, int rank) {
        long at = (long) HEADER_LONGS * rank;
        return new Meeting(
                Work.ALL.get((int) headers.getAtIndex(I64, at + 1)),
                rank,
                (int) headers.getAtIndex(I64, at + 2),
                (int) headers.getAtIndex(I64, at + 3),
                headers.getAtIndex(I64, at + 4) != 0,
                (int) headers.getAtIndex(I64, at + 5),
                (int) headers.getAtIndex(I64, at + 6));
    }

    /** Ranks of the group. */
    int size() {
        return group.size();
    }

    /** This rank. */
    int rank() {
        return group.rank();
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

    /** Leaves the blocks. */
    @Override
    public void close() {
        if (groups != null) {
            groups.close();
        }
    }
}
