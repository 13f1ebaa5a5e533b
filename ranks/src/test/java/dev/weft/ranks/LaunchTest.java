package dev.weft.ranks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Every launcher's variables, and what is refused. */
class LaunchTest {
    @Test
    void noVariablesAreOneProcess() {
        assertThat(Launch.of(Map.of("PATH", "/bin"))).isEqualTo(Launch.alone());
        assertThat(Launch.alone().isGroup()).isFalse();
    }

    @ParameterizedTest
    @CsvSource({
        "VARIABLES, RANK, WORLD_SIZE, LOCAL_RANK",
        "OPEN_MPI, OMPI_COMM_WORLD_RANK, OMPI_COMM_WORLD_SIZE, OMPI_COMM_WORLD_LOCAL_RANK",
        "MPICH, PMI_RANK, PMI_SIZE, MPI_LOCALRANKID",
        "MPICH, PMI_RANK, PMI_SIZE, PMI_LOCAL_RANK",
        "SLURM, SLURM_PROCID, SLURM_NTASKS, SLURM_LOCALID",
    })
    void everyLauncherSaysRankSizeAndLocalRank(Launcher launcher, String rank, String size, String local) {
        Launcher mpi = launcher == Launcher.VARIABLES ? Launcher.NONE : launcher;
        assertThat(Launch.of(Map.of(rank, "5", size, "8", local, "1")))
                .isEqualTo(new Launch(launcher, 5, 8, 1, null, 0, mpi));
        assertThat(Launch.of(Map.of(rank, "0", size, " 1 "))).isEqualTo(new Launch(launcher, 0, 1, -1, null, 0, mpi));
    }

    @Test
    void theLeaderIsTakenFromWhatNamesIt() {
        assertThat(Launch.of(Map.of("RANK", "1", "WORLD_SIZE", "2", "MASTER_ADDR", "node0", "MASTER_PORT", "29500")))
                .isEqualTo(new Launch(Launcher.VARIABLES, 1, 2, -1, "node0", 29500, Launcher.NONE));
        assertThat(Launch.of(Map.of(
                        "LWS_WORKER_INDEX", "3", "LWS_GROUP_SIZE", "4", "LWS_LEADER_ADDRESS", "weft-0.weft.default")))
                .isEqualTo(new Launch(Launcher.LEADER_WORKER_SET, 3, 4, 0, "weft-0.weft.default", 0, Launcher.NONE));
        assertThat(Launch.of(Map.of(
                        "JOB_COMPLETION_INDEX", "1", "WEFT_JOB_SIZE", "2", "MASTER_ADDR", "job-0", "MASTER_PORT", "1")))
                .isEqualTo(new Launch(Launcher.INDEXED_JOB, 1, 2, -1, "job-0", 1, Launcher.NONE));
    }

    @Test
    void theFirstOfSeveralCountsIfAllAgree() {
        Launch both = Launch.of(Map.of("RANK", "1", "WORLD_SIZE", "2", "PMI_RANK", "1", "PMI_SIZE", "2"));
        assertThat(both.launcher()).isEqualTo(Launcher.VARIABLES);
        assertThat(both.mpi()).isEqualTo(Launcher.MPICH);
        assertThat(Launch.of(Map.of("SLURM_PROCID", "1", "SLURM_NTASKS", "2", "PMI_RANK", "1", "PMI_SIZE", "2"))
                        .launcher())
                .isEqualTo(Launcher.MPICH);
    }

    @ParameterizedTest
    @CsvSource({"0, 2", "1, 3"})
    void contradictionsAreRefused(String rank, String size) {
        Map<String, String> environment =
                Map.of("RANK", rank, "WORLD_SIZE", size, "OMPI_COMM_WORLD_RANK", "1", "OMPI_COMM_WORLD_SIZE", "2");
        assertThatThrownBy(() -> Launch.of(environment))
                .isInstanceOf(LaunchException.class)
                .hasMessageContaining("variables says rank " + rank + " of " + size)
                .hasMessageContaining("Open MPI says rank 1 of 2");
    }

    @Test
    void aContradictingLocalRankIsRefused() {
        Map<String, String> environment = Map.of(
                "RANK",
                "1",
                "WORLD_SIZE",
                "2",
                "LOCAL_RANK",
                "1",
                "PMI_RANK",
                "1",
                "PMI_SIZE",
                "2",
                "MPI_LOCALRANKID",
                "0");
        assertThatThrownBy(() -> Launch.of(environment)).hasMessageContaining("local rank 0");
    }

    /** Inside an allocation mpirun starts its daemons by srun: ranks then see the daemon's variables. */
    @Test
    void anMpiLauncherInsideAnAllocationIsNotComparedWithIt() {
        Launch launch = Launch.of(Map.of(
                "OMPI_COMM_WORLD_RANK", "5", "OMPI_COMM_WORLD_SIZE", "8", "SLURM_PROCID", "1", "SLURM_NTASKS", "2"));
        assertThat(launch.rank()).isEqualTo(5);
        assertThat(Launch.of(Map.of("SLURM_NTASKS", "8", "LWS_GROUP_SIZE", "2")))
                .as("a shell of an allocation, which is no rank")
                .isEqualTo(Launch.alone());
    }

    @ParameterizedTest
    @CsvSource({
        "RANK, 0, PATH, x, 'found RANK without WORLD_SIZE'",
        "WORLD_SIZE, 2, PATH, x, 'found WORLD_SIZE without RANK'",
        "RANK, 2, WORLD_SIZE, 2, 'expected a rank below'",
        "RANK, 0, WORLD_SIZE, 0, 'at least 1'",
        "RANK, -1, WORLD_SIZE, 2, \"found '-1'\"",
        "RANK, one, WORLD_SIZE, 2, \"RANK: found 'one'\"",
        "RANK, 99999999999, WORLD_SIZE, 2, \"RANK: found '99999999999'\"",
        "JOB_COMPLETION_INDEX, 0, PATH, x, 'without WEFT_JOB_SIZE'",
    })
    void whatIsNoRankIsRefused(String first, String value, String second, String other, String message) {
        assertThatThrownBy(() -> Launch.of(Map.of(first, value, second, other)))
                .isInstanceOf(LaunchException.class)
                .hasMessageContaining(message.replace("\"", ""));
    }

    @Test
    void portsAndLocalRanksHaveBounds() {
        Map<String, String> port = Map.of("RANK", "0", "WORLD_SIZE", "1", "MASTER_PORT", "65536");
        assertThatThrownBy(() -> Launch.of(port)).hasMessageContaining("MASTER_PORT: found 65536");
        Map<String, String> local = Map.of("RANK", "0", "WORLD_SIZE", "2", "LOCAL_RANK", "2");
        assertThatThrownBy(() -> Launch.of(local)).hasMessageContaining("LOCAL_RANK=2 of 2 ranks");
    }
}
