package dev.weft.ranks;

import dev.weft.WeftException;

/**
 * A process cannot become a rank: the launcher's variables are incomplete, not numbers, or contradict each other, or there is
 * no transport, or its library does not belong to the launcher. The message names what was found and the remedy.
 */
public final class LaunchException extends WeftException {
    private static final long serialVersionUID = 1L;

    /** @param message subject, found, expected, remedy */
    public LaunchException(String message) {
        super(message);
    }
}
