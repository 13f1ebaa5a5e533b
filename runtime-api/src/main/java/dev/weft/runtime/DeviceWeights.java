package dev.weft.runtime;

import dev.weft.GraphException;
import dev.weft.TensorType;
import dev.weft.graph.Value;
import dev.weft.runtime.CompiledGraph.Step;
import dev.weft.spi.BackendDevice;
import dev.weft.spi.DeviceBuffer;
import dev.weft.spi.Lifetime;
import dev.weft.spi.WeightData;
import dev.weft.spi.WeightLayout;
import dev.weft.spi.WeightSource;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.LongConsumer;

/**
 * A graph's weights on a device, in one allocation. Two graphs compiled for the same device may share them if they name
 * the same weights. Thread-safe; close is idempotent and waits for running executions.
 */
public final class DeviceWeights implements AutoCloseable {
    private static final String ROW_MAJOR = "row-major";

    /** Bytes of a row-major weight on their way to the device. */
    private static final long STAGING_BYTES = 4L << 20;

    /** Where a weight lies, and how. */
    record Place(long address, long scaleAddress) {}

    private record Key(String name, String layout) {}

    private record Wanted(TensorType type, Optional<WeightLayout.Packing> packing, long offset) {}

    private final Device device;
    private final DeviceBuffer buffer;
    private final Map<Key, Place> places;
    private final Lifetime lifetime;

    private DeviceWeights(Device device, DeviceBuffer buffer, Map<Key, Place> places) {
        this.device = device;
        this.buffer = buffer;
        this.places = places;
        this.lifetime = new Lifetime("weights on " + device.id(), buffer::close);
        device.own(this);
    }

    static DeviceWeights load(List<CompiledGraph> graphs, WeightSource source, LongConsumer progress) {
        Device device = graphs.getFirst().device();
        Map<Key, Wanted> wanted = new LinkedHashMap<>();
        long total = 0;
        graphs.forEach(g -> device.require(g.device(), "graph " + g.graph().name()));
        for (Step step : graphs.stream().flatMap(g -> g.steps().stream()).toList()) {
            for (int i = 0; i < step.node().inputs().size(); i++) {
                Value v = step.node().inputs().get(i);
                if (!CompiledGraph.isWeight(v)) {
                    continue;
                }
                Optional<WeightLayout.Packing> packing = CompiledGraph.packing(device.spi(), step, i);
                Key key = key(v, packing);
                Wanted known = wanted.putIfAbsent(key, new Wanted(v.type(), packing, total));
                if (known != null && !known.type().equals(v.type())) {
                    throw new GraphException("weight " + v.name() + ": one graph declares " + known.type()
                            + ", another " + v.type() + "; graphs that share weights must agree");
                }
                if (known == null) {
                    total += packing.map(p -> MemoryPlan.align(p.bytes()))
                            .orElseGet(() -> MemoryPlan.storageBytes(v.type()));
                }
            }
        }
        DeviceBuffer buffer = device.spi().allocate(Math.max(total, 1), MemoryPlan.ALIGNMENT);
        try {
            Map<Key, Place> places = new LinkedHashMap<>();
            long done = 0;
            for (var e : wanted.entrySet()) {
                places.put(e.getKey(), place(device.spi(), e.getKey().name(), e.getValue(), buffer, source));
                done += e.getValue().type().maxDataBytes();
                progress.accept(done);
            }
            return new DeviceWeights(device, buffer, places);
        } catch (RuntimeException | Error e) {
            buffer.close();
            throw e;
        }
    }

    private static Place place(BackendDevice device, String name, Wanted w, DeviceBuffer buffer, WeightSource source) {
        long address = buffer.address() + w.offset();
        WeightData data = source.weight(name, w.type());
        if (!data.type().equals(w.type())) {
            throw new GraphException("weight " + name + ": source gave " + data.type() + ", expected " + w.type());
        }
        if (w.packing().isPresent()) {
            w.packing().get().pack(data, address);
            return new Place(address, 0);
        }
        long scales = address + MemoryPlan.scaleOffset(w.type());
        long dataAt = address;
        long scaleAt = scales;
        for (WeightData.Part part : data.parts()) {
            copy(device, part.data().byteSize(), dataAt, (at, staging) -> data.readData(part, at, staging));
            copy(device, part.scale().byteSize(), scaleAt, (at, staging) -> data.readScale(part, at, staging));
            dataAt += part.data().byteSize();
            scaleAt += part.scale().byteSize();
        }
        return new Place(address, w.type().scaling().isNone() ? 0 : scales);
    }

    /** Fills staging memory with the bytes from a position on. */
    private interface Reader {
        void read(long at, MemorySegment staging);
    }

    /** Goes through a staging buffer, because a device must not be handed a mapping that may fault. */
    private static void copy(BackendDevice device, long bytes, long target, Reader reader) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment staging = arena.allocate(Math.min(STAGING_BYTES, bytes), 64);
            for (long at = 0; at < bytes; at += staging.byteSize()) {
                MemorySegment piece = staging.asSlice(0, Math.min(staging.byteSize(), bytes - at));
                reader.read(at, piece);
                device.copyIn(piece, target + at);
            }
        }
    }

    private static Key key(Value v, Optional<WeightLayout.Packing> packing) {
        return new Key(v.name(), packing.map(WeightLayout.Packing::id).orElse(ROW_MAJOR));
    }

    /** Where {@code v} lies in the given layout. */
    Place find(Value v, Optional<WeightLayout.Packing> packing) {
        Place p = places.get(key(v, packing));
        if (p == null) {
            throw new GraphException("weight " + v.name() + ": not among the loaded weights in layout "
                    + packing.map(WeightLayout.Packing::id).orElse(ROW_MAJOR)
                    + "; load them through the graph that uses them");
        }
        return p;
    }

    Device device() {
        return device;
    }

    Lifetime lifetime() {
        return lifetime;
    }

    /** Bytes on the device. */
    public long bytes() {
        return buffer.bytes();
    }

    @Override
    public void close() {
        lifetime.close();
        device.disown(this);
    }
}
