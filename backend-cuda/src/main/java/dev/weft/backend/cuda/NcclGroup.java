package dev.weft.backend.cuda;

import dev.weft.ClosedException;
import dev.weft.CommunicatorException;
import dev.weft.spi.BackendDevice;
import dev.weft.spi.Communicator;
import dev.weft.spi.DeviceStream;
import dev.weft.spi.support.RankArguments;
import dev.weft.spi.support.StagedGroup;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Ranks joined by NCCL, each with a CUDA device. Memory of the device moves in the order of the caller's stream; host memory
 * goes through the device on a stream of the group's own.
 *
 * <p>An all-to-all is a send and a receive per pair of ranks in one group of NCCL. A part of the group is a communicator of
 * its own with an identity of its own, not {@code ncclCommSplit}, which younger libraries only have.
 */
final class NcclGroup extends StagedGroup {
    private static final Logger LOG = LoggerFactory.getLogger(NcclGroup.class);

    private final NcclWorld world;
    private final CudaDevice device;
    private final NcclLibrary library;
    private final Nccl nccl;
    private final String name;
    private final int rank;
    private final int size;
    private final NcclComm comm;
    private final CudaStream stream;
    private long sequence;
    private volatile long agreed;
    private volatile boolean closed;

    private NcclGroup(NcclWorld world, String name, int rank, int size, CudaStream stream) {
        super(world.device(), stream);
        this.world = world;
        this.device = world.device();
        this.library = world.library();
        this.nccl = library.nccl();
        this.name = name;
        this.rank = rank;
        this.size = size;
        this.comm = new NcclComm(world);
        this.stream = stream;
    }

    /** As {@link dev.weft.spi.DeviceGroups#join}. */
    static NcclGroup join(
            CudaDevice device,
            NcclLibrary library,
            String name,
            int rank,
            int size,
            UnaryOperator<byte[]> fromRankZero,
            Duration deadline) {
        RankArguments.requireRank("group " + name + ": join", rank, size);
        String subject = "rank " + rank + " of " + size + " on " + device;
        return join(new NcclWorld(device, library, subject, deadline), name, rank, size, fromRankZero);
    }

    private static NcclGroup join(
            NcclWorld world, String name, int rank, int size, UnaryOperator<byte[]> fromRankZero) {
        NcclGroup group = new NcclGroup(world, name, rank, size, world.device().createStream());
        try {
            NcclComm.Call call = group.call("join", "NCCL", 0);
            group.comm.join(call, size, group.identity(call, fromRankZero), rank);
            group.device.own(group);
            return group;
        } catch (RuntimeException | Error e) {
            group.close();
            throw e;
        }
    }

    /** The identity that rank 0 makes. Zeros say that it could not, so that nobody waits for it. */
    private byte[] identity(NcclComm.Call call, UnaryOperator<byte[]> fromRankZero) {
        byte[] mine = new byte[NcclLibrary.ID_BYTES];
        String found = "rank 0 could make no identity";
        if (rank == 0) {
            try (Arena arena = Arena.ofShared()) {
                MemorySegment out = arena.allocate(NcclLibrary.ID_BYTES);
                int code = device.call(() -> nccl.ncclGetUniqueId(out));
                if (code == NcclLibrary.OK) {
                    mine = out.toArray(ValueLayout.JAVA_BYTE);
                } else {
                    found = library.describe("ncclGetUniqueId", code);
                }
            }
        }
        byte[] id = fromRankZero.apply(mine);
        if (Arrays.equals(id, new byte[NcclLibrary.ID_BYTES])) {
            throw comm.failed(call, found);
        }
        return id;
    }

    private NcclComm.Call call(String operation, String what, long bytes) {
        if (closed) {
            throw new ClosedException("group " + name + ": used after close");
        }
        world.requireWhole();
        return new NcclComm.Call(
                operation + " '" + what + "' of group " + name + ", call " + ++sequence, world.step(), bytes);
    }

    @Override
    public BackendDevice device() {
        return device;
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
        return size;
    }

    @Override
    public String transport() {
        return library.versionText();
    }

    @Override
    public void step(long number) {
        world.step(number);
    }

    // memory of the device

    @Override
    protected void gather(String operation, String what, DeviceStream on, long send, long receive, long bytes) {
        CudaStream s = CudaStream.of(on, device);
        comm.enqueue(
                s,
                call(operation, what, bytes),
                () -> nccl.ncclAllGather(send, receive, bytes, NcclLibrary.BYTE, comm.handle(), s.handle()));
    }

    @Override
    public void allGather(String what, DeviceStream on, long[] send, long[] receive, long[] bytes) {
        CudaStream s = CudaStream.of(on, device);
        comm.enqueue(s, call("allGather", what, Arrays.stream(bytes).sum()), () -> {
            int code = NcclLibrary.OK;
            for (int i = 0; i < bytes.length && code == NcclLibrary.OK; i++) {
                if (bytes[i] > 0) {
                    code = nccl.ncclAllGather(
                            send[i], receive[i], bytes[i], NcclLibrary.BYTE, comm.handle(), s.handle());
                }
            }
            return code;
        });
    }

