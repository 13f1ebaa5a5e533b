package dev.weft.backend.ascend;

import dev.weft.WeftException;
import dev.weft.backend.ascend.abi.HcclResult;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;

/**
 * A collective on its way.
 *
 * @param kept memory that HCCL reads while it runs
 */
record HcclPending(HcclWorld world, MemorySegment comm, HcclCall call, List<MemorySegment> kept)
        implements SharedWork {
    @Override
    public void check(long waitedNanos) {
        world.requireWhole();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(ValueLayout.JAVA_INT);
            world.require(world.device().hccl().HcclGetCommAsyncError(comm, out), call);
            int code = out.get(ValueLayout.JAVA_INT, 0);
            if (code != HcclResult.SUCCESS) {
                throw world.broken(call, code);
            }
        }
        world.requireTime(call, waitedNanos);
    }

    @Override
    public WeftException failedWith(WeftException cause) {
        return world.failedWith(call, cause);
    }

    @Override
    public long patienceMillis() {
        return world.patienceMillis();
    }
}
