package dev.weft.runtime;

import dev.weft.DType;
import dev.weft.GraphException;
import dev.weft.RequestException;
import dev.weft.Shape;
import dev.weft.op.AllGather;
import dev.weft.op.AllReduce;
import dev.weft.op.AllToAll;
import dev.weft.op.AllToAllV;
import dev.weft.op.Broadcast;
import dev.weft.op.Collective;
import dev.weft.op.GatherColumns;
import dev.weft.op.GatherRows;
import dev.weft.op.MoeGather;
import dev.weft.op.MoeReturn;
import dev.weft.op.MoeSend;
import dev.weft.op.ReduceScatter;
import dev.weft.op.RowCounts;
import dev.weft.op.ScatterColumns;
import dev.weft.spi.BackendDevice;
import dev.weft.spi.Communicator;
import dev.weft.spi.DeviceCommunicator;
import dev.weft.spi.DeviceStream;
import dev.weft.spi.Kernel;
import dev.weft.spi.KernelArguments;
import dev.weft.spi.SharedKernel;
import dev.weft.spi.support.HostScratch;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.ObjLongConsumer;

/**
 * Runs the collectives that one execution has with one group: moves bytes by the group, sums in rank order. Rows stay on the
 * device if the group reaches its memory; counts and offsets, which decide what moves where, are read and written by the host.
 * Extents that come to light on the way are handed to the execution before results are written. Used by one thread.
 */
final class Collectives implements AutoCloseable {
    private static final ValueLayout.OfLong I64 = ValueLayout.JAVA_LONG_UNALIGNED;

    private final Communicator group;
    private final ObjLongConsumer<String> binder;
    private final HostOperands o;
    private final Carrier carrier;
    private final RowExchange exchange;
    private final MoeRoutes moe;
    private final Route out;
    private final Route in;
    private final HostScratch gathered = new HostScratch();
    private final HostScratch own = new HostScratch();
    private final long[] sendBytes;
    private final long[] sendOffsets;
    private final long[] receiveBytes;
    private final long[] receiveOffsets;

    /** @param binder receives the name and the extent of a dimension that a node binds */
    Collectives(BackendDevice device, Communicator group, ObjLongConsumer<String> binder) {
        this.group = group;
        this.binder = binder;
        this.o = new HostOperands(device);
        this.carrier = group instanceof DeviceCommunicator d && d.device() == device
                ? new DeviceCarrier(d, o)
                : new HostCarrier(group, o);
        this.exchange = carrier instanceof DeviceCarrier onDevice
                ? new DeviceRowExchange(onDevice, group.size())
                : new HostRowExchange(group);
        this.moe = new MoeRoutes(group);
        this.out = new Route(group.size());
        this.in = new Route(group.size());
        this.sendBytes = new long[group.size()];
        this.sendOffsets = new long[group.size()];
        this.receiveBytes = new long[group.size()];
        this.receiveOffsets = new long[group.size()];
    }

    /** The ranks that run them together. */
    Communicator group() {
        return group;
    }

    /** Whether the device can record what the step appends to its stream: no count, no memory of the host. */
    boolean isRecordable(Step step) {
        return step.node().op() instanceof Collective c
                && c.isFixed()
                && group instanceof DeviceCommunicator d
                && carrier instanceof DeviceCarrier
                && d.isRecordable();
    }

    /** The step as a kernel, for a recording. */
    Kernel kernel(Step step) {
        return new SharedKernel() {
            @Override
            public String name() {
                return step.label();
            }

            @Override
            public long agreed() {
                return ((DeviceCommunicator) group).agreed();
            }

            @Override
            public void enqueue(DeviceStream stream, KernelArguments arguments) {
                run(stream, step, arguments);
            }
        };
    }

    void run(DeviceStream stream, Step step, KernelArguments arguments) {
        o.open(stream, arguments, step.node().inputs().size());
        String what = step.node().label();
        switch ((Collective) step.node().op()) {
            case AllReduce _ -> allReduce(what);
            case AllGather _ -> carrier.allGather(what, carrier.data(0), carrier.data(1));
            case ReduceScatter _ -> reduceScatter(what);
            case AllToAll _ -> allToAll(what);
            case AllToAllV _ -> allToAllV(what);
            case Broadcast _ -> broadcast(what);
            case MoeGather _ -> moeGather(what);
            case MoeSend s -> moeSend(what, s);
            case MoeReturn r -> moeReturn(what, r);
            case RowCounts c -> rowCounts(what, c);
            case GatherRows _ -> gatherRows(what);
            case ScatterColumns s -> scatterColumns(what, s.ranks());
            case GatherColumns g -> gatherColumns(what, g.ranks());
        }
        o.store();
    }

