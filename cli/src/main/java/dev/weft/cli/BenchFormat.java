package dev.weft.cli;

import dev.weft.arrow.ArrowTable;
import dev.weft.arrow.ArrowTable.Column;
import java.io.PrintStream;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/** Forms in which results are written; all are made of one document and its rows, so they hold the same numbers. */
enum BenchFormat {
    /** For people: what the rows share in lines above, the rest in aligned columns. */
    TABLE {
        @Override
        void write(JsonNode document, ArrowTable rows, PrintStream out) {
            new BenchText(document, rows).table(out);
        }
    },
    /** For people, where Markdown is shown. */
    MD {
        @Override
        void write(JsonNode document, ArrowTable rows, PrintStream out) {
            new BenchText(document, rows).markdown(out);
        }
    },
    /** All columns, with a line of names; texts as RFC 4180 has them. */
    CSV {
        @Override
        void write(JsonNode document, ArrowTable rows, PrintStream out) {
            out.println(rows.columns().stream().map(Column::name).collect(Collectors.joining(",")));
            for (Map<String, @Nullable Object> row : rows.rows()) {
                out.println(row.values().stream().map(BenchFormat::csv).collect(Collectors.joining(",")));
            }
        }
    },
    /** The document. */
    JSON {
        @Override
        void write(JsonNode document, ArrowTable rows, PrintStream out) {
            out.println(document.toPrettyString());
        }
    },
    /** A line per row, with all that holds for it; the fields are the columns. */
    JSONL {
        @Override
        void write(JsonNode document, ArrowTable rows, PrintStream out) {
            for (Map<String, @Nullable Object> row : rows.rows()) {
                ObjectNode line = Json.object();
                row.forEach((name, value) -> {
                    if (value != null) {
                        line.putPOJO(name, value);
                    }
                });
                out.println(line);
            }
        }
    };

    abstract void write(JsonNode document, ArrowTable rows, PrintStream out);

    /** @throws UsageException if there is none of that name */
    static BenchFormat named(String option, String name) {
        return Arrays.stream(values())
                .filter(f -> f.key().equals(name))
                .findFirst()
                .orElseThrow(() -> new UsageException(option + ": found '" + name + "', expected one of "
                        + Arrays.stream(values()).map(BenchFormat::key).collect(Collectors.joining(", "))));
    }

    private String key() {
        return name().toLowerCase(Locale.ROOT);
    }

    private static String csv(@Nullable Object value) {
        String text = Objects.toString(value, "");
        boolean quoted = List.of(",", "\"", "\n", "\r").stream().anyMatch(text::contains);
        return quoted ? "\"" + text.replace("\"", "\"\"") + "\"" : text;
    }
}
