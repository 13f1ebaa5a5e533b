package dev.weft.cli;

import dev.weft.arrow.ArrowTable;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;
import tools.jackson.databind.JsonNode;

/** Options that say in which form results are written, and where. */
final class BenchOutput {
    @Spec(Spec.Target.MIXEE)
    private @Nullable CommandSpec spec;

    @Option(
            names = {"-o", "--format"},
            paramLabel = "FORMAT",
            defaultValue = "table",
            description = "table, md, csv, json or jsonl. Default: ${DEFAULT-VALUE}.")
    private String format = "table";

    @Option(names = "--json", description = "Print JSON, as -o json does.")
    private boolean json;

    @Option(
            names = "--output",
            paramLabel = "FILE",
            description = "Also write a file, in the format that its name ends with: .md, .csv, .json or .jsonl.")
    private @Nullable Path file;

    @Option(names = "--arrow", paramLabel = "FILE", description = "Also write the rows as an Arrow IPC file.")
    private @Nullable Path arrow;

    /** Known before the work rather than after it. @throws UsageException if an option is wrong */
    void check() {
        printed();
        if (file != null) {
            requireFile("--output", file);
            fileFormat(file);
        }
        if (arrow != null) {
            requireFile("--arrow", arrow);
        }
    }

    /** The command line, as results state it. */
    String command() {
        return spec == null
                ? ""
                : "weft "
                        + String.join(
                                " ", spec.root().commandLine().getParseResult().originalArgs());
    }

    /** Whether results are printed as they come. */
    boolean isStream() {
        return printed() == BenchFormat.JSONL;
    }

    /** Prints a result of a stream, a document of one. */
    void print(Terminal terminal, JsonNode document) {
        printed().write(document, BenchRows.of(document), terminal.out());
        terminal.out().flush();
    }

    /** Writes everywhere, but to the terminal what is not there already. */
    void write(Terminal terminal, JsonNode document, ArrowTable rows) throws IOException {
        if (!isStream()) {
            printed().write(document, rows, terminal.out());
        }
        if (file != null) {
            try (PrintStream out = new PrintStream(Files.newOutputStream(file), false, StandardCharsets.UTF_8)) {
                fileFormat(file).write(document, rows, out);
            }
        }
        if (arrow != null) {
            rows.write(arrow);
        }
    }

    private BenchFormat printed() {
        return json ? BenchFormat.JSON : BenchFormat.named("-o", format);
    }

    private static BenchFormat fileFormat(Path file) {
        String name = String.valueOf(file.getFileName());
        return BenchFormat.named("--output", name.substring(name.lastIndexOf('.') + 1));
    }

    private static void requireFile(String option, Path file) {
        Path folder = file.toAbsolutePath().getParent();
        if (folder == null || !Files.isDirectory(folder) || Files.isDirectory(file)) {
            throw new UsageException(option + ": found " + file + ", expected a file in a folder that exists");
        }
    }
}
