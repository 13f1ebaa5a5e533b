package dev.weft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.DType;
import dev.weft.DeviceId;
import dev.weft.TensorType;
import dev.weft.bench.Result;
import dev.weft.bench.Work;
import dev.weft.graph.Graph;
import dev.weft.graph.GraphBuilder;
import dev.weft.graph.Node;
import dev.weft.graph.Value;
import dev.weft.model.NumericMode;
import dev.weft.spi.Backends;
import dev.weft.spi.HardwareLimit;
import dev.weft.verify.DeviceRun;
import dev.weft.verify.Difference;
import dev.weft.verify.ModeReport;
import dev.weft.verify.NodeOutcome;
import dev.weft.verify.NodeReport;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;
import tools.jackson.databind.JsonNode;

class CompareTest {
    private static final Path MODEL = ComparedMicro.MODEL;
    private static final DeviceId VECTOR = ComparedMicro.VECTOR;
    private static final DeviceId ABSENT = ComparedMicro.ABSENT;

    private final CompareSheet sheet = ComparedMicro.sheet();
    private final ModeReport mode = sheet.modes().getFirst();

    @TempDir
    private Path folder;

    private DeviceRun vector() {
        return mode.devices().getFirst();
    }

    @Test
    void jsonHasTheNumbersOfTheReport() {
        JsonNode root = CompareJson.of(sheet);
        assertThat(root.path("passed").asBoolean()).isFalse(); // a device is absent
        JsonNode shown = root.path("modes").path(0);
        assertThat(shown.path("nodes").size()).isEqualTo(mode.nodes().size()).isGreaterThan(200);
        for (int i = 0; i < mode.nodes().size(); i++) {
            NodeReport node = mode.nodes().get(i);
            JsonNode json = shown.path("nodes").path(i);
            assertThat(json.path("node").asString()).isEqualTo(node.node().label());
            assertThat(json.path("flops").asLong())
                    .isEqualTo((long) mode.work(node).flops());
            JsonNode result = json.path("results").path(0);
            assertThat(result.path("status").asString()).isEqualTo("right");
            Difference d = ((NodeOutcome.Compared) node.outcomes().get(VECTOR)).difference();
            assertThat(result.path("nmse").asDouble()).isEqualTo(d.nmse());
            assertThat(result.path("largest").path("amount").asDouble())
                    .isEqualTo(d.largest().amount());
            assertThat(result.path("ofTolerance").asDouble()).isEqualTo(d.share());
            Result time =
                    vector().times().get(node.step()).nodes().get(node.node().index());
            assertThat(result.path("seconds").path("median").asDouble())
                    .isEqualTo(time.secondsMedian())
                    .isPositive();
        }
        JsonNode device = shown.path("devices").path(0);
        assertThat(device.path("nodes").path("right").asInt())
                .isEqualTo(mode.nodes().size());
        assertThat(device.path("endToEnd").path("nmse").asDouble())
                .isEqualTo(vector().endToEnd().orElseThrow().nmse())
                .isBetween(1e-20, 1e-9);
        assertThat(shown.path("reference").path("steps").isEmpty()).isTrue(); // no hardware
        assertThat(shown.path("devices").path(1).path("problem").asString()).contains("cpu:9");
    }

    @Test
    void thePageHasTheSameNumbersAndNeedsNothingElse() {
        String page = new CompareHtml(sheet).page();
        assertThat(page).contains("weft compare &lt;MODEL&gt;", "cpu:0/vector", "cpu:9", "prefers-color-scheme: dark");
        assertThat(page)
                .contains(">"
                        + CompareSheet.error(vector().endToEnd().orElseThrow().nmse()) + "<");
        assertThat(page)
                .contains(">"
                        + CompareSheet.millis(
                                vector().times().get("decode").step().secondsMedian()) + "<");
        List<CompareSheet.Worst> worst = CompareSheet.worst(mode, VECTOR, 3);
        assertThat(worst)
                .hasSize(3)
                .allSatisfy(w -> assertThat(page)
                        .contains(
                                ">" + w.node().node().label() + "<",
                                ">" + CompareSheet.share(w.difference().share()) + "<",
                                ">" + CompareSheet.error(w.difference().nmse()) + "<",
                                w.node().node().label() + ": " + w.outcome().kernel())); // the hint of its cell
        assertThat(page).doesNotContainPattern("https?:|src=|href=|url\\(|@import|<script|<link");
        assertThat(count(page, "<rect class=\"(same|tiny|small|some|near)\""))
                .isEqualTo(
                        sheet.modes().stream().mapToLong(m -> m.nodes().size()).sum());
    }

