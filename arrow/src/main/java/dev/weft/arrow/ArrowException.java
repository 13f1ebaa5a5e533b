package dev.weft.arrow;

import dev.weft.WeftException;

/** Data cannot cross the border to Arrow or DLPack; the message carries what was found, what was expected and the remedy. */
public class ArrowException extends WeftException {
    private static final long serialVersionUID = 1L;

    public ArrowException(String message) {
        super(message);
    }

    public ArrowException(String message, Throwable cause) {
        super(message, cause);
    }
}
