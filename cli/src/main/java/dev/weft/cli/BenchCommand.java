package dev.weft.cli;

import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** {@code weft bench}: the forms of it. */
@Command(
        name = "bench",
        description = "Measure how close a device comes to its limits, which are measured in the same run.",
        synopsisSubcommandLabel = "FORM")
final class BenchCommand extends WeftCommand {
    @Spec
    private CommandSpec spec;

    private BenchCommand(Terminal terminal) {
        super(terminal);
    }

    /** The command with its forms. */
    static CommandLine create(Terminal terminal) {
        return new CommandLine(new BenchCommand(terminal))
                .addSubcommand("gemm", new BenchGemmCommand(terminal))
                .addSubcommand("op", new BenchOpCommand(terminal))
                .addSubcommand("piece", new BenchPieceCommand(terminal))
                .addSubcommand("layer", new BenchLayerCommand(terminal))
                .addSubcommand("model", new BenchModelCommand(terminal))
                .addSubcommand("exchange", new BenchExchangeCommand(terminal))
                .addSubcommand("diff", new BenchDiffCommand(terminal));
    }

    /** Called without a form. */
    @Override
    public Integer call() {
        throw new ParameterException(
                spec.commandLine(),
                "a form of bench is missing, expected one of "
                        + String.join(", ", spec.subcommands().keySet()));
    }
}
