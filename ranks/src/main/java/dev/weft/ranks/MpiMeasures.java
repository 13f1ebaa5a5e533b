package dev.weft.ranks;

/** What a group that talks through MPI has for measurements only. All ranks call the same. */
public interface MpiMeasures {
    /**
     * MPI's own blocking {@code MPI_Alltoallv} of these bytes from and to every rank, to measure against. Every rank runs it as
     * often as the others.
     */
    Runnable bareAllToAllV(long[] sendBytes, long[] receiveBytes);

    /** Whether {@link #libraryNanos} counts from now on. It does not at first: reading the clock costs as much as what it times. */
    void countLibrary(boolean on);

    /** Nanoseconds that calls of the group have spent in functions of MPI and in pauses between two polls. */
    long libraryNanos();
}
