package dev.weft.backend.ascend;

import dev.weft.spi.support.DeviceMemory;
import dev.weft.spi.support.PinnedPool;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.OptionalLong;

/** CANN's calls for memory of a device and for pinned memory of the host; on the device's thread. */
final class AscendMemory implements DeviceMemory.Source, PinnedPool.Source {
    /** Start of every allocation, as documented for {@code aclrtMalloc}. */
    private static final long START_ALIGNMENT = 64;

    /** Huge pages where they fit, normal ones elsewhere: {@code ACL_MEM_MALLOC_HUGE_FIRST}. */
    private static final int HUGE_FIRST = 0;

    /** {@code ACL_HBM_MEM}. */
    private static final int HBM = 1;

    private final Acl acl;
    private final Health health;
    private final SizeRule rule;
    private final Runnable awaitStreams;

    /** @param awaitStreams waits until all streams have passed their work */
    AscendMemory(Acl acl, Health health, SizeRule rule, Runnable awaitStreams) {
        this.acl = acl;
        this.health = health;
        this.rule = rule;
        this.awaitStreams = awaitStreams;
    }

    @Override
    public long startAlignment() {
        return START_ALIGNMENT;
    }

    @Override
    public long sizeOf(long bytes) {
        return rule.sizeOf(bytes);
    }

    @Override
    public long allocate(long bytes) {
        health.check();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(ValueLayout.ADDRESS);
            health.require(acl.aclrtMalloc(out, bytes, HUGE_FIRST), "aclrtMalloc(" + bytes + ")");
            return out.get(ValueLayout.ADDRESS, 0).address();
        }
    }

    @Override
    public void free(long address) {
        health.note(acl.aclrtFree(MemorySegment.ofAddress(address)), "aclrtFree");
    }

    @Override
    public OptionalLong freeBytes() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(ValueLayout.JAVA_LONG, 2);
            int code = acl.aclrtGetMemInfo(HBM, out, out.asSlice(8));
            health.note(code, "aclrtGetMemInfo");
            return code == AclErrors.OK
                    ? OptionalLong.of(out.getAtIndex(ValueLayout.JAVA_LONG, 0))
                    : OptionalLong.empty();
        }
    }

    @Override
    public void awaitStreams() {
        awaitStreams.run();
    }

    @Override
    public MemorySegment allocatePinned(long bytes) {
        health.check();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(ValueLayout.ADDRESS);
            health.require(acl.aclrtMallocHost(out, bytes), "aclrtMallocHost(" + bytes + ")");
            return out.get(ValueLayout.ADDRESS, 0).reinterpret(bytes);
        }
    }

    @Override
    public void freePinned(MemorySegment memory) {
        health.note(acl.aclrtFreeHost(memory), "aclrtFreeHost");
    }
}