    @Override
    public boolean isRecordable() {
        return true;
    }

    @Override
    public void agree(long step) {
        agreed = step;
    }

    @Override
    public long agreed() {
        return agreed;
    }

    @Override
    public void broadcast(String what, DeviceStream on, long data, long bytes, int root) {
        RankArguments.requireRank("broadcast " + what, root, size);
        CudaStream s = CudaStream.of(on, device);
        if (bytes > 0) {
            comm.enqueue(
                    s,
                    call("broadcast", what, rank == root ? bytes : 0),
                    () -> nccl.ncclBroadcast(data, data, bytes, NcclLibrary.BYTE, root, comm.handle(), s.handle()));
        }
    }

    @Override
    public void allToAllV(
            String what,
            DeviceStream on,
            long send,
            long[] sendBytes,
            long[] sendOffsets,
            long receive,
            long[] receiveBytes,
            long[] receiveOffsets) {
        CudaStream s = CudaStream.of(on, device);
        NcclComm.Call call = call("allToAllV", what, Arrays.stream(sendBytes).sum());
        if (sendBytes[rank] != receiveBytes[rank]) {
            throw comm.failed(
                    call, "this rank sends itself " + sendBytes[rank] + " bytes and expects " + receiveBytes[rank]);
        }
        comm.enqueue(s, call, () -> {
            int code = NcclLibrary.OK;
            for (int peer = 0; peer < size && code == NcclLibrary.OK; peer++) {
                code = send(send + sendOffsets[peer], sendBytes[peer], peer, s);
                if (code == NcclLibrary.OK) {
                    code = receive(receive + receiveOffsets[peer], receiveBytes[peer], peer, s);
                }
            }
            return code;
        });
    }

    private int send(long address, long bytes, int to, CudaStream s) {
        return bytes == 0
                ? NcclLibrary.OK
                : nccl.ncclSend(address, bytes, NcclLibrary.BYTE, to, comm.handle(), s.handle());
    }

    private int receive(long address, long bytes, int from, CudaStream s) {
        return bytes == 0
                ? NcclLibrary.OK
                : nccl.ncclRecv(address, bytes, NcclLibrary.BYTE, from, comm.handle(), s.handle());
    }

    @Override
    protected void send(String what, DeviceStream on, long data, long bytes, int to) {
        CudaStream s = CudaStream.of(on, device);
        comm.enqueue(s, call("send", what, bytes), () -> send(data, bytes, to, s));
    }

    @Override
    protected void receive(String what, DeviceStream on, long data, long bytes, int from) {
        CudaStream s = CudaStream.of(on, device);
        comm.enqueue(s, call("receive", what, 0), () -> receive(data, bytes, from, s));
    }

    // the group

    /**
     * @param color of this rank's part
     * @param key where it wants to be in it
     */
    private record Wish(int color, int key, int rank) {}

    @Override
    public Communicator split(String part, int color, int key) {
        byte[] wish = new byte[2 * Integer.BYTES];
        MemorySegment.ofArray(wish).set(ValueLayout.JAVA_INT_UNALIGNED, 0, color);
        MemorySegment.ofArray(wish).set(ValueLayout.JAVA_INT_UNALIGNED, Integer.BYTES, key);
        MemorySegment all = MemorySegment.ofArray(fromAll("split " + part, wish));
        List<Wish> members = IntStream.range(0, size)
                .mapToObj(r -> new Wish(
                        all.get(ValueLayout.JAVA_INT_UNALIGNED, (long) r * wish.length),
                        all.get(ValueLayout.JAVA_INT_UNALIGNED, (long) r * wish.length + Integer.BYTES),
                        r))
                .filter(w -> w.color() == color)
                .sorted(Comparator.comparingInt(Wish::key))
                .toList();
        int place = members.indexOf(new Wish(color, key, rank));
        int first = members.getFirst().rank();
        UnaryOperator<byte[]> fromFirst = mine -> {
            byte[] ids = fromAll("split " + part, mine);
            return Arrays.copyOfRange(ids, first * mine.length, (first + 1) * mine.length);
        };
        return join(world, part, place, members.size(), fromFirst);
    }

    /** Everybody's bytes, in rank order. */
    private byte[] fromAll(String what, byte[] mine) {
        Arena arena = Arena.ofAuto();
        MemorySegment send = arena.allocateFrom(ValueLayout.JAVA_BYTE, mine);
        MemorySegment all = arena.allocate(size * send.byteSize());
        allGather(what, send, all);
        return all.toArray(ValueLayout.JAVA_BYTE);
    }

    @Override
    public void abort(String reason) {
        CommunicatorException ended = world.fail(world.subject() + " ended group " + name + ": " + reason);
        LOG.debug("{}", ended.getMessage());
    }

    @Override
    public void close() {
        device.whileAlive(this::closeHere);
    }

    /** Leaves the group; on the device's thread. */
    void closeHere() {
        if (closed) {
            return;
        }
        NcclComm.Call call = new NcclComm.Call("close of group " + name, world.step(), 0);
        closed = true;
        comm.leaveHere(call);
        stream.closeHere();
        closeStaging();
        device.forget(this);
    }
}
