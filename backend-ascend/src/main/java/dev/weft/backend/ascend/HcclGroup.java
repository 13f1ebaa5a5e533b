package dev.weft.backend.ascend;

import dev.weft.ClosedException;
import dev.weft.DeviceLostException;
import dev.weft.RequestException;
import dev.weft.backend.ascend.abi.HcclResult;
import dev.weft.backend.ascend.abi.HcclType;
import dev.weft.spi.BackendDevice;
import dev.weft.spi.Communicator;
import dev.weft.spi.DeviceStream;
import dev.weft.spi.support.RankArguments;
import dev.weft.spi.support.StagedGroup;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.TimeoutException;
import java.util.function.ToIntFunction;
import java.util.stream.IntStream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A communicator of HCCL. It moves bytes, as the 8-bit integers that every collective takes on every product. Memory of the
 * host goes through buffers of the device on a stream of the group's own.
 */
final class HcclGroup extends StagedGroup {
    private static final Logger LOG = LoggerFactory.getLogger(HcclGroup.class);
    private static final int BYTES = HcclType.INT8.value();
    private static final ValueLayout.OfInt I32 = ValueLayout.JAVA_INT;

    private final HcclWorld world;
    private final AscendDevice device;
    private final String name;
    private final MemorySegment comm;
    private final int[] members;
    private final int rank;
    private final AscendStream stream;
    private HcclCall current;
    private AscendStream last;
    private long sequence;
    private int splits;
    private volatile boolean closed;

    /**
     * @param comm a communicator that this group owns
     * @param members ranks in the world, by rank in the group
     */
    HcclGroup(HcclWorld world, String name, MemorySegment comm, int[] members, int rank) {
        this(world, name, comm, members, rank, world.device().createStream());
    }

    private HcclGroup(HcclWorld world, String name, MemorySegment comm, int[] members, int rank, AscendStream stream) {
        super(world.device(), stream);
        this.world = world;
        this.device = world.device();
        this.name = name;
        this.comm = comm;
        this.members = members;
        this.rank = rank;
        this.current = new HcclCall("join", name, name, 0, 0, 0);
        this.stream = stream;
        this.last = stream;
        device.add(this);
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
        return members.length;
    }

    @Override
    public String transport() {
        return "HCCL of CANN " + device.cannVersion();
    }

    @Override
    public void step(long number) {
        world.step(number);
    }

    private HcclCall begin(String operation, String what, long bytes) {
        if (closed) {
            throw new ClosedException("group " + name + ": used after close");
        }
        world.requireWhole();
        current = new HcclCall(operation, what, name, ++sequence, world.step(), bytes);
        return current;
    }

    /** Appends a call of HCCL. @param function receives the stream's handle */
    private void append(
            HcclCall call, AscendStream on, List<MemorySegment> kept, ToIntFunction<MemorySegment> function) {
        try {
            if (last != on && last.hasWork()) {
                on.waitFor(last.record()); // calls of a communicator run in the order in which all ranks make them
            }
            last = on;
            on.append(
                    new HcclPending(world, comm, call, kept),
                    world.deadline(),
                    () -> world.require(function.applyAsInt(on.handle()), call));
        } catch (TimeoutException e) {
            throw world.late(call, world.deadline().toNanos());
        } catch (DeviceLostException e) {
            throw world.failedWith(call, e);
        }
    }

    private static MemorySegment at(long address) {
        return MemorySegment.ofAddress(address);
    }

    // memory of the device

    /** HcclBarrier is known from one source only, so a barrier is an all-gather too. */
    @Override
    protected void gather(String operation, String what, DeviceStream stream, long send, long receive, long bytes) {
        append(
                begin(operation, what, bytes),
                AscendStream.of(stream, device),
                List.of(),
                s -> device.hccl().HcclAllGather(at(send), at(receive), bytes, BYTES, comm, s));
    }

    @Override
    public void allToAllV(
            String what,
            DeviceStream stream,
            long send,
            long[] sendBytes,
            long[] sendOffsets,
            long receive,
            long[] receiveBytes,
            long[] receiveOffsets) {
        HcclCall call = begin("allToAllV", what, Arrays.stream(sendBytes).sum());
        Arena arena = Arena.ofAuto(); // until the stream has passed the call
        MemorySegment[] counts = new MemorySegment[4];
        long[][] values = {sendBytes, sendOffsets, receiveBytes, receiveOffsets};
        for (int i = 0; i < values.length; i++) {
            RankArguments.requireRanks("allToAllV " + what, values[i], size());
            counts[i] = arena.allocateFrom(ValueLayout.JAVA_LONG, values[i]);
        }
        append(
                call,
                AscendStream.of(stream, device),
                List.of(counts),
                s -> device.hccl()
                        .HcclAlltoAllV(
                                at(send),
                                counts[0],
                                counts[1],
                                BYTES,
                                at(receive),
                                counts[2],
                                counts[3],
                                BYTES,
                                comm,
                                s));
    }

