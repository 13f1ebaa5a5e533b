package dev.weft.spi;

/**
 * Optional ability of a {@link BackendDevice}: a clock of its own says how long it works, without the time that passes until
 * work handed over has begun and until the host hears of its end.
 */
public interface DeviceClock {
    /**
     * Lets {@code work} enqueue on a stream and waits until all of that is done.
     *
     * @param stream one of this device
     * @return nanoseconds from the beginning of the work to its end, 1 or more
     */
    long time(DeviceStream stream, Runnable work);
}
