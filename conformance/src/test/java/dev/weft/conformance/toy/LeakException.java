package dev.weft.conformance.toy;

import dev.weft.WeftException;

/** A toy device was closed while buffers or streams were still open; the message lists them. */
public final class LeakException extends WeftException {
    private static final long serialVersionUID = 1L;

    public LeakException(String message) {
        super(message);
    }
}
