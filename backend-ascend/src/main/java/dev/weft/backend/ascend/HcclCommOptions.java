package dev.weft.backend.ascend;

import dev.weft.backend.ascend.abi.HcclCommConfig;

/**
 * How communicators are made: as rank 0 wants it, since buffers of different sizes make collectives fail or wait for ever.
 *
 * @param name of the world's communicator, unique in all its processes
 * @param bufferMegabytes size of the exchange buffer
 * @param deterministic 1, 0, or {@link HcclCommConfig#UNSET}
 */
record HcclCommOptions(String name, int bufferMegabytes, int deterministic) {
    /** HCCL wants names that no other communicator has; it takes 127 bytes. */
    private static final int MOST_NAME = 120;

    /** @param part empty for the world, else what distinguishes a communicator split from it */
    HcclCommConfig config(String part) {
        String full = name + part;
        return new HcclCommConfig(
                bufferMegabytes, deterministic, full.substring(0, Math.min(MOST_NAME, full.length())), 0);
    }
}
