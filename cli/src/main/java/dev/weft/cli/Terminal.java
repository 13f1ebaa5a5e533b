package dev.weft.cli;

import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Locale;

/**
 * Where a command reads and writes: results to {@code out}, messages and progress to {@code err}. All are UTF-8 whatever
 * the locale says, since model texts are.
 *
 * @param in what filters read, unbuffered
 * @param out results, nothing else
 * @param err messages, timings, progress
 * @param interactive whether {@code err} is read by a person, so that progress may be drawn
 */
record Terminal(InputStream in, PrintStream out, PrintStream err, boolean interactive) {
    /** Set by the launcher when standard error is a terminal: the JVM cannot tell it from the other two streams. */
    private static final String INTERACTIVE_PROPERTY = "weft.interactive";

    /** Without input. */
    Terminal(PrintStream out, PrintStream err, boolean interactive) {
        this(InputStream.nullInputStream(), out, err, interactive);
    }

    /** The standard streams of the process. */
    static Terminal system() {
        return new Terminal(
                new FileInputStream(FileDescriptor.in),
                utf8(FileDescriptor.out),
                utf8(FileDescriptor.err),
                Boolean.getBoolean(INTERACTIVE_PROPERTY));
    }

    /** This terminal without results: for a command that prints them as JSON when it is done. */
    Terminal muted() {
        return new Terminal(in, new PrintStream(OutputStream.nullOutputStream()), err, interactive);
    }

    /** Formats to {@code out}, numbers in the root locale. */
    void printf(String format, Object... arguments) {
        out.print(String.format(Locale.ROOT, format, arguments));
    }

    /** Shows a piece of text at once. */
    void stream(String piece) {
        out.print(piece);
        out.flush();
    }

    /** Formats to {@code err}, numbers in the root locale. */
    void note(String format, Object... arguments) {
        err.print(String.format(Locale.ROOT, format, arguments));
        err.flush();
    }

    private static PrintStream utf8(FileDescriptor descriptor) {
        return new PrintStream(new FileOutputStream(descriptor), true, StandardCharsets.UTF_8);
    }
}
