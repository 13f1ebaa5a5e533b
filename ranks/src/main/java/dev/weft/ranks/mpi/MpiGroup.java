package dev.weft.ranks.mpi;

import dev.weft.ClosedException;
import dev.weft.ranks.MpiMeasures;
import dev.weft.ranks.Ranks;
import dev.weft.spi.Communicator;
import dev.weft.spi.Pieces;
import dev.weft.spi.support.RankArguments;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Comparator;
import java.util.stream.IntStream;

/**
 * A communicator of MPI.
 *
 * <p>{@code allToAllV} is a message per pair of ranks, to the next ranks first so that not all send to the same one, as NCCL and HCCL do it and as MPI's own nonblocking one does: sizes
 * have 64 bits, large pairs go in pieces on which both sides agree, and who has not answered is known.
 */
public final class MpiGroup implements Communicator, MpiMeasures {
    private static final int HOST_BYTES = 256;
    private static final int TAG_ALL = 1;
    private static final int TAG_PAIR = 2;

    /** Messages between two ranks under way at once: with hundreds Open MPI takes five times as long over shared memory. */
    private static final int PIECES_AT_ONCE = 16;

    /** Up to so many ranks, messages to each gather sooner than the library's own nonblocking function, which plans first. */
    private static final int FEW = 8;

    private final MpiWorld world;
    private final Mpi mpi;
    private final long type;
    private final String name;
    private final long comm;
    private final int[] members;
    private final int rank;
    private final Messages messages;
    private long sequence;
    private boolean closed;

