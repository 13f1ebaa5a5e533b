package dev.weft.ranks.mpi;

import dev.weft.ClosedException;
import dev.weft.CommunicatorException;
import dev.weft.ranks.Ranks;
import dev.weft.spi.Communicator;
import dev.weft.spi.Pieces;
import dev.weft.spi.support.RankArguments;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.function.ToIntFunction;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * A communicator of MPI. Everything is started without blocking and polled, since MPI itself waits for ever.
 *
 * <p>{@code allToAllV} is a message per pair of ranks, as NCCL and HCCL do it and as MPI's own nonblocking one does: sizes
 * have 64 bits, large pairs go in pieces on which both sides agree, and who has not answered is known.
 */
public final class MpiGroup implements Communicator {
    private static final int HOST_BYTES = 256;
    private static final int TAG_ALL = 1;
    private static final int TAG_PAIR = 2;

    /** Messages between two ranks under way at once: with hundreds Open MPI takes five times as long over shared memory. */
    private static final int PIECES_AT_ONCE = 16;

    private final MpiWorld world;
    private final Mpi mpi;
    private final long type;
    private final String name;
    private final long comm;
    private final int[] members;
    private final int rank;
    private final Requests requests = new Requests();
    private final MemorySegment flag = Arena.global().allocate(ValueLayout.JAVA_INT);
    private final MemorySegment count = Arena.global().allocate(ValueLayout.JAVA_INT);
    private final MemorySegment status = Arena.global().allocate(MpiWorld.STATUS_BYTES, 8);
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
        start(call, Requests.ALL, Requests.NO_SIZE, request -> mpi.MPI_Ibarrier(on, request));
        await(call);
    }

    @Override
    public void broadcast(String what, MemorySegment data, int root) {
        RankArguments.requireRank("broadcast " + what, root, size());
        RankArguments.requireNative("broadcast " + what, data);
        Call call = begin("broadcast", what, rank == root ? data.byteSize() : 0);
        for (long at = 0; at < data.byteSize(); at += world.chunk()) {
            MemorySegment piece = data.asSlice(at, Math.min(world.chunk(), data.byteSize() - at));
            int bytes = (int) piece.byteSize();
            start(call, Requests.ALL, Requests.NO_SIZE, r -> mpi.MPI_Ibcast(piece, bytes, type, root, comm, r));
            await(call);
        }
    }

    @Override
    public void allGather(String what, MemorySegment send, MemorySegment receive) {
        long bytes = send.byteSize();
        RankArguments.requireNative("allGather " + what, send);
        RankArguments.requireNative("allGather " + what, receive);
        RankArguments.requireBytes("allGather " + what + ": receive", receive, size() * bytes);
        Call call = begin("allGather", what, bytes);
        if (receive.byteSize() <= world.chunk()) { // the same on all ranks
            int each = (int) bytes;
            start(
                    call,
                    Requests.ALL,
                    Requests.NO_SIZE,
                    r -> mpi.MPI_Iallgather(send, each, type, receive, each, type, comm, r));
            await(call);
            return;
        }
        long[] sizes = new long[size()];
        long[] places = new long[size()];
        Arrays.setAll(sizes, i -> bytes);
        Arrays.setAll(places, i -> i * bytes);
        exchange(call, send, sizes, new long[size()], receive, sizes, places);
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
        exchange(call, send, sendBytes, sendOffsets, receive, receiveBytes, receiveOffsets);
    }

    /** A message per pair, to the next ranks first so that not all send to the same one. */
    private void exchange(
            Call call,
            MemorySegment send,
            long[] sendBytes,
            long[] sendOffsets,
            MemorySegment receive,
            long[] receiveBytes,
            long[] receiveOffsets) {
        for (int distance = 1; distance < size(); distance++) {
            int from = Math.floorMod(rank - distance, size());
            receivePieces(call, receive, receiveOffsets[from], receiveBytes[from], from, TAG_ALL);
        }
        for (int distance = 1; distance < size(); distance++) {
            int to = (rank + distance) % size();
            sendPieces(call, send, sendOffsets[to], sendBytes[to], to, TAG_ALL);
        }
        MemorySegment.copy(send, sendOffsets[rank], receive, receiveOffsets[rank], sendBytes[rank]);
        await(call);
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
        copyOwn(send, receive);
        int most = Math.max(mostOfAPeer(send), mostOfAPeer(receive));
        for (int wave = 0; wave < most; wave += PIECES_AT_ONCE) {
            for (int distance = 1; distance < size(); distance++) {
                int from = Math.floorMod(rank - distance, size());
                int first = receive.first(from) + wave;
                for (int i = first; i < Math.min(first + PIECES_AT_ONCE, receive.end(from)); i++) {
                    receivePieces(call, receive.segment(i), 0, receive.bytes(i), from, TAG_ALL);
                }
            }
            for (int distance = 1; distance < size(); distance++) {
                int to = (rank + distance) % size();
                int first = send.first(to) + wave;
                for (int i = first; i < Math.min(first + PIECES_AT_ONCE, send.end(to)); i++) {
                    sendPieces(call, send.segment(i), 0, send.bytes(i), to, TAG_ALL);
                }
            }
            await(call);
        }
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

    /**
     * The library's own blocking all-to-all of messages one after another, to measure against: no deadline, no checks, on
     * buffers of its own.
     */
    public Runnable bareAllToAllV(long[] sendBytes, long[] receiveBytes) {
        MemorySegment send = buffer(sendBytes);
        MemorySegment receive = buffer(receiveBytes);
        MemorySegment sendCounts = counts(sendBytes);
        MemorySegment receiveCounts = counts(receiveBytes);
        MemorySegment sendPlaces = places(sendBytes);
        MemorySegment receivePlaces = places(receiveBytes);
        return () -> {
            Call call = begin("bare all-to-all", "measure", send.byteSize());
            world.check(
                    call,
                    mpi.MPI_Alltoallv(
                            send, sendCounts, sendPlaces, type, receive, receiveCounts, receivePlaces, type, comm));
        };
    }

    private static MemorySegment buffer(long[] parts) {
        return Arena.global()
                .allocate(Math.max(1, Arrays.stream(parts).sum()), 64)
                .fill((byte) 1);
    }

    private static MemorySegment counts(long[] bytes) {
        return Arena.global()
                .allocateFrom(
                        ValueLayout.JAVA_INT,
                        Arrays.stream(bytes).mapToInt(Math::toIntExact).toArray());
    }

    private static MemorySegment places(long[] bytes) {
        int[] places = new int[bytes.length];
        for (int i = 1; i < places.length; i++) {
            places[i] = Math.toIntExact(places[i - 1] + bytes[i - 1]);
        }
        return Arena.global().allocateFrom(ValueLayout.JAVA_INT, places);
    }

    private void sendPieces(Call call, MemorySegment data, long offset, long bytes, int to, int tag) {
        for (long at = 0; at < bytes; at += world.chunk()) {
            int piece = (int) Math.min(world.chunk(), bytes - at);
            MemorySegment from = data.asSlice(offset + at, piece);
            start(call, to, Requests.NO_SIZE, r -> mpi.MPI_Isend(from, piece, type, to, tag, comm, r));
        }
    }

    private void receivePieces(Call call, MemorySegment data, long offset, long bytes, int from, int tag) {
        for (long at = 0; at < bytes; at += world.chunk()) {
            int piece = (int) Math.min(world.chunk(), bytes - at);
            MemorySegment to = data.asSlice(offset + at, piece);
            start(call, from, piece, r -> mpi.MPI_Irecv(to, piece, type, from, tag, comm, r));
        }
    }

    @Override
    public void send(String what, MemorySegment data, int to) {
        RankArguments.requireRank("send " + what, to, size());
        RankArguments.requireNative("send " + what, data);
        Call call = begin("send", what, data.byteSize());
        sendPieces(call, data, 0, data.byteSize(), to, TAG_PAIR);
        await(call);
    }

    @Override
    public void receive(String what, MemorySegment data, int from) {
        RankArguments.requireRank("receive " + what, from, size());
        RankArguments.requireNative("receive " + what, data);
        Call call = begin("receive", what, 0);
        receivePieces(call, data, 0, data.byteSize(), from, TAG_PAIR);
        await(call);
    }

    private void start(Call call, int peer, int size, ToIntFunction<MemorySegment> function) {
        int code = function.applyAsInt(requests.add(peer, size));
        if (code != 0) {
            throw failed(call, requests.count() - 1, code);
        }
    }

    /** Waits for all requests that were started. */
    private void await(Call call) {
        Patience patience = world.patience();
        long told = 0;
        for (int i = 0; i < requests.count(); i++) {
            while (!isDone(call, i)) {
                if (!patience.pause()) {
                    throw world.late(call, patience.waitedNanos(), missing(i));
                }
                long periods = patience.waitedNanos() / Notices.PERIOD_NANOS;
                if (periods > told) {
                    told = periods;
                    world.notices().period(call.text());
                    world.requireWhole();
                }
            }
        }
        requests.clear();
    }

    private boolean isDone(Call call, int i) {
        int code = mpi.MPI_Test(requests.slot(i), flag, status);
        if (code != 0) {
            throw failed(call, i, code);
        }
        if (flag.get(ValueLayout.JAVA_INT, 0) == 0) {
            return false;
        }
        int expected = requests.size(i);
        if (expected != Requests.NO_SIZE) {
            mpi.MPI_Get_count(status, type, count);
            int found = count.get(ValueLayout.JAVA_INT, 0);
            if (found != expected) {
                throw world.failed(
                        call, "rank " + members[requests.peer(i)] + " sent " + found + " bytes, expected " + expected);
            }
        }
        return true;
    }

    private CommunicatorException failed(Call call, int i, int code) {
        return world.failed(call, where(i, code) + world.library().error(code) + " (code " + code + ")");
    }

    /** Which ranks have failed if the library knows it, else at the other end of which request the error was found. */
    private String where(int i, int code) {
        int[] failed = FailedRanks.of(world.library(), comm, code);
        if (failed.length > 0) {
            return Arrays.stream(failed)
                    .mapToObj(r -> "rank " + members[r] + " has failed")
                    .collect(Collectors.joining(", ", "", ": "));
        }
        int peer = requests.peer(i);
        return peer == Requests.ALL ? "" : "rank " + members[peer] + ": ";
    }

    /** Ranks of the world with which requests from the given one on are not done. */
    private List<Integer> missing(int first) {
        List<Integer> missing = new ArrayList<>();
        for (int i = first; i < requests.count(); i++) {
            int peer = requests.peer(i);
            if (peer == Requests.ALL) {
                return IntStream.range(0, size())
                        .filter(other -> other != rank)
                        .mapToObj(other -> members[other])
                        .toList();
            }
            flag.set(ValueLayout.JAVA_INT, 0, 0);
            mpi.MPI_Test(requests.slot(i), flag, status);
            if (flag.get(ValueLayout.JAVA_INT, 0) == 0 && !missing.contains(members[peer])) {
                missing.add(members[peer]);
            }
        }
        return missing;
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
