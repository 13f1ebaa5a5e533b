package dev.weft.ranks;

import java.util.List;

/**
 * What starts ranks, in the order in which their variables are looked for. Sources: the manuals of torchrun, Open MPI
 * ({@code mpirun(1)}), Hydra, Slurm ({@code srun(1)}), LeaderWorkerSet and Kubernetes' Indexed Job.
 */
public enum Launcher {
    VARIABLES("variables", "RANK", "WORLD_SIZE", List.of("LOCAL_RANK")),
    OPEN_MPI("Open MPI", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", List.of("OMPI_COMM_WORLD_LOCAL_RANK")),
    MPICH("Hydra (MPICH, Intel MPI)", "PMI_RANK", "PMI_SIZE", List.of("MPI_LOCALRANKID", "PMI_LOCAL_RANK")),
    SLURM("Slurm", "SLURM_PROCID", "SLURM_NTASKS", List.of("SLURM_LOCALID")),
    LEADER_WORKER_SET("LeaderWorkerSet", "LWS_WORKER_INDEX", "LWS_GROUP_SIZE", List.of()),
    INDEXED_JOB("Indexed Job", "JOB_COMPLETION_INDEX", "WEFT_JOB_SIZE", List.of()),
    /** No launcher: one process. */
    NONE("none", "", "", List.of());

    private final String title;
    private final String rank;
    private final String size;
    private final List<String> localRank;

    Launcher(String title, String rank, String size, List<String> localRank) {
        this.title = title;
        this.rank = rank;
        this.size = size;
        this.localRank = localRank;
    }

    /** Name for people. */
    public String title() {
        return title;
    }

    /** Variable with the number of this rank. */
    String rank() {
        return rank;
    }

    /** Variable with the number of ranks. */
    String size() {
        return size;
    }

    /** Variables with the number of this rank on its host, the first one that is set counts. */
    List<String> localRank() {
        return localRank;
    }

    /** Whether it is an MPI library's own launcher. */
    boolean isMpi() {
        return this == OPEN_MPI || this == MPICH;
    }

    /** Whether a library of MPI finds its ranks through it. */
    boolean startsMpi() {
        return isMpi() || this == SLURM;
    }

    /**
     * Whether it may have started an MPI launcher in its turn: its variables then count daemons or pods, one per host, and
     * ranks inherit them.
     */
    boolean isOuter() {
        return this == SLURM || this == LEADER_WORKER_SET || this == INDEXED_JOB;
    }
}
