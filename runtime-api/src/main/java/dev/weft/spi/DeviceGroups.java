package dev.weft.spi;

import java.time.Duration;
import java.util.function.UnaryOperator;

/** Optional ability of a {@link BackendDevice}: its vendor's library joins devices of several ranks into a group. */
public interface DeviceGroups {
    /**
     * Joins the ranks. Called by all of them, each with a device of its own. The group ends with the device at the latest:
     * closing it afterwards does nothing.
     *
     * @param name of the group, for messages
     * @param fromRankZero exchanges bytes before the group exists: every rank calls it, equally often; the bytes that rank 0
     *     gives are returned to all
     * @param deadline of every later call, and of this one
     * @throws dev.weft.CommunicatorException if the library is absent, refuses, or a rank does not come in time
     */
    DeviceCommunicator join(String name, int rank, int size, UnaryOperator<byte[]> fromRankZero, Duration deadline);
}
