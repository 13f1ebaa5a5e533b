package dev.weft;

/** A device was asked for whose backend is absent or did not load; the message carries what was searched and found. */
public class BackendUnavailableException extends WeftException {
    private static final long serialVersionUID = 1L;

    public BackendUnavailableException(String message) {
        super(message);
    }

    public BackendUnavailableException(String message, Throwable cause) {
        super(message, cause);
    }
}
