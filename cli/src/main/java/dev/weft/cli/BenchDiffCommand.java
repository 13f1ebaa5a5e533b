package dev.weft.cli;

import java.io.IOException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code weft bench diff}: two runs held against each other. */
@Command(
        name = "diff",
        description = "Hold the results of two runs, written with --output FILE.json, against each other: how much"
                + " faster the second is, and whether chance explains it.")
final class BenchDiffCommand extends WeftCommand {
    @Parameters(index = "0", paramLabel = "A", description = "JSON of the first run.")
    private Path first = Path.of("");

    @Parameters(index = "1", paramLabel = "B", description = "JSON of the second run.")
    private Path second = Path.of("");

    @Option(
            names = "--confidence",
            paramLabel = "PERCENT",
            defaultValue = "95",
            description = "Confidence of intervals and verdicts. Default: ${DEFAULT-VALUE}.")
    private double confidence;

    @Option(
            names = "--fail-on-regression",
            paramLabel = "PERCENT",
            description = "Exit with 1 if work takes more than so much longer and chance does not explain it.")
    private @Nullable Double regression;

    @Option(
            names = {"-o", "--format"},
            paramLabel = "FORMAT",
            defaultValue = "table",
            description = "table, md, csv, json or jsonl. Default: ${DEFAULT-VALUE}.")
    private String format = "table";

    @Option(names = "--json", description = "Print JSON, as -o json does.")
    private boolean json;

    BenchDiffCommand(Terminal terminal) {
        super(terminal);
    }

    @Override
    public Integer call() throws IOException {
        if (!(confidence > 0 && confidence < 100)) {
            throw new UsageException("--confidence: found " + confidence + ", expected above 0 and below 100");
        }
        if (regression != null && !(regression >= 0)) {
            throw new UsageException("--fail-on-regression: found " + regression + ", expected 0 or more");
        }
        BenchFormat form = json ? BenchFormat.JSON : BenchFormat.named("-o", format);
        BenchDiff diff = BenchDiff.of(BenchDiff.read(first), BenchDiff.read(second), confidence / 100);
        new BenchDiffForms(diff).write(form, terminal);
        if (regression != null && !diff.hasVerdict()) {
            terminal.note("weft: nothing was judged: no work is in both runs and measured more than once in each%n");
            return ExitCode.FAILED;
        }
        return regression != null && diff.slowerThan(regression) ? ExitCode.FAILED : ExitCode.OK;
    }
}
