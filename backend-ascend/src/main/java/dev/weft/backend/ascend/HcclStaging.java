package dev.weft.backend.ascend;

import dev.weft.spi.DeviceBuffer;
import org.jspecify.annotations.Nullable;

/** Device memory that memory of the host is copied to or from. It grows; nothing uses it between two calls. */
final class HcclStaging {
    private static final long LEAST = 1 << 16;

    private final AscendDevice device;
    private @Nullable DeviceBuffer buffer;

    HcclStaging(AscendDevice device) {
        this.device = device;
    }

    /** Address of at least so many bytes; one that was given before is void. */
    long address(long bytes) {
        DeviceBuffer b = buffer;
        if (b == null || b.bytes() < bytes) {
            close();
            b = device.allocate(Math.max(LEAST, bytes), 64);
            buffer = b;
        }
        return b.address();
    }

    void close() {
        if (buffer != null) {
            buffer.close();
            buffer = null;
        }
    }
}
