package dev.weft.runtime;

import dev.weft.DType;
import dev.weft.GraphException;
import dev.weft.TensorType;
import dev.weft.graph.Value;
import dev.weft.spi.HostCopy;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;

/**
 * An input of one execution with its host copy, which stays: the planner may give the device memory of an input to later
 * results, and a run without a new value repeats the old one. Not thread-safe.
 */
final class InputSlot {
    private static final long NOTHING = -1;

    private final Value value;
    private final BoundType bound;
    private final long address;
    private final long capacity;
    private final boolean isKept;
    private final MemorySegment staging;
    private long filled = NOTHING;
    /** Of what is filled of the host copy. */
    private HostCopy copy;
    /** Whether the device has it. */
    private boolean isFed;

    /** @param isKept whether no other value gets the device memory, so that an old value need not be copied again */
    InputSlot(Value value, Extents extents, long address, boolean isKept, Arena arena) {
        this.value = value;
        this.bound = new BoundType(value.type(), extents);
        this.address = address;
        this.isKept = isKept;
        this.capacity = value.type().maxDataBytes();
        this.staging = arena.allocate(Math.max(1, capacity), 64);
        this.copy = new HostCopy(staging, address);
    }

    /** Takes over bytes in the input's format. */
    void fill(MemorySegment data) {
        begin(value.type().dtype(), data.byteSize());
        MemorySegment.copy(data, 0, staging, 0, data.byteSize());
        filled(data.byteSize());
    }

    /** Takes over the first {@code count} numbers. */
    void fill(float[] data, int count) {
        begin(DType.F32, 4L * count);
        MemorySegment.copy(data, 0, staging, ValueLayout.JAVA_FLOAT, 0, count);
        filled(4L * count);
    }

    /** Takes over the first {@code count} numbers. */
    void fill(int[] data, int count) {
        begin(DType.I32, 4L * count);
        MemorySegment.copy(data, 0, staging, ValueLayout.JAVA_INT, 0, count);
        filled(4L * count);
    }

    private void begin(DType dtype, long bytes) {
        if (value.type().dtype() != dtype || bytes > capacity) {
            throw new GraphException("input '" + value.name() + "': found " + bytes + " bytes of " + dtype
                    + ", expected " + value.type());
        }
        isFed = false; // a copy that fails half-way leaves what the device does not have
    }

    private void filled(long bytes) {
        if (bytes != filled) {
            filled = bytes;
            copy = new HostCopy(staging.asSlice(0, bytes), address);
        }
    }

    /** The device may not have it, as a run has failed. */
    void forget() {
        isFed = false;
    }

    /** Appends the copy to the device, if one is needed. @throws GraphException if the bytes given do not fit the bound dimensions */
    void feed(List<HostCopy> copies) {
        TensorType type = bound.type();
        if (!type.scaling().isNone()) {
            throw new GraphException("input '" + value.name() + "' " + type
                    + ": block scales cannot be fed; feed unscaled values and quantize them in the graph");
        }
        if (filled != bound.dataBytes()) {
            throw new GraphException(
                    "input '" + value.name() + "': found " + (filled == NOTHING ? "nothing" : filled + " bytes")
                            + ", expected " + bound.dataBytes() + " bytes for " + type);
        }
        if (filled > 0 && !isFed) {
            copies.add(copy);
            isFed = isKept;
        }
    }
}
