package dev.weft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.arrow.ArrowTable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** Forms of results, and runs held against each other on times that are given. */
class BenchDiffTest {
    @TempDir
    private Path folder;

    @Test
    void everyFormHoldsTheSameRows() throws IOException {
        Path json = folder.resolve("run.json");
        Path arrow = folder.resolve("run.arrow");
        Run run = Run.of(
                "bench",
                "run",
                "--synthetic",
                "tiny",
                "-p",
                "6,9",
                "-n",
                2,
                "-pg",
                "4,2",
                "-d",
                "0,5",
                "-b",
                "1,2",
                "-t",
                1,
                "-r",
                2,
                "-o",
                "csv",
                "--output",
                json,
                "--arrow",
                arrow);
        assertThat(run.err()).isEmpty();
        assertThat(run.code()).isZero();
        JsonNode root = new JsonMapper().readTree(Files.readAllBytes(json));
        assertThat(root.path("model").asString()).isEqualTo("synthetic:tiny");
        assertThat(root.path("numerics").asString()).isEqualTo("bf16");
        assertThat(root.path("command").asString()).startsWith("weft bench run --synthetic tiny");
        List<String> names = new ArrayList<>();
        root.path("results").forEach(r -> {
            BenchNumbers.requireConsistent(r);
            assertThat(r.path("seconds").path("samples")).hasSize(2);
            names.add(r.path("work").asString() + " x" + r.path("batch").asInt());
        });
        assertThat(names).hasSize(16).doesNotHaveDuplicates().contains("pp6 x1", "tg2 @ d5 x2", "pp4+tg2 @ d5 x1");
        List<String> lines = run.out().lines().toList();
        ArrowTable table = ArrowTable.read(arrow);
        assertThat(lines).hasSize(17);
        assertThat(table.rows()).hasSize(16);
        List<String> heads = List.of(lines.getFirst().split(","));
        for (int i = 0; i < 16; i++) {
            double mean = root.path("results").path(i).path("rate").path("mean").asDouble();
            assertThat(table.rows().get(i)).containsEntry("rate.mean", mean).containsEntry("threads", 1L);
            assertThat(lines.get(i + 1)).contains("," + mean + ",");
        }
        assertThat(heads)
                .isEqualTo(table.columns().stream().map(ArrowTable.Column::name).toList());
    }

    @Test
    void aSlowdownBeyondChanceFails() throws IOException {
        Path a = write("a.json", "x86", "[1.00, 1.01, 0.99]", "[1.0, 2.0, 3.0]", "gone");
        Path b = write("b.json", "arm", "[1.20, 1.21, 1.19]", "[1.1, 2.1, 2.9]", "new");
        Run run = Run.of("bench", "diff", a, b);
        assertThat(run.code()).isZero();
        assertThat(run.err()).contains("hardware: x86, then arm");
        assertThat(run.out().lines().filter(l -> l.startsWith("pp8")))
                .singleElement()
                .asString()
                .endsWith("slower");
        assertThat(run.out().lines().filter(l -> l.startsWith("tg8")))
                .singleElement()
                .asString()
                .endsWith("no difference seen");
        assertThat(run.out()).contains("only in A: gone", "only in B: new");
        assertThat(Run.of("bench", "diff", a, b, "--fail-on-regression", 10).code())
                .isEqualTo(1);
        assertThat(Run.of("bench", "diff", a, b, "--fail-on-regression", 25).code())
                .isZero();
        assertThat(Run.of("bench", "diff", b, a, "--fail-on-regression", 0).code())
                .isZero();
        JsonNode rows = Run.of("bench", "diff", b, a, "--json").json().path("rows");
        assertThat(rows.path(0).path("verdict").asString()).isEqualTo("faster");
        assertThat(rows.path(0).path("ratio").asDouble()).isBetween(1.199, 1.201);
    }

    @Test
    void everyFormOfADifferenceHoldsTheSameNumbers() throws IOException {
        Path a = write("a.json", "x86", "[1.00, 1.01, 0.99]", "[1]", "gone");
        Path b = write("b.json", "arm", "[1.20, 1.21, 1.19]", "[1]", "new");
        JsonNode row =
                Run.of("bench", "diff", a, b, "-o", "json").json().path("rows").path(0);
        double ratio = row.path("ratio").asDouble();
        Run csv = Run.of("bench", "diff", a, b, "-o", "csv");
        assertThat(csv.out().lines())
                .containsExactly(
                        "name,secondsA,secondsB,ratio,low,high,p,verdict",
                        "pp8,1.0,1.0,%s,%s,%s,%s,slower"
                                .formatted(
                                        ratio,
                                        row.path("low").asDouble(),
                                        row.path("high").asDouble(),
                                        row.path("p").asDouble()),
                        "tg8,1.0,1.0,,,,,too few rounds",
                        "gone,,,,,,,only in A",
                        "new,,,,,,,only in B");
        assertThat(csv.err()).contains("hardware: x86, then arm");
        List<String> lines =
                Run.of("bench", "diff", a, b, "-o", "jsonl").out().lines().toList();
        assertThat(lines).hasSize(4);
        assertThat(new JsonMapper().readTree(lines.getFirst()).path("ratio").asDouble())
                .isEqualTo(ratio);
        Run md = Run.of("bench", "diff", a, b, "-o", "md");
        assertThat(md.out())
                .startsWith(
                        "- differs: hardware: x86, then arm\n- only in A: gone\n- only in B: new\n\n| work | A ms |")
                .contains("\n|---|---:|---:|---:|---:|---:|---|\n| pp8 | 1000.0000 | 1000.0000 | 0.833 | ")
                .endsWith("| too few rounds |\n");
        assertThat(md.err()).isEmpty();
        Run unknown = Run.of("bench", "diff", a, b, "-o", "xml");
        assertThat(unknown.code()).isEqualTo(2);
        assertThat(unknown.err()).contains("-o: found 'xml', expected one of table, md, csv, json, jsonl");
    }

    @Test
    void resultsWithoutSamplesAreRefused() throws IOException {
        Path a = write("a.json", "x86", "[1]", "[]", "one");
        Run run = Run.of("bench", "diff", a, a);
        assertThat(run.code()).isEqualTo(2);
        assertThat(run.err()).contains("tg8: found no seconds.samples");
    }

    @Test
    void aGateThatJudgedNothingFails() throws IOException {
        Path a = write("a.json", "x86", "[1]", "[1]", "one");
        Path b = write("b.json", "x86", "[1]", "[1]", "two");
        assertThat(Run.of("bench", "diff", a, b).code()).isZero();
        Run gate = Run.of("bench", "diff", a, b, "--fail-on-regression", 5);
        assertThat(gate.code()).isEqualTo(1);
        assertThat(gate.err()).contains("nothing was judged");
    }

    private Path write(String name, String hardware, String first, String second, String third) throws IOException {
        String row = "{\"work\": \"%s\", \"seconds\": {\"median\": 1, \"samples\": %s}}";
        return Files.writeString(
                folder.resolve(name),
                "{\"benchmark\": \"model\", \"hardware\": \"%s\", \"results\": [%s, %s, %s]}"
                        .formatted(
                                hardware,
                                row.formatted("pp8", first),
                                row.formatted("tg8", second),
                                row.formatted(third, "[1, 2]")));
    }
}
