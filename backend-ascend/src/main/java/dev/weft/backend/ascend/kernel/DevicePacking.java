package dev.weft.backend.ascend.kernel;

/** A weight layout that is made on the host and that an operator of CANN makes too: the same bytes either way. */
public interface DevicePacking {
    /** Receives the operator's call. */
    interface Caller {
        void call(String function, Object... arguments);
    }

    /**
     * Makes the layout on the device.
     *
     * @param codes address of the elements in checkpoint order
     * @param scales address of their scales in checkpoint order
     * @param target address of the layout
     * @param caller makes the call
     */
    void pack(long codes, long scales, long target, Caller caller);
}
