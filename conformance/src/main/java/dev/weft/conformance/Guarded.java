package dev.weft.conformance;

import dev.weft.spi.BackendDevice;
import dev.weft.spi.DeviceBuffer;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Device memory between two zones of a known pattern that no kernel may touch. */
final class Guarded implements AutoCloseable {
    /** Width of a zone; also the alignment, so that the content is as aligned as the buffer. */
    private static final long ZONE = 256;

    private static final byte PATTERN = (byte) 0xA5;

    private final BackendDevice device;
    private final String name;
    private final DeviceBuffer buffer;
    private final long bytes;
    private final long spare;

    Guarded(BackendDevice device, String name, long bytes) {
        this(device, name, bytes, 0);
    }

    /** With {@code spare} bytes behind the content that kernels may write as they like. */
    Guarded(BackendDevice device, String name, long bytes, long spare) {
        this.device = device;
        this.name = name;
        this.bytes = bytes;
        this.spare = spare;
        this.buffer = device.allocate(bytes + spare + 2 * ZONE, ZONE);
    }

    long address() {
        return buffer.address() + ZONE;
    }

    /** Writes the content and both zones. */
    void write(MemorySegment content, Arena arena) {
        MemorySegment all = arena.allocate(bytes + spare + 2 * ZONE, 64).fill(PATTERN);
        MemorySegment.copy(content, 0, all, ZONE, bytes);
        device.copyIn(all, buffer.address());
    }

    /** Writes the zones and fills the content. */
    void fill(byte value, Arena arena) {
        write(arena.allocate(Math.max(1, bytes)).fill(value), arena);
    }

    /** Reads the content. @throws Mismatch if a zone was touched */
    void read(MemorySegment content, Arena arena) {
        MemorySegment all = check(arena);
        MemorySegment.copy(all, ZONE, content, 0, bytes);
    }

    /** Reads everything and looks at the zones. @throws Mismatch if one was touched */
    MemorySegment check(Arena arena) {
        MemorySegment all = arena.allocate(bytes + spare + 2 * ZONE, 64);
        device.copyOut(buffer.address(), all);
        MemorySegment intact = arena.allocate(ZONE).fill(PATTERN);
        checkZone(all, 0, intact, "before its start");
        checkZone(all, ZONE + bytes + spare, intact, "past its end");
        return all;
    }

    private void checkZone(MemorySegment all, long from, MemorySegment intact, String where) {
        long bad = MemorySegment.mismatch(all, from, from + ZONE, intact, 0, ZONE);
        if (bad >= 0) {
            long distance = from == 0 ? ZONE - bad : bad;
            throw new Mismatch(name + ": memory " + distance + " bytes " + where + " was overwritten; expected writes"
                    + " only inside its " + bytes + " bytes");
        }
    }

    @Override
    public void close() {
        buffer.close();
    }
}
