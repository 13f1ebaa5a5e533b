package dev.weft.backend.cuda;

import dev.weft.UnsupportedOpException;
import dev.weft.backend.cuda.kernel.Attributes;
import dev.weft.backend.cuda.kernel.Emit;
import dev.weft.backend.cuda.kernel.Grid;
import dev.weft.backend.cuda.kernel.GroupEmit;
import dev.weft.backend.cuda.kernel.GroupWay;
import dev.weft.backend.cuda.kernel.Part;
import dev.weft.backend.cuda.kernel.Way;
import dev.weft.spi.KernelArguments;
import dev.weft.spi.NodeGroup;
import dev.weft.spi.support.MemberArguments;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/** Several operator instances and the way that runs them together. */
final class CudaGroup implements Emitting {
    private final CudaDevice device;
    private final NodeGroup group;
    private final List<Way> ways;
    private final List<Attributes> attributes;
    private final List<List<Long>> tables;
    private final GroupWay way;
    private final MemberArguments members;

    /** Puts the tables on the device. @param ways of the members alone */
    CudaGroup(CudaDevice device, NodeGroup group, List<Way> ways, GroupWay way) {
        this.device = device;
        this.group = group;
        this.ways = ways;
        this.way = way;
        this.attributes = new ArrayList<>();
        this.tables = new ArrayList<>();
        List<Long> scratch = new ArrayList<>();
        for (int i = 0; i < ways.size(); i++) {
            var op = group.members().get(i).instance();
            Attributes own = ways.get(i).attributes().apply(op);
            attributes.add(own);
            tables.add(own.tables().stream().map(device.tables()::of).toList());
            scratch.add(ways.get(i).scratch().of(op, device.chip()));
        }
        this.members = new MemberArguments(group, scratch);
    }

    @Override
    public String name() {
        return way.name();
    }

    @Override
    public CudaDevice device() {
        return device;
    }

    @Override
    public long workspaceBytes() {
        return members.bytes();
    }

    @Override
    public void emit(KernelArguments arguments, Emission.Sink sink) {
        try (Arena arena = Arena.ofConfined()) {
            List<Emission> alone = new ArrayList<>();
            for (int i = 0; i < ways.size(); i++) {
                alone.add(new Emission(
                        group.members().get(i).instance(),
                        device.chip(),
                        attributes.get(i),
                        tables.get(i),
                        device.functions(),
                        members.of(i, arguments, arena),
                        sink));
            }
            way.body().emit(new Writer(alone, sink));
        }
    }

    /** Arguments at the largest extents and at no place. */
    KernelArguments nowhere(Arena arena) {
        return Emission.nowhere(group.values(), arena);
    }

    /** Writes the launches of one call. */
    private final class Writer implements GroupEmit {
        private final List<Emission> alone;
        private final Emission.Sink sink;

        Writer(List<Emission> alone, Emission.Sink sink) {
            this.alone = alone;
            this.sink = sink;
        }

        @Override
        public Emit member(int i) {
            return alone.get(i);
        }

        @Override
        public void alone(int i) {
            alone.get(i).run(ways.get(i));
        }

        @Override
        public void launch(String module, String function, Grid grid, int threads, int sharedBytes, List<Part> parts) {
            if (parts.size() > CallLayout.MOST_CALLS) {
                throw new UnsupportedOpException("kernel " + module + "/" + function + ": " + parts.size()
                        + " parts, expected at most " + CallLayout.MOST_CALLS);
            }
            Function loaded = device.functions().of(module, function, sharedBytes, CallLayout.MOST_CALLS);
            MemorySegment calls = sink.calls(CallLayout.MOST_CALLS);
            for (int i = 0; i < CallLayout.MOST_CALLS; i++) {
                MemorySegment call = calls.asSlice(i * CallLayout.BYTES, CallLayout.BYTES);
                Part part = i < parts.size() ? parts.get(i) : Part.NONE;
                if (part.member() < 0) {
                    CallLayout.writePlace(call, part);
                } else {
                    Emission e = alone.get(part.member());
                    long counters = sink.counters() + i * Emission.Sink.PART_COUNTER_BYTES;
                    CallLayout.writePart(call, e.arguments(), e.attributes().words(), part, e.tables(), counters);
                }
            }
            sink.add(new Launch(loaded, grid, threads, sharedBytes, calls));
        }
    }

    @Override
    public String toString() {
        return name();
    }
}
