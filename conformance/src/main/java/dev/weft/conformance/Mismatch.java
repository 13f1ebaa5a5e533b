package dev.weft.conformance;

/** A broken rule, found while running or comparing a case; becomes {@link Outcome.Failed}. */
final class Mismatch extends RuntimeException {
    private static final long serialVersionUID = 1L;

    Mismatch(String message) {
        super(message);
    }
}