    /** Sums are the host's for every group: no node of a model is one, and so there is one order and one rounding. */
    private void allReduce(String what) {
        MemorySegment x = o.data(0);
        MemorySegment all = gathered.bytes(group.size() * x.byteSize());
        group.allGather(what, x, all);
        sum(all, o.data(1));
    }

    private void reduceScatter(String what) {
        MemorySegment x = o.data(0);
        MemorySegment y = o.data(1);
        long share = y.byteSize();
        MemorySegment all = gathered.bytes(x.byteSize());
        for (int r = 0; r < group.size(); r++) {
            sendOffsets[r] = r * share;
        }
        Arrays.fill(sendBytes, share);
        group.allToAllV(what, x, sendBytes, sendOffsets, all, sendBytes, sendOffsets);
        sum(all, y);
    }

    /** Adds the shares of all ranks, one after another, in F32, rounded once. */
    private void sum(MemorySegment shares, MemorySegment y) {
        DType dtype = o.arguments().dtype(1);
        long bytes = dtype.bytes(1);
        for (long at = 0; at < y.byteSize(); at += bytes) {
            float sum = get(dtype, shares, at);
            for (int r = 1; r < group.size(); r++) {
                sum += get(dtype, shares, r * y.byteSize() + at);
            }
            if (dtype == DType.F32) {
                y.set(ValueLayout.JAVA_FLOAT_UNALIGNED, at, sum);
            } else {
                y.set(ValueLayout.JAVA_SHORT_UNALIGNED, at, (short) dtype.encode(sum));
            }
        }
    }

    private static float get(DType dtype, MemorySegment s, long at) {
        return dtype == DType.F32
                ? s.get(ValueLayout.JAVA_FLOAT_UNALIGNED, at)
                : dtype.decode(s.get(ValueLayout.JAVA_SHORT_UNALIGNED, at) & 0xFFFF);
    }

    private void allToAllV(String what) {
        int ranks = group.size();
        MemorySegment counts = o.data(1);
        MemorySegment mine = own.bytes(counts.byteSize() + Long.BYTES);
        mine.copyFrom(counts).setAtIndex(I64, ranks, o.arguments().dim(0, 0));
        MemorySegment all = gathered.bytes(ranks * mine.byteSize());
        group.allGather(what, mine, all);
        requireCounts(what, all);
        long row = rowBytes(0);
        long sendAt = 0;
        long receiveAt = 0;
        for (int r = 0; r < ranks; r++) {
            sendBytes[r] = row * counts.getAtIndex(I64, r);
            sendOffsets[r] = sendAt;
            sendAt += sendBytes[r];
            receiveBytes[r] = row * count(all, r, group.rank());
            receiveOffsets[r] = receiveAt;
            receiveAt += receiveBytes[r];
        }
        carrier.allToAllV(what, carrier.data(0), sendBytes, sendOffsets, carrier.data(2), receiveBytes, receiveOffsets);
    }

    /** How many rows a rank has for another; for one past the last rank, how many it has. */
    private long count(MemorySegment all, int from, int to) {
        return all.getAtIndex(I64, (long) from * (group.size() + 1) + to);
    }

    /** @throws RequestException on all ranks if one cannot send or receive its rows: no rank waits for another that refuses */
    private void requireCounts(String what, MemorySegment all) {
        int ranks = group.size();
        for (int r = 0; r < ranks; r++) {
            long rows = count(all, r, ranks);
            long sent = 0;
            long received = 0;
            boolean possible = true;
            for (int other = 0; other < ranks; other++) {
                possible &= count(all, r, other) >= 0 && count(all, r, other) <= rows;
                sent += count(all, r, other);
                received += count(all, other, r);
            }
            if (!possible || sent > rows || received > ranks * rows) {
                throw new RequestException(what + ": rank " + r + " of " + ranks + " has " + rows
                        + " rows and would send " + sent + " and receive " + received
                        + ", expected counts of 0 or more, at most " + rows + " rows to send and " + ranks * rows
                        + " to receive");
            }
        }
    }

