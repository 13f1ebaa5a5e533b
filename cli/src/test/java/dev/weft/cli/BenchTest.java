package dev.weft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.bench.Result;
import dev.weft.bench.Work;
import dev.weft.runtime.Weft;
import dev.weft.spi.HardwareLimit;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;
import tools.jackson.databind.JsonNode;

/** What benchmarks report; how fast anything was is no test. */
class BenchTest {
    private static final List<Object> SMALL_GEMM =
            List.of("bench", "gemm", "--k", 256, "--n", 64, "--weight-bytes", 40000, "--rounds", 3, "--threads", 2);

    @ParameterizedTest
    @ValueSource(strings = {"mxfp4", "fp8", "bf16", "f32"})
    void gemmReportsItsWork(String weights) {
        Run run = run(SMALL_GEMM, "--weights", weights, "--m", 3, "--json");
        assertThat(run.err()).isEmpty();
        assertThat(run.code()).isZero();
        JsonNode root = run.json();
        assertThat(root.path("benchmark").asString()).isEqualTo("gemm");
        assertThat(root.path("tier").asString()).isEqualTo("hardware");
        assertThat(root.path("rounds").asInt()).isEqualTo(3);
        assertThat(root.path("threads").asInt()).isEqualTo(2);
        assertThat(root.path("level").asString()).isNotEmpty();
        JsonNode result = root.path("results").path(0);
        assertThat(result.path("weights").asString()).isEqualTo(weights);
        assertThat(result.path("m").asInt()).isEqualTo(3);
        long copies = result.path("copies").asLong();
        assertThat(result.path("flops").asLong()).isEqualTo(copies * 2 * 3 * 256 * 64);
        assertThat(result.path("bytes").asLong()).isGreaterThanOrEqualTo(40000);
        BenchNumbers.requireConsistent(result);
    }

    @Test
    void javaKernelsAreMeasuredToo() {
        JsonNode root = run(SMALL_GEMM, "--device", "cpu:0/scalar", "--json").json();
        assertThat(root.path("tier").asString()).isEqualTo("reference");
        assertThat(root.path("threads").asInt()).isOne();
        BenchNumbers.requireConsistent(root.path("results").path(0));
    }

    @Test
    void formatsAndRowsMultiply() {
        List<String> ran = new ArrayList<>();
        run(SMALL_GEMM, "--weights", "fp8,bf16", "--m", "1,2", "--json")
                .json()
                .path("results")
                .forEach(r -> ran.add(r.path("weights").asString() + r.path("m").asInt()));
        assertThat(ran).containsExactly("fp81", "fp82", "bf161", "bf162");
    }

    @Test
    void peopleGetATable() {
        Run run = run(SMALL_GEMM);
        assertThat(run.code()).isZero();
        assertThat(run.out()).contains("gemm on cpu:0", "3 rounds", "ofLimit", "GB/s");
    }

    /** What was measured before something fails is printed by then. */
    @Test
    void linesArePrintedAsTheyCome() throws IOException {
        BenchOptions options = CommandLine.populateCommand(new BenchOptions(), "-o", "jsonl");
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        PrintStream screen = new PrintStream(out, false, StandardCharsets.UTF_8);
        BenchReport report = new BenchReport("gemm", options, Json.object(), new Terminal(screen, screen, false));
        try (Weft weft = Weft.open()) {
            Work work = new Work(8, 2, HardwareLimit.READ);
            report.add(weft.best(), new Result("one", work, new double[] {2}, Optional.empty()), Json.object());
        }
        assertThat(out.toString(StandardCharsets.UTF_8))
                .contains("\"work\":\"one\"", "\"gbps\":4.0E-9")
                .endsWith("}\n");
        int printed = out.size();
        report.write();
        assertThat(out.size()).isEqualTo(printed);
    }

    private static Run run(List<Object> first, Object... more) {
        var all = new ArrayList<>(first);
        all.addAll(List.of(more));
        return Run.of(all.toArray());
    }
}
