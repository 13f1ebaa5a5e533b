package dev.weft.conformance;

/** What came of one case on one device. */
public sealed interface Outcome {
    /** The device's result is within the contract. */
    record Passed() implements Outcome {}

    /** It is not. @param message case, operand, first bad coordinate, found, expected, limit */
    record Failed(String message) implements Outcome {}

    /** The device declined the case. @param reason its answer */
    record Unsupported(String reason) implements Outcome {}
}
