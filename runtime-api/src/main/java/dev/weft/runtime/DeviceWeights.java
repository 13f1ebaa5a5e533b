package dev.weft.runtime;

import dev.weft.GraphException;
import dev.weft.graph.Value;
import dev.weft.spi.BackendDevice;
import dev.weft.spi.Closing;
import dev.weft.spi.DeviceBuffer;
import dev.weft.spi.Lifetime;
import dev.weft.spi.WeightData;
import dev.weft.spi.WeightLayout;
import dev.weft.spi.WeightPager;
import dev.weft.spi.WeightSource;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.LongConsumer;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A graph's weights on a device, in one allocation. Two graphs compiled for the same device may share them if they name
 * the same weights. Thread-safe; close is idempotent and waits for running executions.
 */
public final class DeviceWeights implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(DeviceWeights.class);

    /** Bytes of a row-major weight on their way to the device. */
    private static final long STAGING_BYTES = 4L << 20;

    /** Where a weight lies, and how. */
    record Place(long address, long scaleAddress) {}

    private final Device device;
    private final DeviceBuffer buffer;
    private final @Nullable WeightPager pager;
    private final Map<WeightPlan.Key, Place> places;
    private final Lifetime lifetime;

    private DeviceWeights(
            Device device, DeviceBuffer buffer, @Nullable WeightPager pager, Map<WeightPlan.Key, Place> places) {
        this.device = device;
        this.buffer = buffer;
        this.pager = pager;
        this.places = places;
        this.lifetime = new Lifetime("weights on " + device.id(), () -> release(buffer, pager));
        device.own(this);
    }

    private static void release(DeviceBuffer buffer, @Nullable WeightPager pager) {
        Closing.all(pager == null ? List.of(buffer) : List.of(pager, buffer));
    }

    static DeviceWeights load(List<CompiledGraph> graphs, WeightSource source, LongConsumer progress) {
        Device device = graphs.getFirst().device();
        graphs.forEach(g -> device.require(g.device(), "graph " + g.graph().name()));
        WeightPlan plan = WeightPlan.of(graphs, source);
        DeviceBuffer buffer = device.spi().allocate(Math.max(plan.bytes(), 1), MemoryPlan.ALIGNMENT);
        WeightPager pager = null;
        LoadEvent event = new LoadEvent();
        event.begin();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment staging = arena.allocate(STAGING_BYTES, MemoryPlan.ALIGNMENT);
            if (plan.isPaged() && device.spi() instanceof WeightLayout layout) {
                pager = layout.openPager(buffer.address() + plan.slotOffset(), plan.slotBytes(), plan.slots());
                LOG.info(
                        "weights on {} are read from their files on demand: {} slots of {} bytes for experts",
                        device.id(),
                        plan.slots(),
                        plan.slotBytes());
            }
            Map<WeightPlan.Key, Place> places = new LinkedHashMap<>();
            long done = 0;
            for (var e : plan.items().entrySet()) {
                WeightPlan.Item item = e.getValue();
                long address = buffer.address() + item.offset();
                if (pager != null && item.isPaged()) {
                    long home = item.isInSlots() ? 0 : address;
                    places.put(e.getKey(), new Place(address, pager.add(item.paging(), item.source(), home)));
                } else {
                    places.put(e.getKey(), place(device.spi(), e.getKey().name(), item, address, source, staging));
                    done += item.type().maxDataBytes();
                    progress.accept(done);
                }
            }
            if (event.shouldCommit()) {
                event.device = device.label();
                event.graphs = graphs.stream().map(g -> g.graph().name()).collect(Collectors.joining(", "));
                event.weights = places.size();
                event.bytes = done;
                event.onDemand = pager != null;
                event.commit();
            }
            return new DeviceWeights(device, buffer, pager, places);
        } catch (RuntimeException | Error e) {
            release(buffer, pager);
            throw e;
        }
    }

    private static Place place(
            BackendDevice device,
            String name,
            WeightPlan.Item w,
            long address,
            WeightSource source,
            MemorySegment staging) {
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
            copy(device, part.data().byteSize(), dataAt, staging, (at, piece) -> data.readData(part, at, piece));
            copy(device, part.scale().byteSize(), scaleAt, staging, (at, piece) -> data.readScale(part, at, piece));
            dataAt += part.data().byteSize();
            scaleAt += part.scale().byteSize();
        }
        return new Place(address, w.type().scaling().isNone() ? 0 : scales);
    }

    /** Fills a piece of staging memory with the bytes from a position on. */
    private interface Reader {
        void read(long at, MemorySegment piece);
    }

    /** Goes through staging memory, because a device must not be handed a mapping that may fault. */
    private static void copy(BackendDevice device, long bytes, long target, MemorySegment staging, Reader reader) {
        for (long at = 0; at < bytes; at += staging.byteSize()) {
            MemorySegment piece = staging.asSlice(0, Math.min(staging.byteSize(), bytes - at));
            reader.read(at, piece);
            device.copyIn(piece, target + at);
        }
    }

    /** Where {@code v} lies in the given layout. */
    Place find(Value v, Optional<WeightLayout.Packing> packing) {
        WeightPlan.Key key = WeightPlan.Key.of(v, packing);
        Place p = places.get(key);
        if (p == null) {
            throw new GraphException("weight " + v.name() + ": not among the loaded weights in layout " + key.layout()
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

    /** Whether weights are read from their files when a kernel needs them. */
    public boolean isPaged() {
        return pager != null;
    }

    /** What was read on demand so far; all zero unless {@link #isPaged}. */
    public WeightPager.Counters counters() {
        return pager == null ? WeightPager.Counters.NONE : pager.counters();
    }

    @Override
    public void close() {
        lifetime.close();
        device.disown(this);
    }
}
