package dev.weft.arrow;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A table of results as Arrow IPC: pandas, Polars, DuckDB and whatever else speaks Arrow read it. Writing and reading need
 * no Arrow library, no native memory and no option of the JVM.
 *
 * <p>Columns keep their order. A row gives values by name of the column; a name that a row lacks is null there. Values:
 *
 * <table>
 * <caption>Kinds of columns</caption>
 * <tr><th>kind</th><th>Arrow type</th><th>written from</th><th>read as</th></tr>
 * <tr><td>{@link Kind#TEXT}</td><td>utf8</td><td>String</td><td>String</td></tr>
 * <tr><td>{@link Kind#INTEGER}</td><td>int64</td><td>Long, Integer, Short, Byte</td><td>Long</td></tr>
 * <tr><td>{@link Kind#REAL}</td><td>float64</td><td>Double, Float, and integers of up to 32 bits</td><td>Double</td></tr>
 * <tr><td>{@link Kind#FLAG}</td><td>bool</td><td>Boolean</td><td>Boolean</td></tr>
 * </table>
 *
 * <p>Source: Arrow columnar format 1.5, "Serialization and Interprocess Communication".
 *
 * @param columns names and kinds, in order
 * @param rows values by name of the column
 * @param metadata texts about the whole table, as in {@code command}; kept in the schema
 */
public record ArrowTable(List<Column> columns, List<Map<String, @Nullable Object>> rows, Map<String, String> metadata) {
    /** What a column holds; nulls are allowed in every column. */
    public enum Kind {
        TEXT,
        INTEGER,
        REAL,
        FLAG
    }

    /**
     * Which form of Arrow IPC. A file ("Feather V2", commonly {@code .arrow}) has a directory at its end and may be mapped; a
     * stream ({@code .arrows}) can be read while it is written.
     */
    public enum Form {
        FILE,
        STREAM
    }

    /** A column. */
    public record Column(String name, Kind kind) {
        public static Column text(String name) {
            return new Column(name, Kind.TEXT);
        }

        public static Column integer(String name) {
            return new Column(name, Kind.INTEGER);
        }

        public static Column real(String name) {
            return new Column(name, Kind.REAL);
        }

        public static Column flag(String name) {
            return new Column(name, Kind.FLAG);
        }
    }

    /** @throws ArrowException if there is no column, one stands twice, or a row has a value that belongs to no column or not to its kind */
    public ArrowTable {
        columns = List.copyOf(columns);
        metadata = Collections.unmodifiableMap(new LinkedHashMap<>(metadata));
        Set<String> names = new HashSet<>();
        if (columns.isEmpty()) {
            throw new ArrowException("arrow table: found no column, expected one or more");
        }
        for (Column column : columns) {
            if (!names.add(column.name())) {
                throw new ArrowException("arrow table: found column " + column.name() + " twice, expected once");
            }
        }
        List<Map<String, @Nullable Object>> copies = new ArrayList<>(rows.size());
        for (Map<String, @Nullable Object> row : rows) {
            copies.add(Collections.unmodifiableMap(checked(row, copies.size(), columns, names)));
        }
        rows = Collections.unmodifiableList(copies);
    }

    /** A table that says nothing about itself. */
    public static ArrowTable of(List<Column> columns, List<Map<String, @Nullable Object>> rows) {
        return new ArrowTable(columns, rows, Map.of());
    }

    /** A row in the order of the columns, its values widened to what they are read as. */
    private static Map<String, @Nullable Object> checked(
            Map<String, @Nullable Object> row, int index, List<Column> columns, Set<String> names) {
        for (String name : row.keySet()) {
            if (!names.contains(name)) {
                throw new ArrowException(
                        "arrow table: row " + index + ": found a value for " + name + ", expected one of the columns "
                                + columns.stream().map(Column::name).toList());
            }
        }
        Map<String, @Nullable Object> copy = new LinkedHashMap<>();
        for (Column column : columns) {
            copy.put(column.name(), widened(row.get(column.name()), column, index));
        }
        return copy;
    }

    private static @Nullable Object widened(@Nullable Object value, Column column, int row) {
        return switch (column.kind()) {
            case TEXT -> value == null || value instanceof String ? value : refuse(value, column, row);
            case FLAG -> value == null || value instanceof Boolean ? value : refuse(value, column, row);
            case INTEGER ->
                switch (value) {
                    case null -> null;
                    case Long v -> v;
                    case Integer v -> v.longValue();
                    case Short v -> v.longValue();
                    case Byte v -> v.longValue();
                    default -> refuse(value, column, row);
                };
            case REAL ->
                switch (value) {
                    case null -> null;
                    case Double v -> v;
                    case Float v -> v.doubleValue();
                    case Integer v -> v.doubleValue();
                    case Short v -> v.doubleValue();
                    case Byte v -> v.doubleValue();
                    default -> refuse(value, column, row);
                };
        };
    }

    private static Object refuse(Object value, Column column, int row) {
        throw new ArrowException("arrow table: row " + row + ", column " + column.name() + ": found "
                + value.getClass().getSimpleName() + " " + value + ", expected a value of kind " + column.kind());
    }

    /** Writes a file in the file form, in place of an old one. */
    public void write(Path file) throws IOException {
        write(file, Form.FILE);
    }

    /** Writes a file, in place of an old one. */
    public void write(Path file, Form form) throws IOException {
        try (OutputStream out = Files.newOutputStream(file)) {
            write(out, form);
        }
    }

    /** Writes to {@code out}, which stays open. */
    public void write(OutputStream out, Form form) throws IOException {
        new IpcWriter(out).write(this, form);
    }

    /** This table as one text. */
    public byte[] toBytes(Form form) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try {
            write(bytes, form);
        } catch (IOException e) {
            throw new AssertionError("memory does not fail", e);
        }
        return bytes.toByteArray();
    }

    /**
     * Reads a file of either form.
     *
     * @throws ArrowException if it is no Arrow IPC, broken, compressed, or has columns of types that no {@link Kind} stands
     *     for
     */
    public static ArrowTable read(Path file) throws IOException {
        return IpcReader.read(file.toString(), Files.readAllBytes(file));
    }
}
