package dev.weft.backend.cuda.kernel;

/**
 * A way to run several nodes together: leaves the bits that their own ways leave.
 *
 * @param name for placement tables
 * @param body writes the launches
 */
public record GroupWay(String name, Body body) {
    /** Writes the launches of one call. */
    public interface Body {
        void emit(GroupEmit e);
    }
}
