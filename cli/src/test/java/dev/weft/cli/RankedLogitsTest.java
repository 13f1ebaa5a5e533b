package dev.weft.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.weft.conformance.model.GoldenModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A model over the processes of an MPI launcher writes the file that one process writes, byte for byte. */
@Tag("long")
class RankedLogitsTest {
    private static final int SPLIT = 20;

    @TempDir
    private Path folder;

    @ParameterizedTest
    @CsvSource({
        "mpirun.openmpi --allow-run-as-root --oversubscribe, micro, 2, bf16, --spread=head",
        "mpirun.openmpi --allow-run-as-root --oversubscribe, tiny-flash, 2, bf16, '--spread=head,output'",
        "mpirun.openmpi --allow-run-as-root --oversubscribe, micro, 4, qat32, --ranks-deadline=100",
        "mpirun.mpich, tiny-flash, 2, fp32, '--spread=head,output'",
        "mpirun.mpich, micro, 4, bf16, --spread=head"
    })
    void ranksWriteWhatOneProcessWrites(String launcher, String model, int ranks, String mode, String option)
            throws IOException, InterruptedException {
        RankedRun.requireInstalled(launcher);
        Optional<GoldenModel> golden =
                GoldenModel.all().stream().filter(g -> g.name().equals(model)).findFirst();
        assumeTrue(golden.isPresent(), "no golden model " + model + " here");
        Path directory = golden.get().directory();
        Path ids = Files.writeString(
                folder.resolve("ids.json"),
                IntStream.range(0, SPLIT + 4)
                        .map(i -> (17 * i + 3) % 90)
                        .boxed()
                        .toList()
                        .toString());
        Path alone = folder.resolve("alone.safetensors");
        assertThat(Run.of(arguments(directory, ids, mode, alone).toArray()).code())
                .isZero();

        Path together = folder.resolve("together.safetensors");
        List<String> command = new ArrayList<>(arguments(directory, ids, mode, together));
        command.add(option);
        command.add("--threads=1"); // the ranks share the processors
        RankedRun run = RankedRun.of(folder, launcher, ranks, command);
        String printed = run.output();
        assertThat(run.status()).as(printed).isZero();
        assertThat(Files.mismatch(alone, together)).as(printed).isEqualTo(-1);
    }

    private static List<String> arguments(Path model, Path ids, String mode, Path out) {
        return List.of(
                "logits",
                model.toString(),
                "--tokens",
                ids.toString(),
                "--split",
                Integer.toString(SPLIT),
                "--numerics",
                mode,
                "--device",
                "cpu:0",
                "--out",
                out.toString());
    }
}
