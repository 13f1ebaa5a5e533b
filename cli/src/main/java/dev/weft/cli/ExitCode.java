package dev.weft.cli;

/** Exit codes of every command. */
final class ExitCode {
    /** Done, and every check passed. */
    static final int OK = 0;

    /** A check failed, or something went wrong while running. */
    static final int FAILED = 1;

    /** The command line is wrong. */
    static final int USAGE = 2;

    private ExitCode() {}
}
