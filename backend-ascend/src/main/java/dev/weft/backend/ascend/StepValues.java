package dev.weft.backend.ascend;

import dev.weft.backend.ascend.kernel.Ten;
import dev.weft.spi.DeviceBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What the kernels of one sequence share during a run of it: the arithmetic on positions, slots and pages, which every
 * layer would otherwise repeat, and the division of attention among cores. Values live in blocks of device memory that
 * stay as long as the sequence, so that a recorded graph may keep their addresses. Used on the device's thread.
 */
final class StepValues {
    private static final long BLOCK = 1L << 20;

    private final Memory memory;
    private final SizeRule rule;
    private final Map<Object, Entry> entries = new HashMap<>();
    private final List<DeviceBuffer> blocks = new ArrayList<>();
    private int block;
    private long used;
    private boolean frozen;

    /** Gives blocks of memory. */
    interface Memory {
        DeviceBuffer allocate(long bytes, long alignment);
    }

    StepValues(Memory memory, SizeRule rule) {
        this.memory = memory;
        this.rule = rule;
    }

    /** A value and the operands it was computed from. */
    private record Entry(List<Ten> reads, Object value) {
        boolean reads(long from, long to) {
            return reads.stream().anyMatch(t -> t.address() < to && from < t.address() + t.storageBytes());
        }
    }

    /** Forgets the values of the run before; their memory is used again. */
    void begin() {
        entries.clear();
        block = 0;
        used = 0;
    }

    /** The value of that name, null if it has not been computed in this run. */
    @SuppressWarnings("unchecked") // put under the same key, which determines the type
    <T> @Nullable T find(Object key) {
        Entry entry = entries.get(key);
        return entry == null ? null : (T) entry.value();
    }

    void put(Object key, List<Ten> reads, Object value) {
        entries.put(key, new Entry(reads, value));
    }

    /** Forgets what was computed from bytes that have been overwritten. */
    void written(long address, long bytes) {
        entries.values().removeIf(entry -> entry.reads(address, address + bytes));
    }

    /** Address of memory for the rest of the run. */
    long allocate(long bytes) {
        long step = rule.strideOf(Math.max(1, bytes));
        while (block < blocks.size() && used + step > blocks.get(block).bytes()) {
            block++;
            used = 0;
        }
        if (block == blocks.size()) {
            if (frozen) {
                throw new CaptureException(
                        "values that kernels share ask for " + step + " bytes more than the run before took");
            }
            blocks.add(memory.allocate(Math.max(BLOCK, step), SizeRule.ALIGNMENT));
        }
        long address = blocks.get(block).address() + used;
        used += step;
        return address;
    }

    /** Whether no memory may be added: while a graph is recorded. */
    void freeze(boolean frozen) {
        this.frozen = frozen;
    }

    void close() {
        entries.clear();
        blocks.forEach(DeviceBuffer::close);
        blocks.clear();
    }
}
