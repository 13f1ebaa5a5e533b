package dev.weft.cli;

import dev.weft.bench.PieceBench;
import dev.weft.bench.PieceBench.Kind;
import dev.weft.bench.Rounds;
import dev.weft.model.config.ModelConfig;
import dev.weft.runtime.Device;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tools.jackson.databind.node.ObjectNode;

/** {@code weft bench piece}: nodes of a layer by themselves, so often in one graph that microseconds can be told. */
@Command(
        name = "piece",
        description =
                "Measure pieces of a layer at the model's shapes, many times in one graph with weights and states of"
                        + " their own each time, so that they come from memory.")
final class BenchPieceCommand extends WeftCommand {
    @Mixin
    private final BenchOptions options = new BenchOptions();

    @Mixin
    private final BenchLayerOptions layerOptions = new BenchLayerOptions();

    @Parameters(
            paramLabel = "NAME",
            split = ",",
            arity = "1",
            description =
                    "experts, fp8-experts (with weights of FP8), attention (to picked entries), hca (to all of ratio 128),"
                            + " prefill (attention of all rows of one sequence), index (scores and picks), topk, hyper"
                            + " (exit, entry and norm of a hyper-connection), sample (the next tokens from logits); or a linear layer: wq_a+wkv, wq_b, wo_a, wo_b,"
                            + " shared.w1+w3, shared.w2, gate, compressor.4, compressor.128, index.wq_b, index.compressor.")
    private List<String> names = List.of();

    @Option(
            names = "--m",
            paramLabel = "M,..",
            split = ",",
            defaultValue = "1",
            description = "Rows, each of a sequence of its own but in prefill. Default: ${DEFAULT-VALUE}.")
    private List<Integer> rows = List.of();

    BenchPieceCommand(Terminal terminal) {
        super(terminal);
    }

    @Override
    public Integer call() throws IOException {
        ModelConfig config = layerOptions.config();
        int context = layerOptions.context(config, 1);
        Rounds rounds = options.rounds();
        List<PieceBench> pieces = new ArrayList<>();
        for (String name : BenchOptions.each("NAME", names)) {
            for (int m : BenchOptions.each("--m", rows)) {
                pieces.add(new PieceBench(kind(name), config, BenchOptions.positive("--m", m), context));
            }
        }
        ObjectNode settings = Json.object();
        settings.put("model", layerOptions.model()).put("context", context);
        BenchReport report = new BenchReport("piece", options, settings, terminal);
        options.eachDevice(device -> pieces.forEach(piece -> measure(piece, device, rounds, report)));
        report.write();
        return ExitCode.OK;
    }

    private void measure(PieceBench piece, Device device, Rounds rounds, BenchReport report) {
        try (Progress progress = new Progress(terminal, "rounds", Progress.Unit.CASES, rounds.total())) {
            PieceBench.Outcome outcome = piece.run(device, rounds, options.seed(), progress::accept);
            ObjectNode details = Json.object().put("m", piece.m());
            details.put("copies", outcome.copies()).put("kernel", outcome.kernels());
            report.add(device, outcome.result(), details);
        }
    }

    private static Kind kind(String name) {
        return Arrays.stream(Kind.values())
                .filter(k -> k.key().equals(name))
                .findFirst()
                .orElseThrow(() -> new UsageException("NAME: found '" + name + "', expected one of "
                        + Arrays.stream(Kind.values()).map(Kind::key).collect(Collectors.joining(", "))));
    }
}
