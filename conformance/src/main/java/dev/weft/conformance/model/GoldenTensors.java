package dev.weft.conformance.model;

import dev.weft.io.SafetensorsFile;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.List;

/** Tensors of a golden file as Java arrays. */
public final class GoldenTensors implements AutoCloseable {
    private final SafetensorsFile file;

    private GoldenTensors(SafetensorsFile file) {
        this.file = file;
    }

    public static GoldenTensors open(Path path) {
        return new GoldenTensors(SafetensorsFile.open(path));
    }

    /** Whether the file has the tensor. */
    public boolean has(String name) {
        return file.find(name).isPresent();
    }

    /** Names that begin with {@code prefix} and end with {@code suffix}. */
    public List<String> names(String prefix, String suffix) {
        return file.names().stream()
                .filter(n -> n.startsWith(prefix) && n.endsWith(suffix))
                .toList();
    }

    /** An F32 tensor, row-major. */
    public float[] floats(String name) {
        return file.data(name).toArray(ValueLayout.JAVA_FLOAT_UNALIGNED);
    }

    /** An I32 tensor, row-major. */
    public int[] ints(String name) {
        return file.data(name).toArray(ValueLayout.JAVA_INT_UNALIGNED);
    }

    /** A two-dimensional F32 tensor as rows. */
    public float[][] rows(String name) {
        long[] shape = file.find(name).orElseThrow().shape();
        MemorySegment data = file.data(name);
        int columns = (int) shape[shape.length - 1];
        float[][] rows = new float[(int) shape[0]][columns];
        for (int i = 0; i < rows.length; i++) {
            MemorySegment.copy(data, ValueLayout.JAVA_FLOAT_UNALIGNED, 4L * i * columns, rows[i], 0, columns);
        }
        return rows;
    }

    @Override
    public void close() {
        file.close();
    }
}
