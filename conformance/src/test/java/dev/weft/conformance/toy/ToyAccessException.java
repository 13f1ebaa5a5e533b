package dev.weft.conformance.toy;

import dev.weft.WeftException;

/** An address that the toy device does not have, or that is misaligned, freed, foreign or overrun. */
public final class ToyAccessException extends WeftException {
    private static final long serialVersionUID = 1L;

    public ToyAccessException(String message) {
        super(message);
    }
}
