package dev.weft.backend.cuda;

import dev.weft.spi.DeviceBuffer;
import java.lang.foreign.MemorySegment;
import java.nio.FloatBuffer;
import java.util.HashMap;
import java.util.Map;

/** Constant tables of kernels on the device; equal ones are kept once. Thread-safe. */
final class Tables {
    private static final long ALIGNMENT = 256;

    private final CudaDevice device;
    private final Map<FloatBuffer, DeviceBuffer> made = new HashMap<>();

    Tables(CudaDevice device) {
        this.device = device;
    }

    /** Address of a table with these values, made now if it is the first use. */
    synchronized long of(float[] values) {
        FloatBuffer key = FloatBuffer.wrap(values.clone());
        DeviceBuffer known = made.get(key);
        if (known == null) {
            known = device.memory().allocate(4L * values.length, ALIGNMENT);
            try {
                device.copyIn(MemorySegment.ofArray(values), known.address());
            } catch (RuntimeException | Error e) {
                known.close();
                throw e;
            }
            made.put(key, known);
        }
        return known.address();
    }

    synchronized void close() {
        made.values().forEach(DeviceBuffer::close);
        made.clear();
    }
}
