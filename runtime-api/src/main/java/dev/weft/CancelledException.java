package dev.weft;

/** The caller cancelled the work; the message says how far it got. */
public class CancelledException extends WeftException {
    private static final long serialVersionUID = 1L;

    public CancelledException(String message) {
        super(message);
    }

    public CancelledException(String message, Throwable cause) {
        super(message, cause);
    }
}
