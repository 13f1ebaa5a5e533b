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

/**
 * Logits of a golden model, which one process and many write to a file each.
 *
 * @param folder where the files are
 * @param model folder of the model
 * @param mode numeric mode
 * @param prompt tokens of the prefill
 */
record LogitsJob(Path folder, Path model, String mode, int prompt) {
    /** A prompt that four ranks take apart: two parts of two blocks for each, the last one not whole. */
    static final int LONG = 2000;

    static final int SHORT = 20;

    private static final int DECODED = 4;

    static LogitsJob of(Path folder, String model, String mode, int prompt) throws IOException {
        Optional<GoldenModel> golden =
                GoldenModel.all().stream().filter(g -> g.name().equals(model)).findFirst();
        assumeTrue(golden.isPresent(), "no golden model " + model + " here");
        Files.writeString(
                folder.resolve("ids.json"),
                IntStream.range(0, prompt + DECODED)
                        .map(i -> (17 * i + 3) % 90)
                        .boxed()
                        .toList()
                        .toString());
        return new LogitsJob(folder, golden.get().directory(), mode, prompt);
    }

    /** The ranks of a launcher write what one process writes. */
    void requireSame(List<String> launcher, String... options) throws IOException, InterruptedException {
        Path alone = folder.resolve("alone.safetensors");
        assertThat(Run.of(arguments(alone).toArray()).code()).isZero();
        Path together = folder.resolve("together.safetensors");
        List<String> command = new ArrayList<>(launcher);
        command.addAll(List.of("sh", MpiLaunch.script(folder).toString()));
        command.addAll(arguments(together));
        command.add("--threads=1"); // the ranks share the processors
        command.addAll(List.of(options));
        MpiLaunch run = MpiLaunch.of(folder, command);
        assertThat(run.status()).as(run.output()).isZero();
        assertThat(Files.mismatch(alone, together)).as(run.output()).isEqualTo(-1);
    }

    private List<String> arguments(Path out) {
        return List.of(
                "logits",
                model.toString(),
                "--tokens",
                folder.resolve("ids.json").toString(),
                "--split",
                Integer.toString(prompt),
                "--numerics",
                mode,
                "--device",
                "cpu:0",
                "--out",
                out.toString());
    }
}
