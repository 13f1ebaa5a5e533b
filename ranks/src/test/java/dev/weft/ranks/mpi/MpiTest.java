package dev.weft.ranks.mpi;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.ranks.Launcher;
import dev.weft.ranks.Ranks;
import dev.weft.ranks.mpi.MpiRun.Library;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Processes under the launchers of Open MPI and MPICH: what they exchange, and how all of them end when one fails. */
@Tag("long")
class MpiTest {
    private static final String LATE = "allToAllV 'moeDispatch layers.3' of group world, call 5 in step 17";

    private static MpiRun run(Library library, int ranks, String... arguments) throws Exception {
        return MpiRun.of(library, ranks, List.of(), arguments);
    }

    @ParameterizedTest
    @EnumSource
    void everyOperationMovesTheRightBytes(Library library) throws Exception {
        for (int ranks : new int[] {1, 2, 4}) {
            MpiRun run = run(library, ranks, "content", "40");
            assertThat(run.status()).as(run.output()).isZero();
            String transport = ranks == 1 ? "threads of one process" : library.title();
            for (int rank = 0; rank < ranks; rank++) {
                assertThat(run.output())
                        .contains("content right on rank " + rank + " of " + ranks + " over " + transport);
            }
        }
    }

    /** Pieces as of gigabytes, but of a size that a test can afford. */
    @ParameterizedTest
    @EnumSource
    void largeMessagesGoInPieces(Library library) throws Exception {
        MpiRun run = run(library, 2, "pieces", "40");
        assertThat(run.status()).as(run.output()).isZero();
        assertThat(run.output()).contains("content right on rank 0 of 2", "content right on rank 1 of 2");
    }

    @ParameterizedTest
    @EnumSource
    void signalsStayTheJvms(Library library) throws Exception {
        MpiRun run = run(library, 2, "nulls", "20");
        assertThat(run.status()).as(run.output()).isZero();
        assertThat(run.output()).contains("null pointers caught on rank 0: 2", "null pointers caught on rank 1: 2");
    }

    @ParameterizedTest
    @EnumSource
    void aRankThatHangsIsNamedByAllOthers(Library library) throws Exception {
        MpiRun run = run(library, 3, "late", "2");
        assertThat(run.status()).as(run.output()).isEqualTo(Ranks.FAILED);
        for (int rank : new int[] {0, 2}) {
            assertThat(run.said(rank))
                    .startsWith("rank " + rank + " of 3 on ")
                    .contains(LATE, "192 bytes", library.title(), "not done after 2.0 s")
                    .contains("without answer: rank 1 (no sign of life);")
                    .contains("--ranks-deadline SECONDS or -Dweft.ranks.deadline=SECONDS");
            // what rank 1 would send may still come: memory for it is not to be freed
            assertThat(run.output()).contains("under way on rank " + rank + ": true");
        }
        assertThat(run.said(1)).isEmpty();
    }

    @ParameterizedTest
    @EnumSource
    void aRankThatHangsInABlockIsNamedByAllOthers(Library library) throws Exception {
        MpiRun run = run(library, 4, "block", "5");
        assertThat(run.status()).as(run.output()).isEqualTo(Ranks.FAILED);
        String inBlock = "barrier 'scatter layers.3' of group ranks 2-3, call 1 in step 17";
        assertThat(run.said(2))
                .startsWith("rank 2 of 4 on ")
                .contains(inBlock, "without answer: rank 3 (no sign of life);");
        for (int rank : new int[] {0, 1}) {
            assertThat(run.said(rank))
                    .startsWith("rank " + rank + " of 4 on ")
                    .contains("barrier 'dispatch layers.3' of group world", "rank 3 (no sign of life)")
                    .contains("rank 2 (waits in " + inBlock);
        }
        assertThat(run.said(3)).isEmpty();
    }

    @ParameterizedTest
    @EnumSource
    void aRankThatIsStoppedIsNamedAndEnded(Library library) throws Exception {
        MpiRun run = run(library, 2, "stopped", "2");
        assertThat(run.status()).as(run.output()).isEqualTo(Ranks.FAILED);
        assertThat(run.said(0)).contains(LATE, "rank 1 (no sign of life)");
    }

    @ParameterizedTest
    @EnumSource
    void aRankThatIsKilledEndsAll(Library library) throws Exception {
        MpiRun run = run(library, 2, "killed", "20");
        assertThat(run.status()).as(run.output()).isEqualTo(library == Library.OPEN_MPI ? 137 : 9);
        assertThat(run.output()).contains("Killed");
    }

    @ParameterizedTest
    @EnumSource
    void anExceptionOnOneRankEndsAll(Library library) throws Exception {
        MpiRun run = run(library, 2, "throws", "20");
        assertThat(run.status()).as(run.output()).isEqualTo(1);
        assertThat(run.said(1)).isEqualTo("expert 3 is not there");
    }

    @ParameterizedTest
    @EnumSource
    void ranksThatWaitForDifferentThingsSayWhich(Library library) throws Exception {
        MpiRun run = run(library, 2, "elsewhere", "3");
        assertThat(run.status()).as(run.output()).isEqualTo(Ranks.FAILED);
        assertThat(run.said(0))
                .contains("barrier 'end' of group world", "rank 1 (waits in receive 'state' of group pair, call 1");
        assertThat(run.said(1))
                .contains("receive 'state' of group pair", "rank 0 (waits in barrier 'end' of group world, call ");
    }

    @ParameterizedTest
    @EnumSource
    void ranksWithDifferentOptionsDoNotStart(Library library) throws Exception {
        MpiRun run = run(library, 2, "differ", "20");
        assertThat(run.status()).as(run.output()).isEqualTo(Ranks.FAILED);
        for (int rank = 0; rank < 2; rank++) {
            assertThat(run.said(rank))
                    .contains("started differently: options is 'seed 0' on rank 0, 'seed 1' on rank 1;")
                    .doesNotContain("golden");
        }
    }

    @ParameterizedTest
    @EnumSource
    void ranksThatDisagreeAboutASizeEnd(Library library) throws Exception {
        MpiRun run = run(library, 2, "sizes", "20");
        assertThat(run.status()).as(run.output()).isEqualTo(Ranks.FAILED);
        assertThat(run.said(1)).contains("rank 0 sent 8 bytes, expected 9");
    }

    /** Each process would believe to be alone, and succeed. */
    @ParameterizedTest
    @EnumSource
    void anotherLauncherThanTheLibrarysIsRefused(Library library) throws Exception {
        Library other = library == Library.OPEN_MPI ? Library.MPICH : Library.OPEN_MPI;
        String file = MpiLibrary.open(library == Library.OPEN_MPI ? Launcher.MPICH : Launcher.OPEN_MPI)
                .file();
        MpiRun run = MpiRun.of(library, 2, List.of("-Dweft.mpi.path=" + file), "content", "20");
        assertThat(run.status()).as(run.output()).isEqualTo(Ranks.FAILED);
        for (int rank = 0; rank < 2; rank++) {
            assertThat(run.said(rank))
                    .contains(
                            "launcher and MPI library do not match",
                            "says rank " + rank + " of 2",
                            other.title(),
                            file);
        }
    }

    @ParameterizedTest
    @EnumSource
    void aWrongWorldSizeIsRefused(Library library) throws Exception {
        MpiRun run = run(library, 2, "world", "20");
        assertThat(run.status()).as(run.output()).isEqualTo(Ranks.FAILED);
        assertThat(run.said(0)).contains("variables says rank 0 of 3", "says rank 0 of 2");
    }
}
