package dev.weft;

/**
 * Root of everything Weft throws on purpose. Messages name the subject, what was found, what was expected and, where
 * there is one, the remedy.
 */
public class WeftException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public WeftException(String message) {
        super(message);
    }

    public WeftException(String message, Throwable cause) {
        super(message, cause);
    }
}
