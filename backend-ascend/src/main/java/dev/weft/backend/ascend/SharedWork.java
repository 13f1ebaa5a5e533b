package dev.weft.backend.ascend;

import dev.weft.WeftException;

/** Work of a stream that cannot end without other devices. All methods are called on the device's thread. */
interface SharedWork {
    /**
     * Called now and then while somebody waits for the stream.
     *
     * @param waitedNanos since the wait began
     * @throws dev.weft.CommunicatorException if the work has failed, or will not be waited for any longer
     */
    void check(long waitedNanos);

    /** What to throw when the stream failed with it. */
    WeftException failedWith(WeftException cause);

    /** How long whoever closes the stream may wait for it. */
    long patienceMillis();
}
