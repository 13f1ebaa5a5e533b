package dev.weft.ranks.mpi;

import dev.weft.ranks.LaunchException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;

/**
 * How a library of MPI represents its handles, which the standard leaves open before version 5.
 *
 * @param title name of the convention, for messages
 * @param pointers whether handles are pointers, else 32-bit integers
 * @param world {@code MPI_COMM_WORLD}
 * @param bytes {@code MPI_BYTE}
 * @param errorsReturn {@code MPI_ERRORS_RETURN}
 * @param processFailed error class {@code MPIX_ERR_PROC_FAILED} of libraries that have it
 */
record MpiAbi(String title, boolean pointers, long world, long bytes, long errorsReturn, int processFailed) {
    /** Open MPI 5 ({@code mpi.h}). */
    private static final int OPEN_MPI_PROCESS_FAILED = 75;

    /** The second of {@code mpi.h}'s classes that are extensions. */
    private static final int MPICH_PROCESS_FAILED = 101;

    /** {@code mpi.h} of MPICH; Intel MPI and Cray MPICH keep the same numbers by the MPICH ABI initiative. */
    private static final MpiAbi MPICH =
            new MpiAbi("MPICH", false, 0x44000000L, 0x4c00010dL, 0x54000001L, MPICH_PROCESS_FAILED);

    /** Every convention that is known; the answer is chosen by what the library exports. */
    static MpiAbi of(SymbolLookup symbols, Mpi mpi, String library) {
        if (symbols.find("ompi_mpi_comm_world").isPresent()) {
            return new MpiAbi(
                    "Open MPI",
                    true,
                    address(symbols, "ompi_mpi_comm_world"),
                    address(symbols, "ompi_mpi_byte"),
                    address(symbols, "ompi_mpi_errors_return"),
                    OPEN_MPI_PROCESS_FAILED);
        }
        if (symbols.find("MPI_Abi_get_version").isPresent()) {
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment major = arena.allocate(ValueLayout.JAVA_INT);
                MemorySegment minor = arena.allocate(ValueLayout.JAVA_INT);
                mpi.MPI_Abi_get_version(major, minor);
                if (major.get(ValueLayout.JAVA_INT, 0) >= 1) {
                    throw new LaunchException(library + ": found the standard ABI of MPI-5, version "
                            + major.get(ValueLayout.JAVA_INT, 0) + "." + minor.get(ValueLayout.JAVA_INT, 0)
                            + ", which has not been tried with Weft; give Open MPI's or MPICH's own library with"
                            + " -Dweft.mpi.path=FILE");
                }
            }
        }
        return MPICH;
    }

    private static long address(SymbolLookup symbols, String name) {
        return symbols.find(name)
                .orElseThrow(
                        () -> new LaunchException("the MPI library has no symbol '" + name + "' that Open MPI has"))
                .address();
    }

    /** The handle that a function wrote to eight zeroed bytes. */
    long handle(MemorySegment out) {
        return pointers ? out.get(ValueLayout.JAVA_LONG, 0) : out.get(ValueLayout.JAVA_INT, 0);
    }
}
