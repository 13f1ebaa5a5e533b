package dev.weft.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.weft.DeviceId;
import dev.weft.RequestException;
import dev.weft.bench.Result;
import dev.weft.bench.Work;
import dev.weft.runtime.Weft;
import dev.weft.spi.DeviceInfo;
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
import org.junit.jupiter.params.provider.CsvSource;
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
        requireConsistent(result);
    }

    @Test
    void javaKernelsAreMeasuredToo() {
        JsonNode root = run(SMALL_GEMM, "--device", "cpu:0/scalar", "--json").json();
        assertThat(root.path("tier").asString()).isEqualTo("reference");
        assertThat(root.path("threads").asInt()).isOne();
        requireConsistent(root.path("results").path(0));
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

    @ParameterizedTest
    @CsvSource({"window, 0, 1", "csa, 300, 3", "hca, 300, 1"})
    void layersAndTheirNodesAreMeasured(String kind, int context, int tokens) {
        Run run = Run.of(
                "bench",
                "layer",
                "--model",
                "tiny",
                "--kind",
                kind,
                "--context",
                context,
                "--tokens",
                tokens,
                "--ops",
                "--rounds",
                2,
                "--json");
        assertThat(run.err()).isEmpty();
        assertThat(run.code()).isZero();
        JsonNode results = run.json().path("results");
        results.forEach(BenchTest::requireConsistent);
        assertThat(results.path(0).path("work").asString()).isEqualTo("layer " + kind);
        List<String> ops = new ArrayList<>();
        results.forEach(r -> ops.add(r.path("op").asString("")));
        assertThat(ops).contains("sparseAttention", "expertGemm", "hyperPost");
        assertThat(ops.contains("lightningIndex")).isEqualTo(kind.equals("csa"));
        double nodes = 0;
        for (int i = 1; i < results.size(); i++) {
            nodes += results.path(i).path("flops").asDouble();
        }
        assertThat(results.path(0).path("flops").asDouble()).isCloseTo(nodes, within(results.size() * 1.0));
    }

    /** The floors of nodes one after another cannot be less than one floor of all of them. */
    @Test
    void layersOneAfterAnotherAreHeldAgainstTheSumOfFloors() {
        Object[] line = "bench layer --model tiny --kind window,csa,hca,csa --batch 1,3 --rounds 2 --json".split(" ");
        Run run = Run.of(line);
        assertThat(run.err()).isEmpty();
        JsonNode results = run.json().path("results");
        assertThat(results).hasSize(2);
        for (JsonNode r : results) {
            requireConsistent(r);
            assertThat(r.path("work").asString()).isEqualTo("layer window,csa,hca,csa");
            double floors = positive(r.path("floorSeconds"));
            double median = r.path("seconds").path("median").asDouble();
            assertThat(r.path("timesFloor").asDouble()).isCloseTo(median / floors, within(1e-9 * median / floors));
            double read = positive(r.path("ceilings").path("read"));
            assertThat(floors * (1 + 1e-9))
                    .isGreaterThanOrEqualTo(r.path("bytes").asDouble() / read);
            assertThat(r.has("hostSeconds")).isFalse(); // the host's clock takes the times
        }
        assertThat(results.path(0).path("batch").asInt()).isOne();
        assertThat(results.path(1).path("batch").asInt()).isEqualTo(3);
        assertThat(results.path(1).path("flops").asLong())
                .isEqualTo(3 * results.path(0).path("flops").asLong());
    }

    @Test
    void piecesAreRepeatedWithDataOfTheirOwn() {
        Object[] line =
                "bench piece experts,attention,index,topk,hyper --model tiny --m 1,3 --context 255 --rounds 2 --json"
                        .split(" ");
        Run run = Run.of(line);
        assertThat(run.err()).isEmpty();
        JsonNode results = run.json().path("results");
        assertThat(results).hasSize(10).allSatisfy(BenchTest::requireConsistent);
        for (int i = 0; i < 10; i += 2) {
            JsonNode one = results.path(i);
            JsonNode three = results.path(i + 1);
            assertThat(one.path("copies").asInt())
                    .isGreaterThan(1)
                    .isEqualTo(three.path("copies").asInt());
            assertThat(three.path("flops").asLong())
                    .as(one.path("work").asString())
                    .isEqualTo(3 * one.path("flops").asLong());
        }
        assertThat(results.path(4).path("bytes").asLong()) // keys of 64 entries, 128 wide
                .isEqualTo(results.path(4).path("copies").asLong() * 64 * 128 * 2);
        Run few = Run.of("bench", "piece", "index", "--model", "tiny", "--context", 66);
        assertThat(few.code()).isEqualTo(1);
        assertThat(few.err()).contains("index: found context 66, expected 67 or more");
    }

    /** 40 rows behind 255 tokens: each sees its window and the 16 entries that are picked, and reads what the others read. */
    @Test
    void aPromptsRowsShareTheirKeys() {
        Object[] line = "bench piece prefill,attention,attention --model tiny --m 40 --context 255 --rounds 2 --json"
                .split(" ");
        JsonNode results = Run.of(line).json().path("results");
        assertThat(results).hasSize(2).allSatisfy(BenchTest::requireConsistent); // what is named twice is measured once
        JsonNode prompt = results.path(0);
        JsonNode decode = results.path(1);
        assertThat(prompt.path("work").asString()).isEqualTo("prefill");
        assertThat(perCopy(prompt, "flops")).isEqualTo(perCopy(decode, "flops"));
        assertThat(perCopy(prompt, "bytes")).isLessThan(perCopy(decode, "bytes"));
    }

    private static double perCopy(JsonNode result, String field) {
        return result.path(field).asDouble() / result.path("copies").asInt();
    }

    /** Native kernels of experts compute their activation as well; the others launch it by itself. */
    @Test
    void anOperatorThatAnotherComputesIsNoResult() {
        Run run = Run.of("bench", "op", "swiGlu", "--model", "tiny", "--rounds", 2);
        if (!PlanTest.hasNativeKernels()) {
            assertThat(run.code()).as(run.err()).isZero();
            assertThat(run.out()).contains("swiGlu");
            return;
        }
        assertThat(run.code()).isEqualTo(1);
        assertThat(run.err())
                .contains("NAME: found swiGlu, which on cpu:0 is computed by the kernel of another operator");
    }

    /** Shapes that no machine holds are refused before anything is made of them. */
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "piece experts --m 2147483647                        | experts: found m=2147483647, expected at most 1048576",
                "layer --batch 2147483647 --context 255              | found sequences=2147483647 tokens=1 context=256",
                "layer --batch 65536 --tokens 65536 --context 0      | which are 4294967296 rows",
            })
    void whatCannotBeNumberedIsRefused(String line, String message) {
        Run run = Run.of((Object[]) ("bench " + line.strip() + " --model tiny").split(" +"));
        assertThat(run.code()).as(run.err()).isEqualTo(1);
        assertThat(run.err()).contains(message);
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

    @Test
    void anOperatorIsMeasuredInEveryLayerWhereItDiffers() {
        JsonNode root = Run.of("bench", "op", "SPARSEattention", "--model", "tiny", "--rounds", 2, "--m", 2, "--json")
                .json();
        List<String> kinds = new ArrayList<>();
        root.path("results").forEach(r -> {
            requireConsistent(r);
            assertThat(r.path("op").asString()).isEqualTo("sparseAttention");
            kinds.add(r.path("kind").asString());
        });
        assertThat(kinds).containsExactly("csa", "hca", "window");
    }

    @Test
    void modelsAreMeasuredInTokens() {
        JsonNode root = Run.of(
                        "bench",
                        "model",
                        DemoModel.locate(null),
                        "--prompt",
                        9,
                        "--generate",
                        3,
                        "--batch",
                        2,
                        "--rounds",
                        2,
                        "--json")
                .json();
        JsonNode results = root.path("results");
        assertThat(results).hasSize(2);
        results.forEach(BenchTest::requireConsistent);
        for (int i = 0; i < 2; i++) {
            JsonNode r = results.path(i);
            assertThat(r.path("tokens").asInt()).isEqualTo(i == 0 ? 18 : 6);
            double rate =
                    r.path("tokens").asInt() / r.path("seconds").path("median").asDouble();
            assertThat(r.path("tokensPerSecond").asDouble()).isCloseTo(rate, within(1e-6 * rate));
        }
    }

    @Test
    void emulatorsHaveNoTimes() {
        DeviceInfo emulated = new DeviceInfo(DeviceId.parse("ascend:0"), "CANN emulator", "emulator", 0, List.of());
        assertThatThrownBy(() -> BenchOptions.requireHardware(emulated))
                .isInstanceOf(RequestException.class)
                .hasMessageContaining("ascend:0", "tier emulator");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "bench                             | a form of bench is missing",
                "bench conv                        | no command 'conv', expected one of gemm, op, piece, layer, model",
                "bench gemm --weights int2         | --weights: found 'int2', expected one of mxfp4",
                "bench gemm --activations mxfp4    | --activations: found 'mxfp4', expected one of fp8",
                "bench gemm --m 0                  | --m: found 0",
                "bench gemm --k 33                 | --k: found 33, expected a multiple of 32",
                "bench gemm --k 96                 | --k: found 96, expected a multiple of 128",
                "bench gemm --n -1                 | --n: found -1",
                "bench gemm --weights ,            | --weights: found none, expected one or more",
                "bench gemm --m ,                  | --m: found none",
                "bench gemm --rounds 0             | --rounds: found 0",
                "bench gemm --threads -1           | --threads: found -1",
                "bench gemm --m many               | 'many' is not an int",
                "bench gemm --weight-bytes 9223372036854775807 | --weight-bytes: found 9223372036854775807, expected at most",
                "bench gemm --weight-bytes -1      | --weight-bytes: found -1",
                "bench op                          | NAME",
                "bench op conv2d --model tiny      | NAME: found 'conv2d', expected one of ",
                "bench op gemm --all               | mutually exclusive",
                "bench op gemm --m 0               | --m: found 0",
                "bench layer --kind csa,dense      | --kind: found 'dense', expected one of window, csa, hca",
                "bench layer --batch 0             | --batch: found 0",
                "bench piece                       | NAME",
                "bench layer --kind ,              | --kind: found none",
                "bench layer --batch ,             | --batch: found none",
                "bench layer --tokens ,            | --tokens: found none",
                "bench piece ,                     | NAME: found none",
                "bench piece hyper --m ,           | --m: found none",
                "bench piece topk,conv             | NAME: found 'conv', expected one of experts, attention, prefill",
                "bench piece topk --m 1,0          | --m: found 0",
                "bench layer --model huge          | --model: found 'huge'",
                "bench layer --tokens 0            | --tokens: found 0",
                "bench layer --context -1          | --context: found -1",
                "bench layer --context 1048576     | --context: found 1048576, expected 0 to 1048575",
                "bench exchange                    | bench exchange: found one process, expected ranks",
                "bench exchange --tokens 0         | --tokens: found 0",
                "bench exchange --model huge       | --model: found 'huge'",
                "bench layer --spread head         | --spread: found one process, expected ranks",
                "bench model                       | MODEL",
                "bench model no-such-model         | MODEL: no-such-model: no such folder",
                "bench model . --prompt -1         | --prompt: found -1",
                "bench model . -p 0 -n 0           | -p, -n: found 0 of both",
                "bench model . -pg 5               | -pg: found '5'",
                "bench model . -o xml              | -o: found 'xml', expected one of table, md, csv, json, jsonl",
                "bench model . --output a.txt      | --output: found 'txt'",
                "bench model . --arrow no/a.arrow  | --arrow: found no/a.arrow",
                "bench diff a.json b.json          | a.json: no such file",
                "bench model . --batch 0           | --batch: found 0",
                "bench model . --spread heads      | --spread: found 'heads', expected head, output, both also with =N",
                "bench model . --spread head,head=2 | --spread: found 'head=2' besides another of its kind, expected one",
                "bench model . --spread head       | --spread: found one process, expected ranks",
            })
    void badArgumentsAreUsageErrors(String line, String message) {
        Run run = Run.of((Object[]) line.strip().split(" +"));
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.out()).isEmpty();
        assertThat(run.err()).startsWith("weft: ").contains(message);
    }

    @Test
    void anUnknownDeviceFails() {
        Run run = run(SMALL_GEMM, "--device", "tpu:0");
        assertThat(run.code()).isEqualTo(1);
        assertThat(run.err()).contains("device tpu:0: no such backend");
    }

    /** Numbers are there, finite, and say the same as each other. */
    static void requireConsistent(JsonNode result) {
        double median = positive(result.path("seconds").path("median"));
        double p10 = positive(result.path("seconds").path("p10"));
        assertThat(p10).isLessThanOrEqualTo(median);
        double bytes = result.path("bytes").asDouble();
        double flops = result.path("flops").asDouble();
        assertThat(result.path("gbps").asDouble()).isCloseTo(bytes / median / 1e9, within(1e-6 * bytes / median / 1e9));
        assertThat(result.path("gflops").asDouble())
                .isCloseTo(flops / median / 1e9, within(1e-6 * flops / median / 1e9));
        if (result.path("limit").isNull()) {
            assertThat(result.path("ofLimit").isNull()).isTrue();
            return;
        }
        JsonNode limit = result.path("limit");
        positive(limit.path("value"));
        assertThat(limit.path("kind").asString()).isIn("read", "f32Fma", "bf16Dot", "int8Dot");
        assertThat(limit.path("unit").asString())
                .isEqualTo(limit.path("kind").asString().equals("read") ? "B/s" : "op/s");
        assertThat(positive(result.path("ofLimitP10"))).isLessThanOrEqualTo(positive(result.path("ofLimit")));
    }

    private static double positive(JsonNode number) {
        assertThat(number.isNumber()).isTrue();
        assertThat(number.asDouble()).isFinite().isPositive();
        return number.asDouble();
    }

    private static Run run(List<Object> first, Object... more) {
        var all = new ArrayList<>(first);
        all.addAll(List.of(more));
        return Run.of(all.toArray());
    }
}
