package dev.weft.benchmarks.llama;

import java.io.BufferedOutputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Writes a GGUF file, version 3: typed metadata, tensor declarations, then the tensors, each at a multiple of 32 bytes.
 * Everything is little-endian. Format after the description in ggml's {@code gguf.h}.
 */
final class GgufWriter {
    private static final int ALIGNMENT = 32;
    private static final int VERSION = 3;

    private static final int UINT32 = 4;
    private static final int INT32 = 5;
    private static final int FLOAT32 = 6;
    private static final int BOOL = 7;
    private static final int STRING = 8;
    private static final int ARRAY = 9;

    /** Writes the bytes of one tensor. */
    interface Body {
        void writeTo(OutputStream out) throws IOException;
    }

    private record Tensor(String name, GgmlType type, long[] shape, long bytes, Body body) {}

    private final Map<String, Object> metadata = new LinkedHashMap<>();
    private final List<Tensor> tensors = new ArrayList<>();

    /**
     * Adds a metadata entry.
     *
     * @param value a string, an {@code Integer} (stored unsigned), a {@code Float}, a {@code Boolean}, or an array of
     *     {@code int}, {@code float} or {@code String}
     */
    GgufWriter put(String key, Object value) {
        metadata.put(key, value);
        return this;
    }

    /** Declares a tensor. @param shape extents, slowest axis first; GGUF lists them the other way round */
    void tensor(String name, GgmlType type, long[] shape, Body body) {
        long elements = 1;
        for (long extent : shape) {
            elements *= extent;
        }
        tensors.add(new Tensor(name, type, shape.clone(), type.bytes(elements), body));
    }

    void write(Path file) throws IOException {
        try (OutputStream out = new BufferedOutputStream(Files.newOutputStream(file), 1 << 20)) {
            ByteArrayOutputStream header = new ByteArrayOutputStream();
            header.writeBytes("GGUF".getBytes(StandardCharsets.US_ASCII));
            int32(header, VERSION);
            int64(header, tensors.size());
            int64(header, metadata.size());
            metadata.forEach((key, value) -> {
                string(header, key);
                value(header, value);
            });
            declare(header);
            out.write(header.toByteArray());
            pad(out, header.size());
            for (Tensor t : tensors) {
                Counting counted = new Counting(out);
                t.body().writeTo(counted);
                if (counted.bytes != t.bytes()) {
                    throw new IOException(t.name() + ": wrote " + counted.bytes + " bytes, expected " + t.bytes()
                            + " of " + t.type());
                }
                pad(out, t.bytes());
            }
        }
    }

    private void declare(ByteArrayOutputStream out) {
        long offset = 0;
        for (Tensor t : tensors) {
            string(out, t.name());
            int32(out, t.shape().length);
            for (int i = t.shape().length - 1; i >= 0; i--) {
                int64(out, t.shape()[i]);
            }
            int32(out, t.type().code());
            int64(out, offset);
            offset += t.bytes() + padding(t.bytes());
        }
    }

    private static void value(ByteArrayOutputStream out, Object value) {
        switch (value) {
            case String s -> {
                int32(out, STRING);
                string(out, s);
            }
            case Integer i -> {
                int32(out, UINT32);
                int32(out, i);
            }
            case Float f -> {
                int32(out, FLOAT32);
                int32(out, Float.floatToRawIntBits(f));
            }
            case Boolean b -> {
                int32(out, BOOL);
                out.write(b ? 1 : 0);
            }
            case int[] a -> {
                array(out, INT32, a.length);
                for (int i : a) {
                    int32(out, i);
                }
            }
            case float[] a -> {
                array(out, FLOAT32, a.length);
                for (float f : a) {
                    int32(out, Float.floatToRawIntBits(f));
                }
            }
            case String[] a -> {
                array(out, STRING, a.length);
                for (String s : a) {
                    string(out, s);
                }
            }
            default -> throw new IllegalArgumentException("metadata: found a " + value.getClass() + ", see put");
        }
    }

    private static void array(ByteArrayOutputStream out, int type, int length) {
        int32(out, ARRAY);
        int32(out, type);
        int64(out, length);
    }

    private static void string(ByteArrayOutputStream out, String s) {
        byte[] bytes = s.getBytes(StandardCharsets.UTF_8);
        int64(out, bytes.length);
        out.writeBytes(bytes);
    }

    private static void int32(ByteArrayOutputStream out, int v) {
        out.writeBytes(
                ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN).putInt(v).array());
    }

    private static void int64(ByteArrayOutputStream out, long v) {
        out.writeBytes(
                ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(v).array());
    }

    private static int padding(long bytes) {
        return (int) (-bytes & (ALIGNMENT - 1));
    }

    private static void pad(OutputStream out, long bytes) throws IOException {
        out.write(new byte[padding(bytes)]);
    }

    private static final class Counting extends OutputStream {
        private final OutputStream out;
        private long bytes;

        Counting(OutputStream out) {
            this.out = out;
        }

        @Override
        public void write(int b) throws IOException {
            out.write(b);
            bytes++;
        }

        @Override
        public void write(byte[] b, int offset, int length) throws IOException {
            out.write(b, offset, length);
            bytes += length;
        }
    }
}
