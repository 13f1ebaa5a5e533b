package dev.weft.cli;

import dev.weft.ranks.Ranks;

/** Exit codes of every command. */
final class ExitCode {
    /** Done, and every check passed. */
    static final int OK = 0;

    /** A check failed, or something went wrong while running. */
    static final int FAILED = 1;

    /** The command line is wrong. */
    static final int USAGE = 2;

    /** Ranks could not work together: one did not answer, was started differently, or has no transport. */
    static final int RANKS = Ranks.FAILED;

    private ExitCode() {}
}
