package dev.weft.ranks.mpi;

import java.lang.foreign.MemorySegment;

/**
 * The functions of MPI that the transport calls. Handles are {@code long}: Open MPI's are pointers, MPICH's are 32-bit
 * integers, and both calling conventions of Linux take the low half of a register or stack slot as such an integer.
 * Buffers are addresses of native memory; {@code out} parameters are addresses of our own memory, eight bytes for a
 * handle. All answer with an error code. Source: MPI: A Message-Passing Interface Standard, version 3.1.
 */
interface Mpi {
    int MPI_Init_thread(MemorySegment argc, MemorySegment argv, int required, MemorySegment outProvided);

    int MPI_Initialized(MemorySegment outFlag);

    int MPI_Finalize();

    int MPI_Abort(long comm, int status);

    int MPI_Get_library_version(MemorySegment outText, MemorySegment outLength);

    /** Of MPI-5; before it only libraries of the standard ABI have it. */
    int MPI_Abi_get_version(MemorySegment outMajor, MemorySegment outMinor);

    int MPI_Error_string(int code, MemorySegment outText, MemorySegment outLength);

    int MPI_Comm_rank(long comm, MemorySegment outRank);

    int MPI_Comm_size(long comm, MemorySegment outSize);

    int MPI_Comm_dup(long comm, MemorySegment outComm);

    int MPI_Comm_split(long comm, int color, int key, MemorySegment outComm);

    int MPI_Comm_free(MemorySegment comm);

    int MPI_Comm_set_errhandler(long comm, long handler);

    /** Addresses as numbers, since a step calls it many times: of the data, and of the place for the request. */
    int MPI_Isend(long data, int count, long type, int to, int tag, long comm, long outRequest);

    /** As {@link #MPI_Isend}. */
    int MPI_Irecv(long data, int count, long type, int from, int tag, long comm, long outRequest);

    int MPI_Ibarrier(long comm, MemorySegment outRequest);

    int MPI_Ibcast(MemorySegment data, int count, long type, int root, long comm, MemorySegment outRequest);

    int MPI_Iallgather(
            MemorySegment send,
            int sendCount,
            long sendType,
            MemorySegment receive,
            int receiveCount,
            long receiveType,
            long comm,
            MemorySegment outRequest);

    /** Blocks. Counts and places are arrays of 32-bit integers. */
    int MPI_Alltoallv(
            MemorySegment send,
            MemorySegment sendCounts,
            MemorySegment sendPlaces,
            long sendType,
            MemorySegment receive,
            MemorySegment receiveCounts,
            MemorySegment receivePlaces,
            long receiveType,
            long comm);

    /** @param request address of its place */
    int MPI_Test(long request, MemorySegment outFlag, MemorySegment outStatus);

    int MPI_Get_count(MemorySegment status, long type, MemorySegment outCount);

    int MPI_Iprobe(int from, int tag, long comm, MemorySegment outFlag, MemorySegment outStatus);

    int MPI_Recv(MemorySegment data, int count, long type, int from, int tag, long comm, MemorySegment outStatus);

    int MPI_Error_class(int code, MemorySegment outClass);

    int MPI_Comm_group(long comm, MemorySegment outGroup);

    int MPI_Group_size(long group, MemorySegment outSize);

    int MPI_Group_translate_ranks(long group, int count, MemorySegment ranks, long toGroup, MemorySegment outRanks);

    /** Of the fault-tolerance extension (ULFM), as the next: the calling rank knows of all failures so far. */
    int MPIX_Comm_failure_ack(long comm);

    int MPIX_Comm_failure_get_acked(long comm, MemorySegment outGroup);
}