    private static long count(String text, String pattern) {
        return Pattern.compile(pattern).matcher(text).results().count();
    }

    @Test
    void whatIsWrongAndWhatHasNoKernelIsNamed() {
        GraphBuilder g = Graph.builder("two nodes");
        Value x = g.input("x", TensorType.of(DType.F32, 2, 4));
        g.output("y", g.add(g.add(x, x), x));
        List<Node> nodes = g.build().nodes();
        NodeOutcome wrong = new NodeOutcome.Failed("memory 3 bytes past its end was overwritten");
        NodeOutcome refused = new NodeOutcome.Unsupported("no adders <here>");
        DeviceRun broken = new DeviceRun(
                ABSENT, Optional.empty(), Optional.of("2 nodes"), Optional.empty(), Optional.empty(), Map.of());
        Work work = new Work(96, 8, HardwareLimit.F32_FMA);
        ModeReport report = new ModeReport(
                "two nodes",
                Optional.of(NumericMode.FP32),
                mode.reference(),
                List.of(broken),
                List.of(
                        new NodeReport("prefill", nodes.get(0), Map.of(ABSENT, refused)),
                        new NodeReport("prefill", nodes.get(1), Map.of(ABSENT, wrong))),
                Map.of("prefill", List.of(work, work)));
        CompareSheet bad = new CompareSheet("weft compare", "m", -1, 1, 1, List.of(report));
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        new CompareText(new Terminal(new PrintStream(bytes), new PrintStream(bytes), false), bad).print();
        assertThat(bytes.toString(StandardCharsets.UTF_8))
                .contains("cpu:9: first wrong node: prefill add#2: memory 3 bytes past its end")
                .contains("cpu:9: no kernel for 1 nodes, first prefill add: no adders <here>")
                .containsPattern("cpu:9 +absent +0 +1 +1 ")
                .contains("tokens as given")
                .endsWith("FAILED: not every device passes" + System.lineSeparator());
        assertThat(new CompareHtml(bad).page())
                .contains("first wrong node <code>add#2</code>", "none for add: no adders &lt;here&gt;")
                .contains("<rect class=\"over\"", "<rect class=\"none\"")
                .contains("none, the tokens were given");
        JsonNode results = CompareJson.of(bad).path("modes").path(0).path("nodes");
        assertThat(results.path(0).path("results").path(0).path("status").asString())
                .isEqualTo("unsupported");
        assertThat(results.path(1).path("results").path(0).path("status").asString())
                .isEqualTo("failed");
    }

    @Test
    void theCommandComparesWhatIsThere() throws IOException {
        Path page = folder.resolve("report.html");
        Run run = Run.of(
                "compare",
                MODEL,
                "--devices",
                "cpu:0,cpu:0/scalar",
                "--numerics",
                "bf16",
                "--prompt",
                6,
                "--decode",
                1,
                "--rounds",
                1,
                "--html",
                page);
        assertThat(run.err()).isEmpty();
        assertThat(run.code()).isZero();
        assertThat(run.out())
                .contains("numerics bf16, against cpu:0/scalar", "every node within its tolerance")
                .containsPattern("cpu:0 +hardware +[1-9][0-9]* +0 +0 ");
        assertThat(Files.readString(page)).contains("compare " + MODEL + " --devices cpu:0,cpu:0/scalar");
    }

    @Test
    void whatCannotBeComparedIsAUsageError() throws IOException {
        Path ids = Files.writeString(folder.resolve("ids.json"), "[1, 2]");
        Run few = Run.of("compare", MODEL, "--tokens", ids, "--decode", 2);
        assertThat(few.code()).isEqualTo(2);
        assertThat(few.err()).contains("found 2", "--decode");
        Run nowhere = Run.of("compare", MODEL, "--html", folder.resolve("absent/report.html"));
        assertThat(nowhere.code()).isEqualTo(2);
        assertThat(nowhere.err()).contains("--html", "a folder that exists");
    }

