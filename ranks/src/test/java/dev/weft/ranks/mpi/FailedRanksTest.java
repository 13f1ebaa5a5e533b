package dev.weft.ranks.mpi;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The conversation with a library that knows which ranks have failed, played by a library that is not one. */
class FailedRanksTest {
    private static final long COMM = 7;
    private static final long FAILED_GROUP = 0x7fff_1234_5678L;
    private static final long GROUP = 0x7fff_8765_4321L;
    private static final int CODE = 54;
    private static final int PROCESS_FAILED = 75;

    private final List<String> called = new ArrayList<>();

    @Test
    void failedRanksAreNamedInTheCommunicator() {
        assertThat(FailedRanks.of(library(true, PROCESS_FAILED, 0), COMM, CODE)).containsExactly(2, 5);
        assertThat(called)
                .containsExactly(
                        "MPI_Error_class",
                        "MPIX_Comm_failure_ack",
                        "MPIX_Comm_failure_get_acked",
                        "MPI_Comm_group",
                        "MPI_Group_size",
                        "MPI_Group_translate_ranks");
    }

    @Test
    void anotherErrorAcknowledgesNothing() {
        assertThat(FailedRanks.of(library(true, 15, 0), COMM, CODE)).isEmpty();
        assertThat(called).containsExactly("MPI_Error_class");
    }

    @Test
    void aLibraryWithoutTheExtensionIsNotAsked() {
        assertThat(FailedRanks.of(library(false, PROCESS_FAILED, 0), COMM, CODE))
                .isEmpty();
        assertThat(called).isEmpty();
    }

    /** MPICH has the functions, and they may answer that they are not supported. */
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4, 5})
    void aLibraryThatFailsToAnswerNamesNobody(int failing) {
        assertThat(FailedRanks.of(library(true, PROCESS_FAILED, failing + 1), COMM, CODE))
                .isEmpty();
        assertThat(called).hasSize(failing + 1);
    }

    /** @param failing number of the call that returns an error, from 1, or 0 */
    private MpiLibrary library(boolean extension, int errorClass, int failing) {
        Mpi calls = (Mpi) Proxy.newProxyInstance(
                Mpi.class.getClassLoader(), new Class<?>[] {Mpi.class}, (proxy, method, arguments) -> {
                    called.add(method.getName());
                    if (called.size() == failing) {
                        return 16;
                    }
                    answer(method.getName(), arguments, errorClass);
                    return 0;
                });
        MpiAbi abi = new MpiAbi("Open MPI", true, COMM, 0, 0, PROCESS_FAILED);
        return new MpiLibrary(calls, abi, "libmpi.so.40", "Open MPI 5.0.7", extension);
    }

    private static void answer(String function, Object[] arguments, int errorClass) {
        switch (function) {
            case "MPI_Error_class" -> {
                assertThat(arguments[0]).isEqualTo(CODE);
                ((MemorySegment) arguments[1]).set(ValueLayout.JAVA_INT, 0, errorClass);
            }
            case "MPIX_Comm_failure_ack" -> assertThat(arguments[0]).isEqualTo(COMM);
            case "MPIX_Comm_failure_get_acked" ->
                ((MemorySegment) arguments[1]).set(ValueLayout.JAVA_LONG, 0, FAILED_GROUP);
            case "MPI_Comm_group" -> ((MemorySegment) arguments[1]).set(ValueLayout.JAVA_LONG, 0, GROUP);
            case "MPI_Group_size" -> {
                assertThat(arguments[0]).isEqualTo(FAILED_GROUP);
                ((MemorySegment) arguments[1]).set(ValueLayout.JAVA_INT, 0, 2);
            }
            case "MPI_Group_translate_ranks" -> {
                assertThat(arguments[0]).isEqualTo(FAILED_GROUP);
                assertThat(arguments[3]).isEqualTo(GROUP);
                assertThat(((MemorySegment) arguments[2]).toArray(ValueLayout.JAVA_INT))
                        .containsExactly(0, 1);
                MemorySegment.copy(MemorySegment.ofArray(new int[] {2, 5}), 0, (MemorySegment) arguments[4], 0, 8);
            }
            default -> throw new AssertionError(function);
        }
    }
}
