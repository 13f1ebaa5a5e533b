package dev.weft.backend.cuda;

import dev.weft.spi.DeviceBuffer;
import dev.weft.spi.support.DeviceMemory;
import java.util.ArrayDeque;
import java.util.Deque;

/**
 * Counters of streams ({@link Emission.Sink#counters}), which are used again: to free memory all streams of the device would have to be
 * idle. Used on the device's thread.
 */
final class CounterPool {
    private final DeviceMemory memory;
    private final Deque<DeviceBuffer> free = new ArrayDeque<>();

    CounterPool(DeviceMemory memory) {
        this.memory = memory;
    }

    /** Counters of any content. */
    DeviceBuffer take() {
        DeviceBuffer counters = free.pollFirst();
        return counters == null ? memory.allocate(Emission.Sink.COUNTER_BYTES, Emission.Sink.COUNTER_BYTES) : counters;
    }

    /** Takes back those of a stream that is done. */
    void give(DeviceBuffer counters) {
        free.addFirst(counters);
    }

    void close() {
        free.forEach(DeviceBuffer::close);
        free.clear();
    }
}
