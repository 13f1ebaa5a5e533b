package dev.weft.spi;

import java.lang.foreign.MemorySegment;

/**
 * A copy from the host to a device, one of several that are handed over together.
 *
 * @param source bytes on the host
 * @param target address that they get on the device
 */
public record HostCopy(MemorySegment source, long target) {}
