package dev.weft.benchmarks;

import static java.util.Objects.requireNonNull;

import dev.weft.WeftException;
import java.io.IOException;
import java.nio.file.NoSuchFileException;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;

/** What the programs of this module share: what is wrong with their input is said in a line. */
public final class Program {
    private Program() {}

    /** A command line; what files, processes and this library refuse ends it with status 1. */
    public static CommandLine of(Callable<Integer> command) {
        return new CommandLine(command).setExecutionExceptionHandler((e, line, parsed) -> {
            if (!(e instanceof IOException) && !(e instanceof WeftException)) {
                throw e;
            }
            line.getErr()
                    .println(e instanceof NoSuchFileException ? e.getMessage() + ": is not there" : e.getMessage());
            return 1;
        });
    }

    /** @throws ParameterException if {@code found} is less than {@code least} */
    public static void require(@Nullable CommandSpec spec, String option, int found, int least) {
        if (found < least) {
            throw new ParameterException(
                    requireNonNull(spec).commandLine(),
                    option + ": found " + found + ", expected " + least + " or more");
        }
    }
}
