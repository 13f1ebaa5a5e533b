package dev.weft.cli;

import dev.weft.arrow.ArrowTable;
import dev.weft.arrow.ArrowTable.Column;
import dev.weft.bench.SpeedRatio;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/**
 * Forms in which two runs held against each other are written.
 *
 * @param diff the runs
 */
record BenchDiffForms(BenchDiff diff) {
    private static final List<String> HEADS = List.of("work", "A ms", "B ms", "speed B/A", "interval", "p", "verdict");

    private static final List<Column> COLUMNS = List.of(
            Column.text("name"),
            Column.real("secondsA"),
            Column.real("secondsB"),
            Column.real("ratio"),
            Column.real("low"),
            Column.real("high"),
            Column.real("p"),
            Column.text("verdict"));

    void write(BenchFormat form, Terminal terminal) {
        switch (form) {
            case TABLE -> print(terminal);
            case MD -> markdown(terminal);
            case CSV, JSONL -> {
                note(terminal);
                form.write(toJson(), rows(), terminal.out());
            }
            case JSON -> form.write(toJson(), rows(), terminal.out());
        }
    }

    /** What differs in the settings, where the form has no place for it. */
    private void note(Terminal terminal) {
        diff.warnings().forEach(w -> terminal.note("weft: differs: %s%n", w));
    }

    private void print(Terminal terminal) {
        note(terminal);
        TextTable table = new TextTable(true, HEADS.toArray(String[]::new));
        diff.pairs().forEach(p -> table.add(cells(p)));
        table.print(terminal);
        diff.onlyFirst().forEach(n -> terminal.printf("only in A: %s%n", n));
        diff.onlySecond().forEach(n -> terminal.printf("only in B: %s%n", n));
    }

    /** The same for where Markdown is shown. */
    private void markdown(Terminal terminal) {
        diff.warnings().forEach(w -> terminal.printf("- differs: %s%n", w));
        diff.onlyFirst().forEach(n -> terminal.printf("- only in A: %s%n", n));
        diff.onlySecond().forEach(n -> terminal.printf("- only in B: %s%n", n));
        terminal.printf("%n| %s |%n|---|%s---|%n", String.join(" | ", HEADS), "---:|".repeat(HEADS.size() - 2));
        diff.pairs().forEach(p -> terminal.printf("| %s |%n", String.join(" | ", cells(p))));
    }

    private static String[] cells(BenchDiff.Pair p) {
        return new String[] {
            p.name(),
            number("%.4f", p.before() * 1e3),
            number("%.4f", p.after() * 1e3),
            p.ratio().map(r -> number("%.3f", r.ratio())).orElse("-"),
            p.ratio()
                    .map(r -> number("%.3f", r.low()) + " to " + number("%.3f", r.high()))
                    .orElse("-"),
            p.ratio().map(r -> number("%.2g", r.p())).orElse("-"),
            p.verdict()
        };
    }

    /** A row per pair, and per work that only one run has. */
    private ArrowTable rows() {
        List<Map<String, @Nullable Object>> rows = new ArrayList<>();
        for (BenchDiff.Pair p : diff.pairs()) {
            Optional<SpeedRatio> r = p.ratio();
            rows.add(row(p.name(), p.verdict(), p.before(), p.after(), r.orElse(null)));
        }
        diff.onlyFirst().forEach(n -> rows.add(row(n, "only in A", null, null, null)));
        diff.onlySecond().forEach(n -> rows.add(row(n, "only in B", null, null, null)));
        return ArrowTable.of(COLUMNS, rows);
    }

    private static Map<String, @Nullable Object> row(
            String name, String verdict, @Nullable Double before, @Nullable Double after, @Nullable SpeedRatio ratio) {
        Map<String, @Nullable Object> row = new LinkedHashMap<>();
        row.put("name", name);
        row.put("secondsA", before);
        row.put("secondsB", after);
        row.put("ratio", ratio == null ? null : Double.valueOf(ratio.ratio()));
        row.put("low", ratio == null ? null : Double.valueOf(ratio.low()));
        row.put("high", ratio == null ? null : Double.valueOf(ratio.high()));
        row.put("p", ratio == null ? null : Double.valueOf(ratio.p()));
        row.put("verdict", verdict);
        return row;
    }

    private static String number(String format, double value) {
        return String.format(Locale.ROOT, format, value);
    }

    private ObjectNode toJson() {
        ObjectNode root = Json.object();
        ArrayNode rows = root.putArray("rows");
        for (BenchDiff.Pair p : diff.pairs()) {
            ObjectNode row = rows.addObject().put("name", p.name());
            row.put("secondsA", p.before()).put("secondsB", p.after());
            p.ratio()
                    .ifPresent(r -> row.put("ratio", r.ratio())
                            .put("low", r.low())
                            .put("high", r.high())
                            .put("p", r.p()));
            row.put("verdict", p.verdict());
        }
        diff.onlyFirst().forEach(root.putArray("onlyA")::add);
        diff.onlySecond().forEach(root.putArray("onlyB")::add);
        diff.warnings().forEach(root.putArray("differing")::add);
        return root;
    }
}
