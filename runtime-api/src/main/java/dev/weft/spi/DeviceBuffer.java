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
}
