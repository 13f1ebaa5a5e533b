package dev.weft.cli;

import dev.weft.WeftException;

/** What was typed, or a file named on the command line, does not say what to do; ends with exit code 2. */
final class UsageException extends WeftException {
    private static final long serialVersionUID = 1L;

    UsageException(String message) {
        super(message);
    }

    UsageException(String message, Throwable cause) {
        super(message, cause);
    }
}