    /** @param members ranks in the world, by rank in the group */
    MpiGroup(MpiWorld world, String name, long comm, int[] members, int rank) {
        this.world = world;
        this.mpi = world.library().calls();
        this.type = world.library().abi().bytes();
        this.name = name;
        this.comm = comm;
        this.members = members;
        this.rank = rank;
        this.messages = new Messages(world, comm, members, rank);
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public int rank() {
        return rank;
    }

    @Override
    public int size() {
        return members.length;
    }

    @Override
    public String transport() {
        return world.library().version();
    }

    @Override
    public void step(long number) {
        world.step(number);
    }

    private Call begin(String operation, String what, long bytes) {
        if (closed) {
            throw new ClosedException("group " + name + ": used after close");
        }
        world.requireWhole();
        return new Call(operation, what, name, ++sequence, world.step(), bytes);
    }

    @Override
    public Communicator split(String part, int color, int key) {
        int[] mine = {color, key, members[rank]};
        int[][] all = gather("split", mine);
        int[] same = IntStream.range(0, size())
                .filter(i -> all[i][0] == color)
                .boxed()
                .sorted(Comparator.comparingInt(i -> all[i][1]))
                .mapToInt(i -> i)
                .toArray();
        int position = IntStream.range(0, same.length)
                .filter(i -> same[i] == rank)
                .findFirst()
                .orElseThrow();
        // MPI's colours are not negative: a colour is the least rank that has it, a key the place that was found
        int least = Arrays.stream(same).min().orElseThrow();
        Call call = begin("split", part, 0);
        MemorySegment out = Arena.global().allocate(ValueLayout.JAVA_LONG);
        long handle = world.handle(call, out, () -> mpi.MPI_Comm_split(comm, least, position, out));
        mpi.MPI_Comm_set_errhandler(handle, world.library().abi().errorsReturn());
        int[] worldRanks = Arrays.stream(same).map(i -> all[i][2]).toArray();
        return new MpiGroup(world, part, handle, worldRanks, position);
    }

    private int[][] gather(String what, int[] mine) {
        MemorySegment send = Arena.global().allocateFrom(ValueLayout.JAVA_INT, mine);
        MemorySegment receive = Arena.global().allocate(size() * send.byteSize(), Integer.BYTES);
        allGather(what, send, receive);
        return IntStream.range(0, size())
                .mapToObj(i ->
                        receive.asSlice(i * send.byteSize(), send.byteSize()).toArray(ValueLayout.JAVA_INT))
                .toArray(int[][]::new);
    }

    /** How many ranks are on a host. */
    int ranksOfHost(String host) {
        byte[] name = Arrays.copyOf(host.getBytes(StandardCharsets.UTF_8), HOST_BYTES);
        MemorySegment send = Arena.global().allocateFrom(ValueLayout.JAVA_BYTE, name);
        MemorySegment receive = Arena.global().allocate((long) size() * HOST_BYTES);
        allGather("hosts", send, receive);
        return (int) IntStream.range(0, size())
                .filter(i -> receive.asSlice((long) i * HOST_BYTES, HOST_BYTES).mismatch(send) < 0)
                .count();
    }

    @Override
    public void barrier(String what) {
        barrier(comm, begin("barrier", what, 0));
    }

    /** @param on a communicator of the same ranks */
    void barrier(long on, Call call) {
        messages.start(call, request -> mpi.MPI_Ibarrier(on, request));
        messages.await(call);
    }

    @Override
    public void broadcast(String what, MemorySegment data, int root) {
        RankArguments.requireRank("broadcast " + what, root, size());
        RankArguments.requireNative("broadcast " + what, data);
        Call call = begin("broadcast", what, rank == root ? data.byteSize() : 0);
        Patience patience = world.patience();
        for (long at = 0; at < data.byteSize(); at += world.chunk()) {
            MemorySegment piece = data.asSlice(at, Math.min(world.chunk(), data.byteSize() - at));
            int bytes = (int) piece.byteSize();
            messages.use(data, data);
            messages.start(call, r -> mpi.MPI_Ibcast(piece, bytes, type, root, comm, r));
            messages.await(call, patience);
        }
    }

    @Override
    public void allGather(String what, MemorySegment send, MemorySegment receive) {
        long bytes = send.byteSize();
        RankArguments.requireNative("allGather " + what, send);
        RankArguments.requireNative("allGather " + what, receive);
        RankArguments.requireBytes("allGather " + what + ": receive", receive, size() * bytes);
        Call call = begin("allGather", what, bytes);
        if (size() > FEW && receive.byteSize() <= world.chunk()) { // the same on all ranks
            int each = (int) bytes;
            messages.use(send, receive);
            messages.start(call, r -> mpi.MPI_Iallgather(send, each, type, receive, each, type, comm, r));
            messages.await(call);
            return;
        }
        messages.use(send, receive);
        for (int distance = 1; distance < size(); distance++) {
            int from = Math.floorMod(rank - distance, size());
            messages.receive(call, receive.address() + from * bytes, bytes, from, TAG_ALL);
        }
        for (int distance = 1; distance < size(); distance++) {
            messages.send(call, send.address(), bytes, (rank + distance) % size(), TAG_ALL);
        }
        MemorySegment.copy(send, 0, receive, rank * bytes, bytes);
        messages.await(call);
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
        RankArguments.requireNative("allToAllV " + what, send);
        RankArguments.requireNative("allToAllV " + what, receive);
        RankArguments.requireRanges("allToAllV " + what + ": send", send, sendBytes, sendOffsets, size());
        RankArguments.requireRanges("allToAllV " + what + ": receive", receive, receiveBytes, receiveOffsets, size());
        Call call = begin("allToAllV", what, Arrays.stream(sendBytes).sum());
        if (sendBytes[rank] != receiveBytes[rank]) {
            throw world.failed(
                    call,
                    "rank " + rank + " sends itself " + sendBytes[rank] + " bytes and expects " + receiveBytes[rank]);
        }
        messages.use(send, receive);
        for (int distance = 1; distance < size(); distance++) {
            int from = Math.floorMod(rank - distance, size());
            messages.receive(call, receive.address() + receiveOffsets[from], receiveBytes[from], from, TAG_ALL);
        }
        for (int distance = 1; distance < size(); distance++) {
            int to = (rank + distance) % size();
            messages.send(call, send.address() + sendOffsets[to], sendBytes[to], to, TAG_ALL);
        }
        MemorySegment.copy(send, sendOffsets[rank], receive, receiveOffsets[rank], sendBytes[rank]);
        messages.await(call);
    }

    /** Every piece is a message: nothing is gathered or spread, for MPI moves each from where it lies to where it belongs. */
    @Override
    public void exchange(String what, Pieces send, Pieces receive) {
        Call call = begin("exchange", what, send.total());
        if (send.bytesOf(rank) != receive.bytesOf(rank)) {
            throw world.failed(
                    call,
                    "rank " + rank + " sends itself " + send.bytesOf(rank) + " bytes and expects "
                            + receive.bytesOf(rank));
        }
        int most = Math.max(mostOfAPeer(send), mostOfAPeer(receive));
        Patience patience = world.patience();
        int wave = 0;
        do {
            for (int distance = 1; distance < size(); distance++) {
                int from = Math.floorMod(rank - distance, size());
                int first = receive.first(from) + wave;
                for (int i = first; i < Math.min(first + PIECES_AT_ONCE, receive.end(from)); i++) {
                    messages.receive(call, receive.address(i), receive.bytes(i), from, TAG_ALL);
                }
            }
            for (int distance = 1; distance < size(); distance++) {
                int to = (rank + distance) % size();
                int first = send.first(to) + wave;
                for (int i = first; i < Math.min(first + PIECES_AT_ONCE, send.end(to)); i++) {
                    messages.send(call, send.address(i), send.bytes(i), to, TAG_ALL);
                }
            }
            if (wave == 0) {
                copyOwn(send, receive); // while the others' are on their way
            }
            messages.await(call, patience);
            wave += PIECES_AT_ONCE;
        } while (wave < most);
    }

    private int mostOfAPeer(Pieces pieces) {
        int most = 0;
        for (int r = 0; r < size(); r++) {
            most = r == rank ? most : Math.max(most, pieces.end(r) - pieces.first(r));
        }
        return most;
    }

    private void copyOwn(Pieces send, Pieces receive) {
        int to = receive.first(rank);
        for (int i = send.first(rank); i < send.end(rank); i++) {
            MemorySegment.copy(send.segment(i), 0, receive.segment(to++), 0, send.bytes(i));
        }
    }

    @Override
    public Runnable bareAllToAllV(long[] sendBytes, long[] receiveBytes) {
        BareAllToAll bare = new BareAllToAll(sendBytes, receiveBytes);
        return () -> world.check(begin("bare all-to-all", "measure", bare.bytes()), bare.run(mpi, type, comm));
    }

    @Override
    public void countLibrary(boolean on) {
        messages.time().count(on);
    }

    @Override
    public long libraryNanos() {
        return messages.time().nanos();
    }

    @Override
    public void send(String what, MemorySegment data, int to) {
        RankArguments.requireRank("send " + what, to, size());
        RankArguments.requireNative("send " + what, data);
        Call call = begin("send", what, data.byteSize());
        messages.use(data, data);
        messages.send(call, data.address(), data.byteSize(), to, TAG_PAIR);
        messages.await(call);
    }

    @Override
    public void receive(String what, MemorySegment data, int from) {
        RankArguments.requireRank("receive " + what, from, size());
        RankArguments.requireNative("receive " + what, data);
        Call call = begin("receive", what, 0);
        messages.use(data, data);
        messages.receive(call, data.address(), data.byteSize(), from, TAG_PAIR);
        messages.await(call);
    }

    @Override
    public boolean isUnderWay() {
        return messages.areUnderWay();
    }

    @Override
    public void abort(String reason) {
        world.abort(reason, Ranks.FAILED);
    }

    @Override
    public void close() {
        if (closed) {
            return;
        }
        Call call = new Call("close", name, name, ++sequence, world.step(), 0);
        closed = true;
        messages.end();
        if (comm == world.library().abi().world()) {
            world.finish(this, call);
            return;
        }
        MemorySegment handle = Arena.global().allocate(ValueLayout.JAVA_LONG);
        handle.set(ValueLayout.JAVA_LONG, 0, comm);
        world.ending(call, () -> mpi.MPI_Comm_free(handle));
    }

    /** Ends all ranks of the world. The launcher reports the status. */
    public void end(String reason, int status) {
        world.abort(reason, status);
    }
}
