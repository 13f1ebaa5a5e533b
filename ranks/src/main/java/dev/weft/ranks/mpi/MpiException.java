package dev.weft.ranks.mpi;

import dev.weft.WeftException;

/** The MPI library is not there, not usable, or does not belong to the launcher that started this process. */
public final class MpiException extends WeftException {
    private static final long serialVersionUID = 1L;

    /** @param message subject, found, expected, remedy */
    public MpiException(String message) {
        super(message);
    }
}
