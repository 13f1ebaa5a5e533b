package dev.weft;

/** A native call returned an error; the message carries function, code, symbolic name and device. */
public class NativeCallException extends WeftException {
    private static final long serialVersionUID = 1L;

    public NativeCallException(String message) {
        super(message);
    }

    public NativeCallException(String message, Throwable cause) {
        super(message, cause);
    }
}
