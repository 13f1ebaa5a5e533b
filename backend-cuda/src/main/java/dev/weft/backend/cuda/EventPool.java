package dev.weft.backend.cuda;

import java.util.ArrayDeque;
import java.util.Deque;

/** Events of a device that can be recorded again. Used on the device's thread. */
final class EventPool {
    private final CudaContext context;
    private final Deque<Long> free = new ArrayDeque<>();

    EventPool(CudaContext context) {
        this.context = context;
    }

    long take() {
        Long event = free.pollFirst();
        return event == null ? context.createEvent() : event;
    }

    /** Takes back an event that every stream has passed. */
    void give(long event) {
        free.addFirst(event);
    }

    void close() {
        free.forEach(context::destroyEvent);
        free.clear();
    }
}
