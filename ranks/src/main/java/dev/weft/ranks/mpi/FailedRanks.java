package dev.weft.ranks.mpi;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.stream.IntStream;

/**
 * Which ranks a library knows to have failed. Libraries with the fault-tolerance extension (ULFM) say so after a call has
 * returned the error of that class: Open MPI 5 started by {@code mpirun --with-ft ulfm}. Used for a better message only.
 */
final class FailedRanks {
    private FailedRanks() {}

    /**
     * Ranks of {@code comm} that have failed.
     *
     * @param code what a call on it has returned
     * @return none if the code says something else, or if the library does not know which
     */
    static int[] of(MpiLibrary library, long comm, int code) {
        if (!library.namesFailedRanks()) {
            return new int[0];
        }
        Mpi mpi = library.calls();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(ValueLayout.JAVA_LONG);
            boolean known = mpi.MPI_Error_class(code, out) == 0
                    && out.get(ValueLayout.JAVA_INT, 0) == library.abi().processFailed()
                    && mpi.MPIX_Comm_failure_ack(comm) == 0;
            return known ? acknowledged(library, comm, arena) : new int[0];
        }
    }

    private static int[] acknowledged(MpiLibrary library, long comm, Arena arena) {
        Mpi mpi = library.calls();
        MemorySegment failed = arena.allocate(ValueLayout.JAVA_LONG);
        MemorySegment all = arena.allocate(ValueLayout.JAVA_LONG);
        MemorySegment size = arena.allocate(ValueLayout.JAVA_INT);
        if (mpi.MPIX_Comm_failure_get_acked(comm, failed) != 0
                || mpi.MPI_Comm_group(comm, all) != 0
                || mpi.MPI_Group_size(library.abi().handle(failed), size) != 0) {
            return new int[0];
        }
        int count = size.get(ValueLayout.JAVA_INT, 0);
        MemorySegment from = arena.allocateFrom(
                ValueLayout.JAVA_INT, IntStream.range(0, count).toArray());
        MemorySegment to = arena.allocate(ValueLayout.JAVA_INT, count);
        int code = mpi.MPI_Group_translate_ranks(
                library.abi().handle(failed), count, from, library.abi().handle(all), to);
        return code == 0 ? to.toArray(ValueLayout.JAVA_INT) : new int[0];
    }
}
