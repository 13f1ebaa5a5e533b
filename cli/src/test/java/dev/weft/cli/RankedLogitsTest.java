package dev.weft.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.weft.conformance.model.GoldenModel;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A model over the processes of an MPI launcher writes the file that one process writes, byte for byte. */
@Tag("long")
class RankedLogitsTest {
    private static final int SPLIT = 20;

    /** Two parts of two blocks for each of two ranks, the last one not whole. */
    private static final int LONG_SPLIT = 1000;

    private static final long LIMIT_SECONDS = 120;

    @TempDir
    private Path folder;

    @ParameterizedTest
    @CsvSource({
        "mpirun.openmpi --allow-run-as-root --oversubscribe, micro, 2, bf16, --spread=head",
        "mpirun.openmpi --allow-run-as-root --oversubscribe, tiny-flash, 2, bf16, '--spread=head,output'",
        "mpirun.openmpi --allow-run-as-root --oversubscribe, micro, 4, qat32, --ranks-deadline=100",
        "mpirun.openmpi --allow-run-as-root --oversubscribe, micro, 2, bf16, --spread=context",
        "mpirun.mpich, micro, 2, qat32, '--spread=head,context'",
        "mpirun.mpich, tiny-flash, 2, fp32, '--spread=head,output'",
        "mpirun.mpich, micro, 4, bf16, --spread=head"
    })
    void ranksWriteWhatOneProcessWrites(String launcher, String model, int ranks, String mode, String option)
            throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of(launcher.split(" ")));
        requireInstalled(command.getFirst());
        Optional<GoldenModel> golden =
                GoldenModel.all().stream().filter(g -> g.name().equals(model)).findFirst();
        assumeTrue(golden.isPresent(), "no golden model " + model + " here");
        Path directory = golden.get().directory();
        int split = option.contains("context") ? LONG_SPLIT : SPLIT;
        Path ids = Files.writeString(
                folder.resolve("ids.json"),
                IntStream.range(0, split + 4)
                        .map(i -> (17 * i + 3) % 90)
                        .boxed()
                        .toList()
                        .toString());
        Path alone = folder.resolve("alone.safetensors");
        assertThat(Run.of(arguments(directory, ids, split, mode, alone).toArray()).code())
                .isZero();

        Path together = folder.resolve("together.safetensors");
        command.addAll(List.of("-n", Integer.toString(ranks)));
        command.addAll(List.of("sh", weft().toString()));
        command.addAll(arguments(directory, ids, split, mode, together));
        command.add(option);
        command.add("--threads=1"); // the ranks share the processors
        Path output = folder.resolve("output.txt");
        Process process = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(output.toFile())
                .start();
        boolean ended = process.waitFor(LIMIT_SECONDS, TimeUnit.SECONDS);
        String printed = Files.readString(output, StandardCharsets.UTF_8);
        assertThat(ended).as(printed).isTrue();
        assertThat(process.exitValue()).as(printed).isZero();
        assertThat(Files.mismatch(alone, together)).as(printed).isEqualTo(-1);
    }

    private static List<String> arguments(Path model, Path ids, int split, String mode, Path out) {
        return List.of(
                "logits",
                model.toString(),
                "--tokens",
                ids.toString(),
                "--split",
                Integer.toString(split),
                "--numerics",
                mode,
                "--device",
                "cpu:0",
                "--out",
                out.toString());
    }

    /** A script as the real one is: Open MPI edits the options of what is called java. */
    private Path weft() throws IOException {
        String library = System.getProperty("weft.native.library", "");
        String line =
                "exec '%s' -XX:+UseSerialGC -XX:TieredStopAtLevel=1 --enable-native-access=ALL-UNNAMED %s -cp '%s' %s \"$@\"%n"
                        .formatted(
                                Path.of(System.getProperty("java.home"), "bin", "java"),
                                library.isEmpty() ? "" : "-Dweft.native.library=" + library,
                                classPath(),
                                Main.class.getName());
        return Files.writeString(folder.resolve("weft.sh"), line);
    }

    private static String classPath() {
        return Stream.of(System.getProperty("jdk.module.path", ""), System.getProperty("java.class.path", ""))
                .filter(path -> !path.isEmpty())
                .reduce((a, b) -> a + File.pathSeparator + b)
                .orElseThrow();
    }

    private static void requireInstalled(String launcher) {
        boolean there = Stream.of(System.getenv("PATH").split(File.pathSeparator))
                .anyMatch(place -> Files.isExecutable(Path.of(place, launcher)));
        if (!"require".equals(System.getProperty("weft.mpi"))) {
            assumeTrue(there, launcher + " is not installed");
        }
        assertThat(there).as(launcher + " is installed").isTrue();
    }
}