    @Override
    public void broadcast(String what, DeviceStream stream, long data, long bytes, int root) {
        RankArguments.requireRank("broadcast " + what, root, size());
        HcclCall call = begin("broadcast", what, rank == root ? bytes : 0);
        if (bytes > 0) {
            append(
                    call,
                    AscendStream.of(stream, device),
                    List.of(),
                    s -> device.hccl().HcclBroadcast(at(data), bytes, BYTES, root, comm, s));
        }
    }

    @Override
    protected void send(String what, DeviceStream stream, long data, long bytes, int to) {
        append(
                begin("send", what, bytes),
                AscendStream.of(stream, device),
                List.of(),
                s -> device.hccl().HcclSend(at(data), bytes, BYTES, to, comm, s));
    }

    @Override
    protected void receive(String what, DeviceStream stream, long data, long bytes, int from) {
        append(
                begin("receive", what, 0),
                AscendStream.of(stream, device),
                List.of(),
                s -> device.hccl().HcclRecv(at(data), bytes, BYTES, from, comm, s));
    }

    @Override
    protected void finish() {
        try {
            super.finish();
        } catch (DeviceLostException e) {
            throw world.failedWith(current, e);
        }
    }

    // groups of some ranks

    /**
     * As the interface says, for keys that keep the order of the ranks: HCCL numbers the ranks of a part as they are ordered
     * in the whole.
     */
    @Override
    public Communicator split(String part, int color, int key) {
        int[][] all = gather("split " + part, color, key);
        int[] same = IntStream.range(0, size())
                .filter(i -> all[i][0] == color)
                .boxed()
                .sorted(Comparator.comparingInt(i -> all[i][1]))
                .mapToInt(i -> i)
                .toArray();
        if (IntStream.range(1, same.length).anyMatch(i -> same[i] < same[i - 1])) {
            throw new RequestException("split " + part + " of group " + name + ": found the ranks in the order "
                    + Arrays.toString(same) + ", expected ascending: HCCL keeps their order in a part; use keys that"
                    + " ascend with the ranks");
        }
        int position = Arrays.binarySearch(same, rank);
        int[] ofWorld = Arrays.stream(same).map(i -> members[i]).toArray();
        HcclCall call = begin("split", part, 0);
        // every communicator is split from the world's: HCCL does not split what was split
        String unique = "/" + name + "/" + ++splits + "/" + ofWorld[0];
        MemorySegment made = device.call(() -> {
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment out = arena.allocate(ValueLayout.ADDRESS);
                int code = device.hccl()
                        .HcclCreateSubCommConfig(
                                arena.allocateFrom(ValueLayout.ADDRESS, world.comm()),
                                ofWorld.length,
                                arena.allocateFrom(I32, ofWorld),
                                Integer.toUnsignedLong(unique.hashCode()),
                                position,
                                world.options().config(unique).write(arena),
                                out);
                world.require(code, call);
                return out.get(ValueLayout.ADDRESS, 0);
            }
        });
        return new HcclGroup(world, part, made, ofWorld, position);
    }

    private int[][] gather(String what, int... mine) {
        Arena arena = Arena.global(); // HCCL may write to it after a failure
        MemorySegment send = arena.allocateFrom(I32, mine);
        MemorySegment receive = arena.allocate(size() * send.byteSize(), Integer.BYTES);
        allGather(what, send, receive);
        return IntStream.range(0, size())
                .mapToObj(i ->
                        receive.asSlice(i * send.byteSize(), send.byteSize()).toArray(I32))
                .toArray(int[][]::new);
    }

    // the end

    /** HCCL has no call that ends the others: they end by their deadlines, or by what started them. */
    @Override
    public void abort(String reason) {
        LOG.error("{} of {}, rank {}: {}", name, device, rank, reason);
        world.fail("group " + name + ", rank " + rank + " of " + size() + ": ended: " + reason);
    }

    @Override
    public void close() {
        device.whileAlive(this::closeHere);
    }

    /** On the device's thread. */
    void closeHere() {
        if (closed) {
            return;
        }
        closed = true;
        boolean idle = device.settleStreams();
        stream.closeHere();
        closeStaging();
        if (idle) {
            int code = device.hccl().HcclCommDestroy(comm);
            if (code != HcclResult.SUCCESS) {
                LOG.warn("{}: HcclCommDestroy of {}: {}", device, name, HcclResult.describe(code));
            }
        } else {
            LOG.warn("{}: the communicator of group {} is left behind: its work has not ended", device, name);
        }
        device.forget(this);
    }

    @Override
    public String toString() {
        return "group " + name + " of " + device + ", rank " + rank + " of " + size();
    }
}
