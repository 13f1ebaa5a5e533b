package dev.weft.backend.ascend.abi;

import java.lang.foreign.MemorySegment;

/** What became of one function of the table in one installation. */
public sealed interface Resolution {
    /**
     * The function can be called.
     *
     * @param function form that the library has
     * @param address entry point
     * @param library file that exports it
     * @param check what the signature was held against, for people
     */
    record Bound(AbiFunction function, MemorySegment address, String library, String check) implements Resolution {}

    /** No library exports it; {@code reason} names those that were asked. */
    record Missing(String reason) implements Resolution {}

    /**
     * The library expects other arguments, so that a call would corrupt memory.
     *
     * @param tableSignature what Weft would call
     * @param headerSignature what the installed header declares
     * @param difference the first difference in words, with the header's file
     */
    record Mismatch(String tableSignature, String headerSignature, String difference) implements Resolution {}

    /** The library exports it and no header tells with which arguments; {@code reason} says how to allow it. */
    record Unverified(String reason) implements Resolution {}

    /** Whether the function can be called. */
    default boolean bound() {
        return this instanceof Bound;
    }

    /** One sentence for messages about the function. */
    default String describe() {
        return switch (this) {
            case Bound b -> "bound in " + b.library() + ", " + b.check();
            case Missing m -> "missing: " + m.reason();
            case Mismatch m ->
                "mismatch: " + m.difference() + "; the table has '" + m.tableSignature() + "', the header '"
                        + m.headerSignature() + "'";
            case Unverified u -> "unverified: " + u.reason();
        };
    }
}
