package dev.weft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.networknt.schema.Error;
import com.networknt.schema.InputFormat;
import com.networknt.schema.Schema;
import com.networknt.schema.SchemaRegistry;
import com.networknt.schema.SpecificationVersion;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;
import tools.jackson.dataformat.yaml.YAMLMapper;

/** The manifests of {@code docs/deploy} are what Kubernetes, Slurm and a shell accept. */
class ManifestsTest {
    private static final Path DEPLOY = Path.of("../docs/deploy");
    private static final Pattern OPTION = Pattern.compile("--([a-z-]+)(?:=(\\S+))?");

    /** Options of Slurm's manual pages, with the form of their values; empty for those that take none. */
    private static final Map<String, String> SBATCH = Map.of(
            "job-name", ".+",
            "nodes", "\\d+(-\\d+)?",
            "ntasks-per-node", "\\d+",
            "cpus-per-task", "\\d+",
            "time", "(\\d+-)?\\d+(:\\d\\d){0,2}",
            "output", ".+");

    private static final Map<String, String> SRUN = Map.of(
            "mpi", "pmix|pmi2|none",
            "kill-on-bad-exit", "[01]",
            "label", "");

    private static List<String> errors(String manifest) throws IOException {
        SchemaRegistry registry = SchemaRegistry.withDefaultDialect(SpecificationVersion.DRAFT_2020_12);
        try (InputStream file = ManifestsTest.class.getResourceAsStream("manifests.schema.yaml")) {
            Schema schema = registry.getSchema(file, InputFormat.YAML);
            return schema.validate(manifest, InputFormat.YAML).stream()
                    .map(Error::toString)
                    .toList();
        }
    }

    private static String text(String file) throws IOException {
        return Files.readString(DEPLOY.resolve(file));
    }

    @ParameterizedTest
    @ValueSource(strings = {"leaderworkerset.yaml", "volcano.yaml"})
    void manifestsAreValid(String file) throws IOException {
        assertThat(errors(text(file))).isEmpty();
    }

    /** A misspelt name, a value outside its list, a wrong type, a missing part, a quantity that is none. */
    @ParameterizedTest
    @CsvSource({
        "leaderworkerset.yaml, restartPolicy: Recreate, restartPolicy: Recraete, restartPolicy",
        "leaderworkerset.yaml, size: 2, sizes: 2, sizes",
        "leaderworkerset.yaml, workerTemplate, workersTemplate, workerTemplate",
        "leaderworkerset.yaml, replicas: 1, replicas: one, replicas",
        "leaderworkerset.yaml, memory: 256Gi, memory: 256GiB, memory",
        "leaderworkerset.yaml, fieldPath, fieldpath, fieldPath",
        "leaderworkerset.yaml, x-k8s.io/v1, x-k8s.io/v2, apiVersion",
        "volcano.yaml, event: TaskCompleted, event: TasksCompleted, event",
        "volcano.yaml, minAvailable: 3, minAvailable: -3, minAvailable",
        "volcano.yaml, ssh: [], ssh: {}, plugins",
        "volcano.yaml, name: rank, name: Rank, name",
        "volcano.yaml, containers, container, containers",
        "volcano.yaml, restartPolicy: Never, restartPolicy: No, restartPolicy"
    })
    void aPlantedMistakeIsFound(String file, String right, String wrong, String named) throws IOException {
        String manifest = text(file);
        assertThat(manifest).contains(right);
        assertThat(errors(manifest.replaceFirst(Pattern.quote(right), wrong)))
                .isNotEmpty()
                .anyMatch(error -> error.contains(named));
    }

    @ParameterizedTest
    @ValueSource(strings = {"leaderworkerset.yaml", "volcano.yaml"})
    void scriptsInManifestsAreShell(String file) throws IOException, InterruptedException {
        List<String> scripts = new ArrayList<>();
        for (JsonNode args : new YAMLMapper().readTree(text(file)).findValues("args")) {
            scripts.add(args.path(0).stringValue());
        }
        assertThat(scripts).isNotEmpty();
        for (String script : scripts) {
            assertThat(complaint("sh", script)).as(script).isEmpty();
        }
        assertThat(complaint("sh", scripts.getFirst() + "\nif")).isNotEmpty();
    }

    @Test
    void theSlurmScriptHasOptionsThatSlurmHas() throws IOException, InterruptedException {
        String script = text("weft.slurm");
        assertThat(complaint("bash", script)).isEmpty();
        List<String> directives =
                script.lines().filter(line -> line.startsWith("#SBATCH")).toList();
        assertThat(directives).hasSizeGreaterThan(3).allMatch(line -> line.matches("#SBATCH --\\S+"));
        directives.forEach(line -> requireKnown(SBATCH, line));
        String srun = script.lines().filter(line -> line.startsWith("srun ")).reduce("", String::concat);
        requireKnown(SRUN, srun.substring(0, srun.indexOf(" weft ")));
    }

    private static void requireKnown(Map<String, String> known, String line) {
        List<MatchResult> options = OPTION.matcher(line).results().toList();
        assertThat(options).as(line).isNotEmpty();
        for (MatchResult option : options) {
            assertThat(known).as(line).containsKey(option.group(1));
            String value = option.group(2) == null ? "" : option.group(2);
            assertThat(value).as(line).matches(known.get(option.group(1)));
        }
    }

    /** What a shell says of a script that it reads and does not run. */
    private static String complaint(String shell, String script) throws IOException, InterruptedException {
        Process process =
                new ProcessBuilder(shell, "-n").redirectErrorStream(true).start();
        process.getOutputStream().write(script.getBytes(StandardCharsets.UTF_8));
        process.getOutputStream().close();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor() == 0).as(said).isEqualTo(said.isEmpty());
        return said;
    }
}
