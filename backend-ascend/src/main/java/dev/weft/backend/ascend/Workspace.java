package dev.weft.backend.ascend;

import dev.weft.spi.DeviceBuffer;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Device memory for the workspaces that aclnn operators ask for in their first phase. Operators of a stream run one
 * after another and share one block. It grows by a new block; the old one may still be in use and is freed when the
 * stream is idle. Used on the device's thread.
 */
final class Workspace {
    /** Smallest block: below this a device's page granularity decides anyway. */
    private static final long LEAST = 2L << 20;

    private final DeviceMemory memory;
    private final List<DeviceBuffer> retired = new ArrayList<>();
    private @Nullable DeviceBuffer block;
    private boolean frozen;

    Workspace(DeviceMemory memory) {
        this.memory = memory;
    }

    /** Address of at least {@code bytes} bytes, 0 for none. */
    long of(long bytes) {
        if (bytes == 0) {
            return 0;
        }
        DeviceBuffer b = block;
        if (b == null || b.bytes() < bytes) {
            if (frozen) {
                throw new CaptureException("an operator asks for " + bytes + " bytes of workspace, more than the "
                        + (b == null ? 0 : b.bytes()) + " that the run before took");
            }
            DeviceBuffer larger = memory.allocate(Math.max(LEAST, Long.highestOneBit(bytes - 1) << 1), 64);
            if (b != null) {
                retired.add(b);
            }
            block = larger;
            b = larger;
        }
        return b.address();
    }

    /** Whether the block must stay as it is: a graph that is being captured keeps its address. */
    void freeze(boolean frozen) {
        this.frozen = frozen;
    }

    boolean isFrozen() {
        return frozen;
    }

    /** Frees blocks that were outgrown; when the stream is idle. */
    void trim() {
        if (!retired.isEmpty()) {
            retired.forEach(DeviceBuffer::close);
            retired.clear();
        }
    }

    void close() {
        trim();
        if (block != null) {
            block.close();
            block = null;
        }
    }
}
