package dev.weft;

/**
 * Ranks could not work together: a rank did not answer in time, ended, or was started with another configuration. The
 * message names the group, this rank, what was being done, who did not answer, and the remedy. The communicator is not
 * usable afterwards; memory that a collective was given may still be written to until the process ends.
 */
public final class CommunicatorException extends WeftException {
    private static final long serialVersionUID = 1L;

    /** @param message subject, found, expected, remedy */
    public CommunicatorException(String message) {
        super(message);
    }

    /** @param message subject, found, expected, remedy */
    public CommunicatorException(String message, Throwable cause) {
        super(message, cause);
    }
}
