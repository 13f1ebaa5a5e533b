package dev.weft.ranks;

import dev.weft.WeftException;

/**
 * A process cannot tell which rank it is: the launcher's variables are incomplete, not numbers, or contradict each other.
 * The message names the variables, their values, and the remedy.
 */
public final class LaunchException extends WeftException {
    private static final long serialVersionUID = 1L;

    /** @param message subject, found, expected, remedy */
    public LaunchException(String message) {
        super(message);
    }
}
