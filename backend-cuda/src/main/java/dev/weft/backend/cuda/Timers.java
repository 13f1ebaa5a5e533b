package dev.weft.backend.cuda;

/**
 * Two events around work of a stream.
 *
 * @param start recorded before it
 * @param end recorded behind it
 */
record Timers(long start, long end) {
    /** The device rests so long before timed work, so that it need not wait for launches while its clock runs. */
    private static final long HEAD_START_NANOS = 100_000;

    /** Nanoseconds that the device works on what {@code work} appends to the stream; waits until it has. */
    static long time(CudaDevice device, CudaStream stream, Runnable work) {
        Timers timers = device.call(() -> create(device.context()));
        try {
            device.measuring().pause(stream, HEAD_START_NANOS);
            stream.record(timers.start());
            work.run();
            stream.record(timers.end());
            stream.synchronize();
            return Math.max(1, device.call(() -> device.context().elapsed(timers.start(), timers.end())));
        } finally {
            device.whileAlive(() -> {
                device.context().destroyEvent(timers.start());
                device.context().destroyEvent(timers.end());
            });
        }
    }

    private static Timers create(CudaContext context) {
        long start = context.createTimer();
        try {
            return new Timers(start, context.createTimer());
        } catch (RuntimeException | Error e) {
            context.destroyEvent(start);
            throw e;
        }
    }
}
