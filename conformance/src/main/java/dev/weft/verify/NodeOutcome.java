package dev.weft.verify;

import java.util.Optional;

/** What came of one node on one device. */
public sealed interface NodeOutcome {
    /**
     * It ran.
     *
     * @param kernel the kernel that ran
     * @param note what differs from a native kernel, or empty
     * @param difference of the result that uses up most of its tolerance
     * @param violation the first broken rule of the contract, with coordinate, found, expected and limit
     */
    record Compared(String kernel, String note, Difference difference, Optional<String> violation)
            implements NodeOutcome {}

    /** The device has no kernel for it. @param reason its answer */
    record Unsupported(String reason) implements NodeOutcome {}

    /** It threw, or touched memory that is not its own. */
    record Failed(String message) implements NodeOutcome {}

    /** Whether it ran and kept its contract. */
    default boolean isRight() {
        return this instanceof Compared c && c.violation().isEmpty();
    }

    /** Whether it ran or tried to, and broke its contract. */
    default boolean isWrong() {
        return !isRight() && !(this instanceof Unsupported);
    }
}
