package dev.weft.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.cli.AcceptancePack.Ended;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the recipe that judges a CUDA machine makes of the lines of benchmarks. */
class AcceptanceTableTest {
    private AcceptancePack pack;

    @BeforeEach
    void unpack(@TempDir Path folder) throws IOException {
        pack = new AcceptancePack(folder);
    }

    /** Lines as a device of FP8 products writes them: 2 copies of 60 MB in 40 us, 50 us by torch. */
    @Test
    void aDevicesLinesBecomeFactsAndVerdicts() throws IOException, InterruptedException {
        Path log = pack.file("piece.log");
        Files.writeString(log, """
                weft: a warning
                {"benchmark":"piece","clock":"device","work":"experts","kernel":"expertGemm","m":1,"copies":2,"bytes":120000000,\
                "flops":90000000000,"seconds.median":4.0E-5,"gbps":3000.0,"gflops":2250000.0,"limit.kind":"read",\
                "limit.value":4.0E12,"ofLimit":0.75,"ceilings.read":4.0E12,"ceilings.fp8Dot":1.5E15}
                {"benchmark":"layer","clock":"device","work":"layer window","batch":1,"bytes":1,"flops":1,"seconds.median":1.0E-3,\
                "gbps":1.0,"gflops":1.0,"limit.kind":"read","limit.value":4.0E12,"ofLimit":0.9,"ceilings.read":4.0E12,\
                "floorSeconds":9.0E-4,"timesFloor":1.36,"hostSeconds":1.95E-5,"launches":68}
                {"benchmark":"gemm","clock":"device","device":"cuda:0/cublaslt","weights":"bf16","m":1,"kernel":"gemm/mma","seconds.median":1.0E-5}
                weft: gemm: computed by a kernel of our own
                {"benchmark":"gemm","clock":"device","device":"cuda:0/cublaslt","weights":"bf16","m":4096,"kernel":"gemm/cublaslt","seconds.median":1.0E-5}
                {"benchmark":"gemm","clock":"device","device":"cuda:0/cublaslt","weights":"fp8","m":4096,"kernel":"gemm/cublaslt","seconds.median":1.0E-5}
                {"benchmark":"piece","clock":"device","device":"cuda:0/fp8","work":"experts","kernel":"expertGemm/mma, quantize","m":1,"seconds.median":1.0E-5}
                {"benchmark":"piece","clock":"device","device":"cuda:0/fp8","work":"experts","kernel":"expertGemm/fp8, quantize","m":4096,\
                "seconds.median":1.0E-3}
                """);
        Path sticks =
                Files.writeString(pack.file("sticks.tsv"), "experts m=1\t50.0\ta loop\nexperts m=4096\t70.0\ta loop\n");
        Path facts = pack.file("facts.tsv");
        Ended table = pack.run(List.of(
                "awk",
                "-v",
                "phase=piece",
                "-v",
                "suffix=",
                "-v",
                "sticks=" + sticks,
                "-v",
                "facts=" + facts,
                "-f",
                pack.file("facts.awk").toString(),
                log.toString()));
        assertThat(table.code()).as(table.printed()).isZero();
        assertThat(table.printed().split("\n"))
                .satisfiesExactly(
                        line -> assertThat(line)
                                .startsWith(
                                        "piece\texperts m=1\tmeasured\t20.0\t50.0\t0.75\t\t\texpertGemm, 3000 GB/s"),
                        line -> assertThat(line)
                                .startsWith("piece\tstack b=1\tmeasured\t1000.0\t\t0.90\t")
                                .endsWith("1.36 times the sum of floors, host 19.5 us, 68 launches"),
                        line -> assertThat(line).startsWith("piece\t bf16 m=1 /cublaslt\tabsent"),
                        line -> assertThat(line).startsWith("piece\t bf16 m=4096 /cublaslt\tabsent"),
                        line -> assertThat(line).startsWith("piece\t fp8 m=4096 /cublaslt\tmeasured\t10.0"),
                        line -> assertThat(line)
                                .startsWith("piece\texperts m=1 /fp8\tabsent")
                                .endsWith("placed as expertGemm/mma, quantize"),
                        line -> assertThat(line).startsWith("piece\texperts m=4096 /fp8\tmeasured\t1000.0\t70.0"));
        assertThat(Files.readAllLines(facts))
                .contains(
                        "experts m=1\tgbps\t3000.0",
                        "experts m=1\tof_yardstick\t2.5",
                        "experts m=1\tof_fp8_floor\t1.5", // 60 us of FP8 products
                        "experts m=1\tover_floor_us\t5",
                        "stack b=1\thost_us\t19.5",
                        "experts m=4096 /fp8\tof_yardstick\t0.07")
                // a variant's speed that is the usual kernel's
                .noneMatch(fact -> fact.startsWith(" bf16") || fact.startsWith("experts m=1 /fp8"));
        assertThat(verdicts(facts, ""))
                .containsExactly(
                        "experts decode, 1 token: met",
                        "experts decode, 1 token, goal: MISSED",
                        "4 layers, 1 sequence: MISSED",
                        "host time of a step: met");
        assertThat(verdicts(facts, "NVIDIA H100"))
                .containsExactly(
                        "experts decode, 1 token: not judged",
                        "experts decode, 1 token, goal: not judged",
                        "4 layers, 1 sequence: MISSED", // of what the same machine would do at best
                        "host time of a step: not judged");
    }

    /** Bars that were measured, with their verdicts. @param machine that is no H200 */
    private List<String> verdicts(Path facts, String machine) throws IOException, InterruptedException {
        String judge = pack.file("judge.awk").toString();
        String bars = pack.file("bars.tsv").toString();
        List<String> judged = pack.run(List.of("awk", "-v", "machine=" + machine, "-f", judge, bars, facts.toString()))
                .printed()
                .lines()
                .toList();
        assertThat(judged).hasSameSizeAs(AcceptancePack.bars());
        return judged.stream()
                .filter(line -> !line.contains("not measured"))
                .map(line -> line.split("\t")[1] + ": " + line.split("\t")[7])
                .toList();
    }
}
