package dev.weft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.conformance.model.GoldenModel;
import dev.weft.model.config.ModelConfig;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A prompt computed by one process of an MPI launcher and continued by another. */
@Tag("long")
class HandOverTest {
    private static final Pattern SENT = Pattern.compile("sent (\\d+) bytes, rings (\\d+), pages (\\d+)");
    private static final Pattern DECODED = Pattern.compile("at (\\d+), decoded to (\\p{XDigit}+)");
    private static final int BF16_BYTES = 2;
    private static final int HEADER_BYTES = 4096;

    @TempDir
    private Path folder;

    @ParameterizedTest
    @ValueSource(strings = {"mpirun.openmpi --allow-run-as-root --oversubscribe", "mpirun.mpich"})
    void anotherProcessGoesOnWithTheSameBits(String launcher) throws IOException, InterruptedException {
        Path model = GoldenModel.micro().directory();
        List<String> command = new ArrayList<>(List.of(launcher.split(" ")));
        MpiLaunch.requireInstalled(command.getFirst());
        command.addAll(List.of("-n", "2", "sh"));
        command.add(MpiLaunch.script(folder, HandOverProgram.class).toString());
        command.add(model.toString());
        MpiLaunch run = MpiLaunch.of(folder, command);
        assertThat(run.status()).as(run.output()).isZero();
        MatchResult decoded = find(DECODED, run);
        assertThat(Integer.parseInt(decoded.group(1))).isEqualTo(HandOverProgram.PROMPT);
        assertThat(decoded.group(2)).isEqualTo(HandOverProgram.alone(model));
        MatchResult sent = find(SENT, run);
        long rings = Long.parseLong(sent.group(2));
        long pages = cacheBytes(ModelConfig.read(model.resolve("config.json")));
        assertThat(Long.parseLong(sent.group(3))).isEqualTo(pages);
        long state = rings + pages + (long) HandOverProgram.PROMPT * Integer.BYTES;
        assertThat(Long.parseLong(sent.group(1))).isBetween(state, state + HEADER_BYTES);
    }

    private static MatchResult find(Pattern pattern, MpiLaunch run) {
        return pattern.matcher(run.output()).results().findFirst().orElseThrow(() -> new AssertionError(run.output()));
    }

    /** An entry per group of tokens in every layer that compresses, with a key where the groups are those of four. */
    private static long cacheBytes(ModelConfig config) {
        long bytes = 0;
        for (int ratio : config.compressRatios()) {
            int values = ratio == 4 ? config.headDim() + config.indexHeadDim() : config.headDim();
            bytes += ratio == 0 ? 0 : HandOverProgram.PROMPT / ratio * (long) values * BF16_BYTES;
        }
        return bytes;
    }
}
