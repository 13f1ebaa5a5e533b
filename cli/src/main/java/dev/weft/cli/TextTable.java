package dev.weft.cli;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** Rows of text in aligned columns: the first column to the left, the others to the right, or the last as it comes. */
final class TextTable {
    private static final String GAP = "  ";

    private final List<String[]> rows = new ArrayList<>();
    private final Set<String> optional = new HashSet<>();
    private final boolean wordsLast;

    /** @param wordsLast whether the last column is text, to be aligned left */
    TextTable(boolean wordsLast, String... heads) {
        this.wordsLast = wordsLast;
        rows.add(heads.clone());
    }

    /** Adds a row with a cell per column. */
    TextTable add(String... cells) {
        if (cells.length != rows.getFirst().length) {
            throw new IllegalArgumentException(
                    Arrays.toString(cells) + ": expected a cell per head of " + Arrays.toString(rows.getFirst()));
        }
        rows.add(cells.clone());
        return this;
    }

    /** Leaves columns out if all their cells are the same. */
    TextTable omitIfConstant(String... heads) {
        optional.addAll(List.of(heads));
        return this;
    }

    private boolean isOmitted(int column) {
        return optional.contains(rows.getFirst()[column])
                && rows.stream().skip(1).map(r -> r[column]).distinct().count() == 1;
    }

    void print(Terminal terminal) {
        int[] widths = new int[rows.getFirst().length];
        boolean[] omitted = new boolean[widths.length];
        for (int i = 0; i < omitted.length; i++) {
            omitted[i] = isOmitted(i);
        }
        for (String[] row : rows) {
            for (int i = 0; i < row.length; i++) {
                widths[i] = Math.max(widths[i], row[i].length());
            }
        }
        for (String[] row : rows) {
            StringBuilder line = new StringBuilder();
            for (int i = 0; i < row.length; i++) {
                if (omitted[i]) {
                    continue;
                }
                String space = " ".repeat(widths[i] - row[i].length());
                boolean left = i == 0 || (wordsLast && i == row.length - 1);
                line.append(i == 0 ? "" : GAP).append(left ? row[i] + space : space + row[i]);
            }
            terminal.printf("%s%n", line.toString().stripTrailing());
        }
    }
}
