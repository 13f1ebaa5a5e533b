package dev.weft.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A model over the processes of an MPI launcher writes the file that one process writes, byte for byte. */
@Tag("long")
class RankedLogitsTest {
    @TempDir
    private Path folder;

    @ParameterizedTest
    @CsvSource({
        "mpirun.openmpi --allow-run-as-root --oversubscribe, micro, 2, bf16, --spread=head",
        "mpirun.openmpi --allow-run-as-root --oversubscribe, tiny-flash, 4, bf16, '--spread=head=2,output=2'",
        "mpirun.openmpi --allow-run-as-root --oversubscribe, micro, 4, qat32, --fixed-dispatch=8",
        "mpirun.openmpi --allow-run-as-root --oversubscribe, micro, 4, bf16, --spread=context",
        "mpirun.mpich, micro, 4, qat32, --spread=context",
        "mpirun.mpich, micro, 2, bf16, '--spread=head,context'",
        "mpirun.mpich, tiny-flash, 4, fp32, '--spread=head,output'",
        "mpirun.mpich, micro, 4, bf16, --fixed-dispatch=64"
    })
    void ranksWriteWhatOneProcessWrites(String launcher, String model, int ranks, String mode, String option)
            throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of(launcher.split(" ")));
        MpiLaunch.requireInstalled(command.getFirst());
        command.addAll(List.of("-n", Integer.toString(ranks)));
        int prompt = option.contains("context") ? LogitsJob.LONG : LogitsJob.SHORT;
        LogitsJob.of(folder, model, mode, prompt).requireSame(command, option);
    }
}
