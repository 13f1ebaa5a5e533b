package dev.weft.grammar;

import dev.weft.RequestException;

/** A grammar cannot be made: broken JSON, a keyword that is not supported, a value that no text can have, too many states. */
public class SchemaException extends RequestException {
    private static final long serialVersionUID = 1L;

    public SchemaException(String message) {
        super(message);
    }

    public SchemaException(String message, Throwable cause) {
        super(message, cause);
    }
}
