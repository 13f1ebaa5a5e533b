package dev.weft.cli;

import dev.weft.grammar.Grammar;
import dev.weft.grammar.JsonOptions;
import dev.weft.grammar.SchemaException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Option;

/** The form that a generated text must have. */
final class FormOptions {
    private static final String STANDARD_INPUT = "-";

    @ArgGroup
    private @Nullable Form form;

    /** One of the three. */
    static final class Form {
        @Option(
                names = "--json-schema",
                paramLabel = "FILE",
                description = "Generate JSON that satisfies this schema; - reads it from standard input.")
        private @Nullable String schema;

        @Option(names = "--json-object", description = "Generate a JSON object.")
        private boolean object;

        @Option(names = "--choice", paramLabel = "TEXT", description = "Generate one of these texts; give two or more.")
        private List<String> choices = new ArrayList<>();
    }

    /**
     * A form.
     *
     * @param grammar the texts
     * @param schema JSON Schema of it that a prompt may state, null if there is none
     */
    record Wanted(Grammar grammar, @Nullable String schema) {}

    boolean isGiven() {
        return form != null;
    }

    /** The form asked for, null for free text. @throws UsageException if it is none */
    @Nullable
    Wanted read(Terminal terminal) throws IOException {
        if (form == null) {
            return null;
        }
        try {
            if (form.schema != null) {
                String schema = readSchema(form.schema, terminal);
                return new Wanted(Grammar.jsonSchema(schema), schema);
            }
            return form.object
                    ? new Wanted(Grammar.jsonObject(JsonOptions.defaults()), "{\"type\": \"object\"}")
                    : new Wanted(Grammar.choice(form.choices), null);
        } catch (SchemaException e) {
            throw new UsageException(e.getMessage(), e);
        }
    }

    private static String readSchema(String file, Terminal terminal) throws IOException {
        return file.equals(STANDARD_INPUT)
                ? new String(terminal.in().readAllBytes(), StandardCharsets.UTF_8)
                : Files.readString(Path.of(file));
    }
}
