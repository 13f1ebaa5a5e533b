package dev.weft;

/** Something was used after it was closed. */
public class ClosedException extends WeftException {
    private static final long serialVersionUID = 1L;

    public ClosedException(String message) {
        super(message);
    }

    public ClosedException(String message, Throwable cause) {
        super(message, cause);
    }
}
