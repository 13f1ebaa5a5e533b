package dev.weft.spi.support;

import dev.weft.CommunicatorException;
import dev.weft.RequestException;
import dev.weft.spi.Communicator;
import dev.weft.spi.Pieces;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.IntStream;

/**
 * Ranks that are threads of this process: several devices of one machine under one JVM, and tests. Every rank copies what
 * it receives straight from the others' memory.
 */
public final class LocalGroup implements Communicator {
    private final Meeting meeting;
    private final int rank;
    private final Step step;

    /** Number of the step of one rank, in all its groups. */
    private static final class Step {
        private volatile long number;
    }

    private LocalGroup(Meeting meeting, int rank, Step step) {
        this.meeting = meeting;
        this.rank = rank;
        this.step = step;
    }

    /**
     * All ranks of a new group, each for one thread.
     *
     * @param deadline how long a call waits for the others
     */
    public static List<Communicator> of(int size, Duration deadline) {
        if (size < 1) {
            throw new RequestException("local group: found " + size + " ranks, expected 1 or more");
        }
        Meeting meeting = new Meeting("world", size, deadline);
        return IntStream.range(0, size)
                .<Communicator>mapToObj(rank -> new LocalGroup(meeting, rank, new Step()))
                .toList();
    }

    @Override
    public String name() {
        return meeting.name();
    }

    @Override
    public int rank() {
        return rank;
    }

    @Override
    public int size() {
        return meeting.size();
    }

    @Override
    public String transport() {
        return "threads of one process";
    }

    @Override
    public void step(long number) {
        step.number = number;
    }

    /** What a rank brings to a meeting. */
    private sealed interface Part {}

    private record Arrival() implements Part {}

    private record Sent(MemorySegment data, long[] bytes, long[] offsets) implements Part {}

    private record SentPieces(Pieces pieces) implements Part {}

    private record Wish(int color, int key) implements Part {}

    private record Founded(Meeting meeting) implements Part {}

    /** Brings a part, and takes from what the others brought while none of them goes on. */
    private void meet(String operation, String what, Part part, Consumer<List<Object>> taking) {
        List<Object> all = meeting.meet(rank, operation + " " + what, step.number, part);
        try {
            taking.accept(all);
        } finally {
            meeting.read();
        }
    }

    private List<Object> meet(String operation, String what, Part part) {
        List<Object> all = new ArrayList<>();
        meet(operation, what, part, all::addAll);
        return all;
    }

    @Override
    public Communicator split(String name, int color, int key) {
        List<Object> wishes = meet("split", name(), new Wish(color, key));
        List<Integer> members = new ArrayList<>();
        for (int i = 0; i < wishes.size(); i++) {
            if (wishes.get(i) instanceof Wish w && w.color() == color) {
                members.add(i);
            }
        }
        members.sort(Comparator.comparingInt(i -> ((Wish) wishes.get(i)).key()));
        // the first member founds the group for the others
        Meeting founded = meeting.part(name, members);
        List<Object> all = meet("split", name(), new Founded(founded));
        return new LocalGroup(((Founded) all.get(members.getFirst())).meeting(), members.indexOf(rank), step);
    }

    @Override
    public void barrier(String what) {
        meet("barrier", what, new Arrival());
    }

    @Override
    public void broadcast(String what, MemorySegment data, int root) {
        RankArguments.requireRank("broadcast " + what, root, size());
        Sent mine = new Sent(shared("broadcast", data), new long[0], new long[0]);
        meet("broadcast", what, mine, all -> {
            MemorySegment source = ((Sent) all.get(root)).data();
            requireSame("broadcast " + what, root, source.byteSize(), data.byteSize());
            if (rank != root) {
                MemorySegment.copy(source, 0, data, 0, data.byteSize());
            }
        });
    }

    @Override
    public void allGather(String what, MemorySegment send, MemorySegment receive) {
        RankArguments.requireBytes("allGather " + what + ": receive", receive, size() * send.byteSize());
        meet("allGather", what, new Sent(shared("allGather", send), new long[0], new long[0]), all -> {
            for (int i = 0; i < all.size(); i++) {
                MemorySegment source = ((Sent) all.get(i)).data();
                requireSame("allGather " + what, i, source.byteSize(), send.byteSize());
                MemorySegment.copy(source, 0, receive, i * send.byteSize(), send.byteSize());
            }
        });
    }

    @Override
    public void allToAllV(
            String what,
            MemorySegment send,
            long[] sendBytes,
            long[] sendOffsets,
            MemorySegment receive,
            long[] receiveBytes,
            long[] receiveOffsets) {
        RankArguments.requireRanges("allToAllV " + what + ": send", send, sendBytes, sendOffsets, size());
        RankArguments.requireRanges("allToAllV " + what + ": receive", receive, receiveBytes, receiveOffsets, size());
        Sent mine = new Sent(shared("allToAllV", send), sendBytes, sendOffsets);
        meet("allToAllV", what, mine, all -> {
            for (int i = 0; i < all.size(); i++) {
                Sent from = (Sent) all.get(i);
                requireSame("allToAllV " + what, i, from.bytes()[rank], receiveBytes[i]);
                MemorySegment.copy(from.data(), from.offsets()[rank], receive, receiveOffsets[i], receiveBytes[i]);
            }
        });
    }

    @Override
    public void exchange(String what, Pieces send, Pieces receive) {
        meet("exchange", what, new SentPieces(send), all -> {
            for (int i = 0; i < all.size(); i++) {
                Pieces from = ((SentPieces) all.get(i)).pieces();
                int theirs = from.first(rank);
                requireSame("exchange " + what, i, from.bytesOf(rank), receive.bytesOf(i));
                requireSame("pieces of " + what, i, from.end(rank) - theirs, receive.end(i) - receive.first(i));
                for (int mine = receive.first(i); mine < receive.end(i); mine++) {
                    MemorySegment.copy(from.segment(theirs++), 0, receive.segment(mine), 0, receive.bytes(mine));
                }
            }
        });
    }

    @Override
    public void send(String what, MemorySegment data, int to) {
        RankArguments.requireRank("send " + what, to, size());
        meeting.send(rank, to, "send " + what, step.number, shared("send", data));
    }

    @Override
    public void receive(String what, MemorySegment data, int from) {
        RankArguments.requireRank("receive " + what, from, size());
        meeting.receive(from, rank, "receive " + what, step.number, data);
    }

    @Override
    public void abort(String reason) {
        meeting.fail(reason);
    }

    @Override
    public void close() {
        meeting.leave(rank);
    }

    /** The same bytes for other threads, whatever thread the arena belongs to: the owner waits until all have read. */
    private static MemorySegment shared(String operation, MemorySegment data) {
        RankArguments.requireNative(operation, data);
        return MemorySegment.ofAddress(data.address()).reinterpret(data.byteSize());
    }

    /** Two ranks that disagree about a size are a defect on one of them; all must end. */
    private void requireSame(String subject, int other, long theirs, long mine) {
        if (theirs != mine) {
            meeting.fail(
                    subject + ": rank " + other + " sends " + theirs + " bytes, rank " + rank + " expects " + mine);
            throw new CommunicatorException(meeting.failure());
        }
    }
}
