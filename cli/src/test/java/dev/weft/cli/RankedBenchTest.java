package dev.weft.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

/** What benchmarks of ranks report; how fast anything was is no test. */
@Tag("long")
class RankedBenchTest {
    private static final String OPEN_MPI = "mpirun.openmpi --allow-run-as-root --oversubscribe";
    private static final String MPICH = "mpirun.mpich";

    @TempDir
    private Path folder;

    private JsonNode run(String launcher, String... arguments) throws IOException, InterruptedException {
        MpiLaunch.requireInstalled(launcher.split(" ")[0]);
        Path file = folder.resolve("result.json");
        List<String> all = new ArrayList<>(List.of("bench"));
        all.addAll(List.of(arguments));
        all.addAll(List.of("--rounds", "2", "--threads", "1", "--output", file.toString()));
        MpiLaunch run = MpiLaunch.of(folder, launcher, 2, all);
        assertThat(run.status()).as(run.output()).isZero();
        JsonNode root = Json.line(Files.readString(file));
        assertThat(root.path("ranks").asInt()).isEqualTo(2);
        assertThat(root.path("transport").asString())
                .containsIgnoringCase(launcher.contains("mpich") ? "mpich" : "open mpi");
        return root;
    }

    @ParameterizedTest
    @ValueSource(strings = {OPEN_MPI, MPICH})
    void exchangesAreHeldAgainstMpi(String launcher) throws Exception {
        JsonNode results =
                run(launcher, "exchange", "--model", "tiny", "--tokens", "1,40").path("results");
        assertThat(results).hasSize(6);
        for (int i = 0; i < 6; i++) {
            JsonNode r = results.path(i);
            BenchNumbers.requireConsistent(r);
            assertThat(r.path("tokens").asInt()).isEqualTo(i < 3 ? 1 : 40);
            assertThat(r.path("work").asString()).startsWith("tiny, ");
            assertThat(r.path("peer").path("name").asString()).isEqualTo("MPI_Alltoallv");
            assertThat(r.path("peer").path("median").asDouble()).isPositive();
            assertThat(r.path("ofPeerP10").asDouble())
                    .isPositive()
                    .isLessThanOrEqualTo(r.path("ofPeer").asDouble());
            assertThat(r.path("javaSeconds").asDouble())
                    .isPositive()
                    .isLessThan(r.path("seconds").path("mean").asDouble() * 2);
            assertThat(r.path("groupJavaSeconds").asDouble()).isPositive();
        }
        for (int i = 0; i < 6; i += 3) {
            // 256 codes, two scales and a weight there; 256 values of BF16 back
            assertThat(results.path(i).path("bytes").asLong() % (256 + 2 + 4)).isZero();
            assertThat(results.path(i + 1).path("bytes").asLong() % 512).isZero();
            assertThat(results.path(i + 2).path("bytes").asLong())
                    .isEqualTo(results.path(i).path("bytes").asLong()
                            + results.path(i + 1).path("bytes").asLong());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {OPEN_MPI, MPICH})
    void layersHaveHalfTheirExpertsOnEachRank(String launcher) throws Exception {
        JsonNode root = run(launcher, "layer", "--model", "tiny", "--kind", "csa", "--context", "300", "--tokens", "2");
        JsonNode memory = root.path("memory");
        assertThat(2 * memory.path("experts").asLong())
                .isEqualTo(memory.path("expertsAlone").asLong())
                .isPositive();
        assertThat(memory.path("others").asLong())
                .isEqualTo(memory.path("othersAlone").asLong())
                .isPositive();
        JsonNode results = root.path("results");
        List<String> parts = new ArrayList<>();
        double flops = 0;
        for (int i = 1; i < results.size(); i++) {
            JsonNode r = results.path(i);
            BenchNumbers.requireConsistent(r);
            parts.add(r.path("part").asString());
            flops += r.path("flops").asDouble();
            assertThat(r.path("ofRanks").path("least").asDouble())
                    .isPositive()
                    .isLessThanOrEqualTo(r.path("ofRanks").path("most").asDouble());
        }
        assertThat(parts)
                .containsExactly("attention", "gate", "dispatch", "experts", "shared", "combine", "rest", "waiting");
        assertThat(results.path(0).path("flops").asDouble()).isCloseTo(flops, within(10.0 * results.size()));
    }

    @ParameterizedTest
    @ValueSource(strings = OPEN_MPI)
    void modelsSayWhatEveryRankHolds(String launcher) throws Exception {
        String model = DemoModel.locate(null).toString();
        JsonNode held = run(launcher, "model", model, "-p", "4", "-n", "0").path("rankWeightBytes");
        assertThat(held).hasSize(2);
        assertThat(held.path(0).asLong()).isPositive().isEqualTo(held.path(1).asLong());
    }
}
