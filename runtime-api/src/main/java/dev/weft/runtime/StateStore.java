package dev.weft.runtime;

import dev.weft.GraphException;
import dev.weft.graph.Graph;
import dev.weft.graph.Value;
import dev.weft.spi.DeviceBuffer;
import dev.weft.spi.Lifetime;
import dev.weft.spi.StateLayout;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * The states of a graph on a device, in one allocation. Thread-safe; a second execution that runs on the store at
 * the same time is refused. Close is idempotent and waits for a running execution.
 */
public final class StateStore implements AutoCloseable {
    private record Place(Value state, long address) {}

    private final Device device;
    private final DeviceBuffer buffer;
    private final Map<String, Place> places;
    private final Lifetime lifetime;
    /** The execution that runs now. */
    private final AtomicReference<@Nullable String> runner = new AtomicReference<>();

    private StateStore(Device device, DeviceBuffer buffer, Map<String, Place> places) {
        this.device = device;
        this.buffer = buffer;
        this.places = places;
        this.lifetime = new Lifetime("states on " + device.id(), buffer::close);
        device.own(this);
    }

    static StateStore allocate(Device device, Graph graph) {
        long total = 0;
        for (Value v : graph.values(Value.Kind.STATE)) {
            if (!v.type().scaling().isNone() || v.type().shape().rank() == 0) {
                throw new GraphException(
                        "state '" + v.name() + "' " + v.type() + ": expected an unscaled tensor of rank 1 or more");
            }
            total += storageBytes(device, v);
        }
        DeviceBuffer buffer = device.spi().allocate(Math.max(total, 1), MemoryPlan.ALIGNMENT);
        Map<String, Place> places = new LinkedHashMap<>();
        long at = buffer.address();
        for (Value v : graph.values(Value.Kind.STATE)) {
            places.put(v.name(), new Place(v, at));
            at += storageBytes(device, v);
        }
        try {
            device.spi().zero(buffer.address(), buffer.bytes());
        } catch (RuntimeException | Error e) {
            buffer.close();
            throw e;
        }
        return new StateStore(device, buffer, places);
    }

    /** Bytes of a state on a device, a whole number of alignments. */
    static long storageBytes(Device device, Value state) {
        return MemoryPlan.align(StateLayout.of(device.spi(), state.type()));
    }

    long address(Value state) {
        return place(state.name()).address();
    }

    private Place place(String name) {
        Place p = places.get(name);
        if (p == null) {
            throw new GraphException("state '" + name + "': found only " + places.keySet());
        }
        return p;
    }

    Device device() {
        return device;
    }

    Lifetime lifetime() {
        return lifetime;
    }

    /**
     * Begins a run that may change the states.
     *
     * @param execution who runs, for messages
     * @throws GraphException if another run has not ended
     */
    void claim(String execution) {
        String other = places.isEmpty() ? null : runner.compareAndExchange(null, execution);
        if (other != null) {
            throw new GraphException(execution + ": its states are in use by a run of another " + other
                    + "; run one after the other, or give each execution its own states");
        }
    }

    /** Ends the run. */
    void unclaim() {
        runner.set(null);
    }

    /** Names of the states. */
    public java.util.Set<String> names() {
        return places.keySet();
    }

    /** Bytes of one index of the first axis (slot or page) of a state. */
    public long rowBytes(String name) {
        Value v = place(name).state();
        return v.type().maxDataBytes() / v.type().shape().dim(0).maximum();
    }

    /** Copies rows {@code [from, from + target size)} of a state to the host. */
    public void read(String name, long from, MemorySegment target) {
        transfer(name, from, target, false);
    }

    /** Overwrites rows of a state, starting at {@code from}. */
    public void write(String name, long from, MemorySegment source) {
        transfer(name, from, source, true);
    }

    /** Copies one row (slot or page) of a state to another. */
    public void copyRow(String name, long from, long to) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment row = arena.allocate(rowBytes(name), 64);
            read(name, from, row);
            write(name, to, row);
        }
    }

    private void transfer(String name, long row, MemorySegment host, boolean in) {
        lifetime.enter();
        try {
            Place p = place(name);
            long rows = p.state().type().shape().dim(0).maximum();
            long offset = Math.clamp(row, 0, rows) * rowBytes(name);
            if (row < 0
                    || row > rows
                    || offset + host.byteSize() > p.state().type().maxDataBytes()) {
                throw new GraphException("state '" + name + "' " + p.state().type() + ": " + host.byteSize()
                        + " bytes from row " + row + " exceed it");
            }
            if (in) {
                device.spi().copyIn(host, p.address() + offset);
            } else {
                device.spi().copyOut(p.address() + offset, host);
            }
        } finally {
            lifetime.exit();
        }
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
