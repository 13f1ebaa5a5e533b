package dev.weft.cli;

import dev.weft.bench.GemmBench;
import dev.weft.bench.GemmBench.Format;
import dev.weft.bench.Rounds;
import dev.weft.runtime.Device;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import tools.jackson.databind.node.ObjectNode;

/** {@code weft bench gemm}: one linear layer, with weights that come from memory. */
@Command(
        name = "gemm",
        description =
                "Measure a linear layer [m, k] x [n, k], many times with weights of its own each time so that they"
                        + " come from memory.")
final class BenchGemmCommand extends WeftCommand {
    @Mixin
    private final BenchOptions options = new BenchOptions();

    @Option(
            names = "--weights",
            paramLabel = "FORMAT,..",
            split = ",",
            defaultValue = "mxfp4",
            description = "mxfp4, fp8, bf16 or f32. Default: ${DEFAULT-VALUE}.")
    private List<String> weights = List.of();

    @Option(
            names = "--activations",
            paramLabel = "FORMAT",
            description = "fp8, bf16 or f32. Default: as the model has them, fp8 with mxfp4 and fp8, else that of the"
                    + " weights.")
    private @Nullable String activations;

    @Option(
            names = "--m",
            paramLabel = "M,..",
            split = ",",
            defaultValue = "1",
            description = "Rows. Default: ${DEFAULT-VALUE}.")
    private List<Integer> rows = List.of();

    @Option(names = "--k", paramLabel = "K", defaultValue = "4096", description = "Inputs. Default: ${DEFAULT-VALUE}.")
    private int k;

    @Option(names = "--n", paramLabel = "N", defaultValue = "2048", description = "Outputs. Default: ${DEFAULT-VALUE}.")
    private int n;

    @Option(
            names = "--weight-bytes",
            paramLabel = "BYTES",
            description = "Least bytes of all weights together. Default: 160 MiB, more than caches hold.")
    private @Nullable Long weightBytes;

    BenchGemmCommand(Terminal terminal) {
        super(terminal);
    }

    @Override
    public Integer call() throws IOException {
        List<GemmBench> benches = new ArrayList<>();
        for (String format : BenchOptions.each("--weights", weights)) {
            for (int m : BenchOptions.each("--m", rows)) {
                benches.add(bench(format, m));
            }
        }
        Rounds rounds = options.rounds();
        BenchReport report = new BenchReport("gemm", options, Json.object(), terminal);
        options.eachDevice(device -> benches.forEach(bench -> measure(bench, device, rounds, report)));
        report.write();
        return ExitCode.OK;
    }

    private void measure(GemmBench bench, Device device, Rounds rounds, BenchReport report) {
        GemmBench.Outcome outcome;
        try (Progress progress = new Progress(terminal, "rounds", Progress.Unit.CASES, rounds.total())) {
            outcome = bench.run(device, rounds, options.seed(), progress::accept);
        }
        ObjectNode details = Json.object();
        details.put("weights", bench.weights().key())
                .put("activations", bench.activations().key());
        details.put("m", bench.m()).put("k", k).put("n", n);
        details.put("copies", outcome.copies()).put("kernel", outcome.kernel());
        report.add(device, outcome.result(), details);
    }

    private GemmBench bench(String format, int m) {
        Format w = format("--weights", format, Format.values());
        Format a = activations == null
                ? w.usualActivations()
                : format("--activations", activations, Format.FP8, Format.BF16, Format.F32);
        BenchOptions.positive("--m", m);
        BenchOptions.positive("--k", k);
        BenchOptions.positive("--n", n);
        if (weightBytes != null && weightBytes < 1) {
            throw new UsageException("--weight-bytes: found " + weightBytes + ", expected 1 or more");
        }
        if (w == Format.MXFP4 && k % 32 != 0) {
            throw new UsageException("--k: found " + k + ", expected a multiple of 32, the block of mxfp4 weights");
        }
        if (a == Format.FP8 && k % 128 != 0) {
            throw new UsageException("--k: found " + k + ", expected a multiple of 128, the block of fp8 activations");
        }
        GemmBench bench = new GemmBench(w, a, m, k, n, weightBytes == null ? GemmBench.BEYOND_CACHES : weightBytes);
        if (weightBytes != null && weightBytes > bench.mostBytes()) {
            throw new UsageException("--weight-bytes: found " + weightBytes + ", expected at most " + bench.mostBytes()
                    + " of this shape");
        }
        return bench;
    }

    private static Format format(String option, String name, Format... allowed) {
        return Stream.of(allowed)
                .filter(f -> f.key().equals(name))
                .findFirst()
                .orElseThrow(() -> new UsageException(option + ": found '" + name + "', expected one of "
                        + Arrays.stream(allowed).map(Format::key).collect(Collectors.joining(", "))));
    }
}
