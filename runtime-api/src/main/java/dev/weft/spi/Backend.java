package dev.weft.spi;

import dev.weft.DeviceId;
import java.util.List;

/** An opened backend: its devices and how to open one. Thread-safe. */
public interface Backend extends AutoCloseable {
    /** The devices, without their variants. */
    List<DeviceInfo> devices();

    /**
     * Opens a device.
     *
     * @throws dev.weft.BackendUnavailableException if there is no such device or variant; the message lists those there are
     */
    BackendDevice open(DeviceId id);

    /** What people who look for a fault need to know: libraries, versions, what is missing; one thing a line. */
    default List<String> details() {
        return List.of();
    }

    /** Closes the devices that are still open. Closing again does nothing; {@link #open} then throws {@link dev.weft.ClosedException}. */
    @Override
    void close();
}