    @Test
    void aPlantedWrongKernelIsNamedAtItsFirstNode() throws IOException {
        Path page = folder.resolve("report.html");
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        Terminal terminal = new Terminal(new PrintStream(bytes), new PrintStream(bytes), false);
        CompareCommand command =
                new CompareCommand(terminal, config -> Backends.of(config, List.of(PlantedProvider.of("headNorm"))));
        int code = new CommandLine(command)
                .execute(
                        MODEL.toString(),
                        "--devices=cpu:0/vector",
                        "--prompt=6",
                        "--decode=1",
                        "--rounds=1",
                        "--html=" + page);
        String text = bytes.toString(StandardCharsets.UTF_8);
        assertThat(code).as(text).isEqualTo(1);
        assertThat(text)
                .contains("cpu:0/vector: first wrong node: prefill layers.0.attn.headNorm: result 0", "found 1000000")
                .contains("FAILED: not every device passes");
        assertThat(Files.readString(page))
                .contains("first wrong node <code>layers.0.attn.headNorm</code>")
                .contains("<rect class=\"over\"");
    }

    @Test
    void anOperatorIsComparedInItsForms() throws IOException {
        Path page = folder.resolve("report.html");
        Run run = Run.of(
                "compare",
                "--op",
                "RINGWRITE",
                "--devices",
                "cpu:0/vector,cpu:9",
                "--rounds",
                1,
                "--json",
                "--html",
                page);
        assertThat(run.err()).isEmpty();
        assertThat(run.code()).isEqualTo(1); // a device is absent
        JsonNode root = run.json();
        assertThat(root.path("model").isNull()).isTrue();
        JsonNode mode = root.path("modes").path(0);
        assertThat(mode.path("graph").asString()).isEqualTo("ringWrite");
        assertThat(mode.path("numerics").isNull()).isTrue();
        assertThat(mode.path("devices").path(0).path("nodes").path("right").asInt())
                .isEqualTo(mode.path("nodes").size())
                .isGreaterThan(2);
        assertThat(mode.path("devices")
                        .path(0)
                        .path("steps")
                        .path(0)
                        .path("step")
                        .asString())
                .isEqualTo("run");
        assertThat(Files.readString(page)).contains("Operator ringWrite, against cpu:0/scalar", "case 2, ");
        Run unknown = Run.of("compare", "--op", "gem");
        assertThat(unknown.code()).isNotZero();
        assertThat(unknown.err()).contains("found 'gem'", "gemm");
        assertThat(Run.of("compare", MODEL, "--op", "gemm").code()).isEqualTo(2);
    }

    @Test
    void aProductIsComparedAtASizeOfOnesOwn() {
        Run run = Run.of(
                "compare", "--op", "gemm", "--shape", "3,96,5", "--devices", "cpu:0/vector", "--rounds", 1, "--json");
        assertThat(run.err()).isEmpty();
        assertThat(run.code()).isZero();
        JsonNode nodes = run.json().path("modes").path(0).path("nodes");
        assertThat(nodes.size()).isEqualTo(24); // three formats of rows, four of weights, two of results
        nodes.forEach(n -> assertThat(n.path("flops").asDouble()).isEqualTo(2 * 3 * 96 * 5));
        // no blocks of 32: no MXFP4
        JsonNode odd = Run.of("compare", "--op", "gemm", "--shape", "1,33,2", "--devices", "cpu:0/vector", "--json")
                .json();
        assertThat(odd.path("modes").path(0).path("nodes").size()).isEqualTo(18);
        Run two = Run.of("compare", "--op", "gemm", "--shape", "3,96");
        assertThat(two.code()).isEqualTo(2);
        assertThat(two.err()).startsWith("weft: --shape: found [3, 96] with --op gemm, expected M,K,N with --op gemm");
        assertThat(Run.of("compare", "--op", "topK", "--shape", "3,96,5").code())
                .isEqualTo(2);
        assertThat(Run.of("compare", "--op", "gemm", "--shape", "3,0,5").err()).contains("found m=3 k=0 n=5");
    }
}
