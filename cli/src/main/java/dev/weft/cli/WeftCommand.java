package dev.weft.cli;

import java.util.concurrent.Callable;
import picocli.CommandLine.Option;

/** What all subcommands share: where to write, {@code --help} and {@code --stacktrace}. */
abstract class WeftCommand implements Callable<Integer> {
    protected final Terminal terminal;

    @Option(
            names = {"-h", "--help"},
            usageHelp = true,
            description = "Show this help.")
    private boolean help;

    @Option(names = "--stacktrace", description = "Show where an error comes from.")
    private boolean stacktrace;

    WeftCommand(Terminal terminal) {
        this.terminal = terminal;
    }

    boolean stacktrace() {
        return stacktrace;
    }

    /** Runs the command. @return one of {@link ExitCode} */
    @Override
    public abstract Integer call() throws Exception;
}
