package dev.weft.backend.ascend;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayDeque;
import java.util.Deque;

/** CANN events of a device that can be recorded again. Used on the device's thread. */
final class EventPool {
    /** {@code ACL_EVENT_SYNC}: other streams may wait for it. */
    private static final int SYNC = 1;

    private final Acl acl;
    private final Health health;
    private final Deque<MemorySegment> free = new ArrayDeque<>();

    EventPool(Acl acl, Health health) {
        this.acl = acl;
        this.health = health;
    }

    MemorySegment take() {
        MemorySegment event = free.pollFirst();
        if (event != null) {
            return event;
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(ValueLayout.ADDRESS);
            health.require(acl.aclrtCreateEventExWithFlag(out, SYNC), "aclrtCreateEventExWithFlag");
            return out.get(ValueLayout.ADDRESS, 0);
        }
    }

    /** Takes back an event that every stream has passed. */
    void give(MemorySegment event) {
        free.addFirst(event);
    }

    void close() {
        free.forEach(e -> health.note(acl.aclrtDestroyEvent(e), "aclrtDestroyEvent"));
        free.clear();
    }
}
