package dev.weft.backend.ascend;

import dev.weft.spi.DeviceBuffer;
import dev.weft.spi.support.DeviceMemory;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Device memory that calls of a stream share, one after another: what aclnn operators ask for in their first phase, and
 * scratch of kernels beyond the planned one. It grows by a new block; the old one may still be in use and is freed when the
 * stream is idle. Used on the device's thread.
 */
final class Workspace {
    /** Smallest block; operators that need more ask for much more, and streams that need none of it should cost little. */
    private static final long LEAST = 64L << 10;

    private final DeviceMemory memory;
    private final Block operators = new Block("an operator");
    private final Block spill = new Block("a kernel with strided operands");
    private final List<DeviceBuffer> retired = new ArrayList<>();
    private boolean frozen;

    Workspace(DeviceMemory memory) {
        this.memory = memory;
    }

    private final class Block {
        private final String user;
        private @Nullable DeviceBuffer buffer;

        Block(String user) {
            this.user = user;
        }

        long of(long bytes) {
            if (bytes == 0) {
                return 0;
            }
            DeviceBuffer b = buffer;
            if (b == null || b.bytes() < bytes) {
                if (frozen) {
                    throw new CaptureException(user + " asks for " + bytes + " bytes of workspace, more than the "
                            + (b == null ? 0 : b.bytes()) + " that the run before took");
                }
                DeviceBuffer larger = memory.allocate(Math.max(LEAST, Long.highestOneBit(bytes - 1) << 1), 64);
                if (b != null) {
                    retired.add(b);
                }
                buffer = larger;
                b = larger;
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

    /** Address of at least {@code bytes} bytes for an operator, 0 for none. */
    long of(long bytes) {
        return operators.of(bytes);
    }

    /** Address of at least {@code bytes} bytes for a kernel whose planned scratch does not suffice. */
    long spill(long bytes) {
        return spill.of(bytes);
    }

    /** Whether the blocks must stay as they are: a graph that is being captured keeps their addresses. */
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
        operators.close();
        spill.close();
    }
}