    private void allToAll(String what) {
        MemorySegment x = carrier.data(0);
        long share = x.byteSize() / group.size();
        for (int r = 0; r < group.size(); r++) {
            sendOffsets[r] = r * share;
        }
        Arrays.fill(sendBytes, share);
        carrier.allToAllV(what, x, sendBytes, sendOffsets, carrier.data(1), sendBytes, sendOffsets);
    }

    private void broadcast(String what) {
        MemorySegment x = carrier.data(0);
        MemorySegment y = carrier.data(1);
        carrier.copy(x, y);
        carrier.broadcast(what, y);
    }

    private void moeGather(String what) {
        long rows = o.arguments().dim(0, 0);
        long most = o.arguments().dim(2, 0);
        if (rows > most) {
            throw new GraphException(what + ": rank " + group.rank() + " has " + rows
                    + " rows, expected at most the capacity of " + most + "; bind it to the most rows of a rank");
        }
        List<MemorySegment> send = new ArrayList<>();
        List<MemorySegment> receive = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            send.add(carrier.data(i));
            receive.add(carrier.data(3 + i));
        }
        if (!o.arguments().scaling(0).isNone()) {
            send.add(carrier.scales(0));
            receive.add(carrier.scales(3));
        }
        carrier.allGather(what, send.toArray(MemorySegment[]::new), receive.toArray(MemorySegment[]::new));
    }

    private void moeSend(String what, MoeSend op) {
        moe.meet(what, op, o.data(2));
        binder.accept(op.received().name(), moe.received());
        moe.write(o.data(5), o.data(6));
        exchange.with(RowExchange.Column.whole(carrier.data(0), carrier.data(3), rowBytes(0)));
        if (!o.arguments().scaling(0).isNone()) {
            exchange.with(RowExchange.Column.whole(carrier.scales(0), carrier.scales(3), scaleBytes(0)));
        }
        exchange.with(RowExchange.Column.whole(carrier.data(1), carrier.data(4), Float.BYTES));
        exchange.run(what, moe.atSender(), moe.atHolder());
    }

    private void moeReturn(String what, MoeReturn op) {
        moe.resume(op.table(), o.data(2), o.data(1));
        exchange.with(RowExchange.Column.whole(carrier.data(0), carrier.data(3), rowBytes(0)))
                .run(what, moe.atHolder(), moe.atSender());
    }

    private void rowCounts(String what, RowCounts op) {
        MemorySegment counts = o.data(1);
        MemorySegment mine = gathered.bytes(Long.BYTES);
        mine.set(I64, 0, o.arguments().dim(0, 0));
        group.allGather(what, mine, counts);
        long total = 0;
        for (int r = 0; r < group.size(); r++) {
            total += counts.getAtIndex(I64, r);
        }
        binder.accept(op.total().name(), total);
    }

    private void gatherRows(String what) {
        mineToAll();
        exchange.with(RowExchange.Column.whole(carrier.data(0), carrier.data(2), rowBytes(0)));
        if (!o.arguments().scaling(0).isNone()) {
            exchange.with(RowExchange.Column.whole(carrier.scales(0), carrier.scales(2), scaleBytes(0)));
        }
        exchange.run(what, out, in);
    }

    private void scatterColumns(String what, int ranks) {
        mineToAll();
        long row = rowBytes(0);
        long share = row / ranks;
        exchange.with(new RowExchange.Column(carrier.data(0), row, share, carrier.data(2), share, 0, share))
                .run(what, out, in);
    }

    private void gatherColumns(String what, int ranks) {
        mineToAll();
        long share = rowBytes(0);
        exchange.with(new RowExchange.Column(carrier.data(0), share, 0, carrier.data(2), ranks * share, share, share))
                .run(what, in, out);
    }

    /** Routes on which my rows go to every rank and everyone's rows come here, in rank order. */
    private void mineToAll() {
        MemorySegment counts = o.data(1);
        out.clear();
        in.clear();
        long before = 0;
        for (int r = 0; r < group.size(); r++) {
            long rows = counts.getAtIndex(I64, r);
            out.add(r, 0, counts.getAtIndex(I64, group.rank()));
            in.add(r, before, rows);
            before += rows;
        }
    }

    /** Bytes of one index of the first axis. */
    private long rowBytes(int i) {
        KernelArguments a = o.arguments();
        return a.dtype(i).bytes(a.pitch(i));
    }

    private long scaleBytes(int i) {
        long[] one = o.arguments().dims(i);
        one[0] = 1;
        return Shape.elements(o.arguments().scaling(i).scaleDims(one));
    }

    @Override
    public void close() {
        carrier.close();
    }
}
