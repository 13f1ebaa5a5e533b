package dev.weft.spi;

/**
 * Bytes on a device. The address is meaningful on that device only; host code never dereferences it unless the device is
 * the host. Close is idempotent.
 */
public interface DeviceBuffer extends AutoCloseable {
    /** First byte's address on the device. */
    long address();

    /** Size in bytes. */
    long bytes();

    @Override
    void close();

    /**
     * In place of {@link #close} where something outside the device may still write to the memory: it stays until the process
     * ends. A device whose memory nothing outside reaches closes it.
     */
    default void abandon() {
        close();
    }
}
