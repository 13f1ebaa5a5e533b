package dev.weft;

/** A device allocation failed; the message carries the bytes asked for and the limit. */
public class DeviceMemoryException extends WeftException {
    private static final long serialVersionUID = 1L;

    public DeviceMemoryException(String message) {
        super(message);
    }

    public DeviceMemoryException(String message, Throwable cause) {
        super(message, cause);
    }
}
