package dev.weft.backend.cuda;

import dev.weft.backend.cuda.kernel.Grid;
import java.lang.foreign.MemorySegment;

/**
 * A launch of a kernel.
 *
 * @param function the kernel
 * @param grid blocks, at least one
 * @param threads of a block
 * @param sharedBytes dynamic shared memory of a block
 * @param call its parameter, a {@link CallLayout}; the driver copies it at the launch
 */
record Launch(Function function, Grid grid, int threads, int sharedBytes, MemorySegment call) {
    @Override
    public String toString() {
        return function + ", grid " + grid.x() + " x " + grid.y() + " x " + grid.z() + ", " + threads + " threads, "
                + sharedBytes + " bytes of shared memory";
    }
}
