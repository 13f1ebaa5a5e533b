package dev.weft.spi;

/** A device's answer to whether it can run an operator instance, given before any weight is loaded. */
public sealed interface Support {
    /** It can, in the formats of the instance. @param kernel name for the placement table */
    record Native(String kernel) implements Support {}

    /** It can, by another format or a detour. @param kernel name for the placement table @param note what differs */
    record Emulated(String kernel, String note) implements Support {}

    /** It cannot. @param reason why, with the limit that is broken */
    record Unsupported(String reason) implements Support {}

    /** Whether there is a kernel. */
    default boolean isSupported() {
        return !(this instanceof Unsupported);
    }
}
