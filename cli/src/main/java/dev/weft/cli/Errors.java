package dev.weft.cli;

import dev.weft.CommunicatorException;
import dev.weft.WeftException;
import dev.weft.ranks.LaunchException;
import java.io.IOException;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.NoSuchFileException;
import picocli.CommandLine;
import picocli.CommandLine.IExecutionExceptionHandler;
import picocli.CommandLine.IParameterExceptionHandler;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.UnmatchedArgumentException;

/** Turns exceptions into one line on standard error and an exit code. */
final class Errors implements IParameterExceptionHandler, IExecutionExceptionHandler {
    /** Before some messages of picocli, for no reason that a user could see. */
    private static final String PICOCLI_PREFIX = "Error: ";

    private final Terminal terminal;

    Errors(Terminal terminal) {
        this.terminal = terminal;
    }

    static PrintWriter writer(PrintStream stream) {
        return new PrintWriter(stream, true, StandardCharsets.UTF_8);
    }

    @Override
    public int handleParseException(ParameterException e, String[] args) {
        terminal.note("weft: %s%n", message(e));
        terminal.note("Try '%s --help'.%n", e.getCommandLine().getCommandSpec().qualifiedName());
        return ExitCode.USAGE;
    }

    @Override
    public int handleExecutionException(Exception e, CommandLine command, ParseResult result) {
        terminal.out().flush();
        terminal.note("weft: %s%n", message(e));
        boolean expected = e instanceof WeftException || e instanceof IOException || e instanceof UncheckedIOException;
        boolean trace = command.getCommandSpec().userObject() instanceof WeftCommand c && c.stacktrace();
        if (trace) {
            e.printStackTrace(terminal.err());
        } else if (!expected) {
            terminal.note("This is a defect of weft; --stacktrace shows where.%n");
        }
        return status(e);
    }

    private static int status(Throwable e) {
        return switch (e) {
            case UsageException u -> ExitCode.USAGE;
            case LaunchException l -> ExitCode.RANKS;
            case CommunicatorException c -> ExitCode.RANKS;
            default -> ExitCode.FAILED;
        };
    }

    /** Says why a rank has failed. @return exit code */
    static int rankFailed(Terminal terminal, Throwable e) {
        terminal.out().flush();
        terminal.note("weft: %s%n", e instanceof Exception x ? message(x) : e);
        return status(e);
    }

    private static String message(ParameterException e) {
        CommandLine command = e.getCommandLine();
        if (e instanceof UnmatchedArgumentException u
                && !command.getSubcommands().isEmpty()) {
            return "no command '" + u.getUnmatched().getFirst() + "', expected one of "
                    + String.join(", ", command.getSubcommands().keySet());
        }
        return e.getMessage().startsWith(PICOCLI_PREFIX)
                ? e.getMessage().substring(PICOCLI_PREFIX.length())
                : e.getMessage();
    }

    /** What went wrong, in one line. */
    static String message(Exception e) {
        return switch (e) {
            case WeftException w -> w.getMessage();
            case UncheckedIOException u -> message(u.getCause());
            case NoSuchFileException n -> n.getFile() + ": no such file";
            case FileAlreadyExistsException f -> f.getFile() + ": exists already";
            default -> e.toString();
        };
    }
}
