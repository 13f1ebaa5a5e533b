package dev.weft.cli;

import dev.weft.DType;
import dev.weft.io.SafetensorsWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/** Tensors collected for a safetensors file; written in the order they were added. */
final class TensorFile {
    private record Entry(String name, DType dtype, long[] shape, Consumer<SafetensorsWriter> data) {}

    private final List<Entry> entries = new ArrayList<>();

    /** Adds an F32 tensor. */
    void add(String name, float[] values, long... shape) {
        entries.add(new Entry(name, DType.F32, shape, w -> {
            if (values.length > 0) { // the writer has passed by an empty tensor already
                w.write(name, values);
            }
        }));
    }

    /** Adds an F32 tensor {@code [rows, width]}. */
    void add(String name, float[][] rows, int width) {
        entries.add(new Entry(name, DType.F32, new long[] {rows.length, width}, w -> {
            for (float[] row : rows) {
                w.write(name, row);
            }
        }));
    }

    /** Adds an I32 tensor. */
    void add(String name, int[] values, long... shape) {
        entries.add(new Entry(name, DType.I32, shape, w -> {
            if (values.length > 0) {
                w.write(name, values);
            }
        }));
    }

    /** Writes the file. @throws dev.weft.CheckpointException if it cannot be written; there is no partial file then */
    void write(Path file) {
        SafetensorsWriter.Declaration declaration = SafetensorsWriter.to(file);
        entries.forEach(e -> declaration.tensor(e.name(), e.dtype(), e.shape()));
        try (SafetensorsWriter writer = declaration.open()) {
            entries.forEach(e -> e.data().accept(writer));
            writer.finish();
        }
    }
}
