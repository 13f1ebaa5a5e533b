package dev.weft;

/** Compilation found nodes that the device has no kernel for; the message lists every one of them with the reason. */
public class UnsupportedOpException extends WeftException {
    private static final long serialVersionUID = 1L;

    public UnsupportedOpException(String message) {
        super(message);
    }

    public UnsupportedOpException(String message, Throwable cause) {
        super(message, cause);
    }
}
