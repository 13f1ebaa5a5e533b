package dev.weft.arrow;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.arrow.ArrowTable.Column;
import dev.weft.arrow.ArrowTable.Form;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class ArrowTableTest {
    private static final List<Column> COLUMNS =
            List.of(Column.text("node"), Column.integer("flops"), Column.real("nmse"), Column.flag("right"));

    @TempDir
    private Path folder;

    private static Map<String, @Nullable Object> row(
            @Nullable Object node, @Nullable Object flops, @Nullable Object nmse, @Nullable Object right) {
        Map<String, @Nullable Object> row = new LinkedHashMap<>();
        row.put("node", node);
        row.put("flops", flops);
        row.put("nmse", nmse);
        row.put("right", right);
        return row;
    }

    /** Rows with all kinds of values, and nulls in every column if asked for. */
    private static ArrowTable table(int count, boolean nulls) {
        SplittableRandom random = new SplittableRandom(count);
        List<Map<String, @Nullable Object>> rows = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            @Nullable
            Object[] values = {
                "n\u00f6de \ud83e\uddf5".repeat(random.nextInt(4)),
                random.nextLong(),
                i == 3 ? Double.NaN : i == 4 ? Double.POSITIVE_INFINITY : random.nextDouble(),
                random.nextBoolean()
            };
            if (nulls) {
                values[i % 4] = null;
            }
            rows.add(row(values[0], values[1], values[2], values[3]));
        }
        return new ArrowTable(COLUMNS, rows, Map.of("command", "weft compare m\u00f6del", "seed", "7"));
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 8, 9, 65, 1000})
    void arrowsOwnReaderGivesTheSameValues(int count) throws IOException {
        for (boolean nulls : new boolean[] {false, true}) {
            ArrowTable table = table(count, nulls);
            for (ArrowLibrary read : List.of(
                    ArrowLibrary.file(table.toBytes(Form.FILE)), ArrowLibrary.stream(table.toBytes(Form.STREAM)))) {
                assertThat(read.schema().toString())
                        .contains("node: Utf8", "flops: Int(64, true)", "nmse: FloatingPoint(DOUBLE)", "right: Bool");
                assertThat(read.schema().getCustomMetadata()).isEqualTo(table.metadata());
                assertThat(read.rows()).isEqualTo(table.rows());
                assertThat(read.batches()).isEqualTo(1);
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void whatWasWrittenIsRead(Form form) throws IOException {
        Path file = folder.resolve("results.arrow");
        Files.writeString(file, "an old and longer text".repeat(1000));
        ArrowTable table = table(77, true);
        table.write(file, form);
        assertThat(ArrowTable.read(file)).isEqualTo(table);
    }

    @Test
    void narrowNumbersAreWidenedAndMissingValuesAreNull() throws IOException {
        ArrowTable table = ArrowTable.of(COLUMNS, List.of(Map.of("flops", 3, "nmse", 0.5f), Map.of("nmse", 4)));
        assertThat(table.rows()).containsExactly(row(null, 3L, 0.5, null), row(null, null, 4.0, null));
        assertThat(ArrowLibrary.file(table.toBytes(Form.FILE)).rows()).isEqualTo(table.rows());
    }

    @Test
    void whatDoesNotFitItsColumnIsRefused() {
        assertThatThrownBy(() -> ArrowTable.of(COLUMNS, List.of(Map.of(), Map.of("flops", 0.5))))
                .isInstanceOf(ArrowException.class)
                .hasMessageContaining("row 1, column flops: found Double 0.5, expected a value of kind INTEGER");
        assertThatThrownBy(() -> ArrowTable.of(COLUMNS, List.of(Map.of("nmse", 1L << 60))))
                .isInstanceOf(ArrowException.class)
                .hasMessageContaining("column nmse: found Long");
        assertThatThrownBy(() -> ArrowTable.of(COLUMNS, List.of(Map.of("speed", 1))))
                .isInstanceOf(ArrowException.class)
                .hasMessageContaining("row 0: found a value for speed, expected one of the columns [node, flops,");
        assertThatThrownBy(() -> ArrowTable.of(List.of(Column.text("a"), Column.real("a")), List.of()))
                .isInstanceOf(ArrowException.class)
                .hasMessageContaining("column a twice");
    }

    @Test
    void brokenFilesAreRefusedAndNeverRunAway() throws IOException {
        byte[] good = table(20, true).toBytes(Form.FILE);
        Path file = folder.resolve("broken.arrow");
        Files.write(file, Arrays.copyOf(good, good.length - 3));
        assertThatThrownBy(() -> ArrowTable.read(file))
                .isInstanceOf(ArrowException.class)
                .hasMessageContaining("broken.arrow", "cut short");
        Files.writeString(file, "{\"modes\": [1, 2, 3]}");
        assertThatThrownBy(() -> ArrowTable.read(file))
                .isInstanceOf(ArrowException.class)
                .hasMessageContaining("no Arrow IPC");
        Files.write(file, new byte[0]);
        assertThatThrownBy(() -> ArrowTable.read(file)).isInstanceOf(ArrowException.class);
        SplittableRandom random = new SplittableRandom(1);
        int refused = 0;
        for (int i = 0; i < 2000; i++) {
            byte[] bad = good.clone();
            bad[random.nextInt(bad.length)] = (byte) random.nextInt();
            try {
                IpcReader.read("broken", bad);
            } catch (ArrowException e) {
                refused++;
            }
        }
        assertThat(refused).isBetween(50, 1950);
    }
}
