package dev.weft.spi.support;

import dev.weft.spi.BackendDevice;
import dev.weft.spi.DeviceBuffer;
import dev.weft.spi.DeviceStream;
import org.jspecify.annotations.Nullable;

/** Device memory that is used again at every step of one stream and grows when one needs more. Not thread-safe. */
public final class DeviceScratch implements AutoCloseable {
    /** It grows in such steps, so that it seldom grows. */
    private static final long UNIT = 1L << 20;

    private static final long ALIGNMENT = 256;

    private final BackendDevice device;
    private @Nullable DeviceBuffer buffer;

    /** Empty scratch memory. */
    public DeviceScratch(BackendDevice device) {
        this.device = device;
    }

    /**
     * Address of at least {@code bytes} bytes, contents undefined; the same memory as the last call's, unless it grows, for
     * which it waits for the stream.
     *
     * @param stream whose work uses it
     */
    public long bytes(DeviceStream stream, long bytes) {
        DeviceBuffer room = buffer;
        if (room == null || room.bytes() < bytes) {
            if (room != null) {
                stream.synchronize();
                close();
            }
            room = device.allocate(Math.ceilDiv(Math.max(bytes, 1), UNIT) * UNIT, ALIGNMENT);
            buffer = room;
        }
        return room.address();
    }

    /** Frees it; nothing may use it any more. */
    @Override
    public void close() {
        if (buffer != null) {
            buffer.close();
            buffer = null;
        }
    }
}
