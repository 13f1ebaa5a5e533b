package dev.weft.backend.ascend;

import dev.weft.NativeCallException;
import dev.weft.backend.ascend.abi.AclType;
import dev.weft.backend.ascend.kernel.Ten;
import dev.weft.spi.DeviceBuffer;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.Map;
import java.util.function.Consumer;

/** Tables that kernels need on the device, each made once. Used on the device's thread. */
final class Constants {
    private final AscendDevice device;
    private final Map<String, DeviceBuffer> made = new HashMap<>();
    private boolean frozen;

    Constants(AscendDevice device) {
        this.device = device;
    }

    /** The table, made now if it is the first use. */
    Ten of(String id, AclType type, long[] dims, Consumer<MemorySegment> fill) {
        long bytes = type.bytes(Ten.dense(0, type, dims).elements());
        DeviceBuffer buffer = made.get(id);
        if (buffer == null) {
            buffer = make(id, bytes, fill);
            made.put(id, buffer);
        } else if (buffer.bytes() < bytes) {
            throw new NativeCallException("constant '" + id + "': found " + buffer.bytes() + " bytes, expected " + bytes
                    + "; equal names must mean equal contents");
        }
        return Ten.dense(buffer.address(), type, dims);
    }

    private DeviceBuffer make(String id, long bytes, Consumer<MemorySegment> fill) {
        if (frozen) {
            throw new CaptureException("table '" + id + "' appears for the first time while a graph is recorded");
        }
        DeviceBuffer buffer = device.memory().allocate(bytes, SizeRule.ALIGNMENT);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment host = arena.allocate(Math.max(1, bytes), 64);
            fill.accept(host);
            device.copyIn(host.asSlice(0, bytes), buffer.address());
            return buffer;
        } catch (RuntimeException | Error e) {
            buffer.close();
            throw e;
        }
    }

    /** Whether nothing may be made: while a graph is recorded, copies are forbidden. */
    void freeze(boolean frozen) {
        this.frozen = frozen;
    }

    void close() {
        made.values().forEach(DeviceBuffer::close);
        made.clear();
    }
}
