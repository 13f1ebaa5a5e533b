package dev.weft;

/** The device is no longer usable; the message carries the first failing operator and cause. Every later call fails the same way, close still works. */
public class DeviceLostException extends WeftException {
    private static final long serialVersionUID = 1L;

    public DeviceLostException(String message) {
        super(message);
    }

    public DeviceLostException(String message, Throwable cause) {
        super(message, cause);
    }
}
