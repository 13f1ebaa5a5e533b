package dev.weft;

/** A request cannot be served: empty, longer than the context, a token id outside the vocabulary, a bad sampling value. */
public class RequestException extends WeftException {
    private static final long serialVersionUID = 1L;

    public RequestException(String message) {
        super(message);
    }

    public RequestException(String message, Throwable cause) {
        super(message, cause);
    }
}
