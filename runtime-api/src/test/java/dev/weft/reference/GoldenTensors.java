package dev.weft.reference;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Assumptions;

/**
 * Tensors of one golden safetensors file: of the complete golden data if it is found, else of the subset among the test
 * resources. Asking for a tensor that the subset lacks skips the test.
 */
final class GoldenTensors {
    /** Safetensors headers are flat JSON objects whose writers keep this order of keys. */
    private static final Pattern ENTRY = Pattern.compile("\"([^\"]+)\":\\s*\\{\\s*\"dtype\":\\s*\"(\\w+)\",\\s*"
            + "\"shape\":\\s*\\[([^]]*)],\\s*\"data_offsets\":\\s*\\[(\\d+),\\s*(\\d+)]\\s*}");

    private record Entry(String dtype, long[] shape, int from, int to) {}

    private final String source;
    private final Map<String, Entry> entries = new LinkedHashMap<>();
    private final ByteBuffer data;

    private GoldenTensors(String source, byte[] file) {
        this.source = source;
        ByteBuffer buffer = ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN);
        int headerBytes = Math.toIntExact(buffer.getLong(0));
        Matcher m = ENTRY.matcher(new String(file, 8, headerBytes, StandardCharsets.UTF_8));
        while (m.find()) {
            long[] shape = Arrays.stream(m.group(3).split(","))
                    .map(String::strip)
                    .filter(s -> !s.isEmpty())
                    .mapToLong(Long::parseLong)
                    .toArray();
            entries.put(
                    m.group(1),
                    new Entry(m.group(2), shape, Integer.parseInt(m.group(4)), Integer.parseInt(m.group(5))));
        }
        data = buffer.slice(8 + headerBytes, file.length - 8 - headerBytes).order(ByteOrder.LITTLE_ENDIAN);
    }

    /** Single operations. */
    static GoldenTensors ops() {
        return open("ops.safetensors");
    }

    /** Inverse rotary frequencies of the golden checkpoints. */
    static GoldenTensors rotaryFrequencies() {
        return open("rope_inv_freq.safetensors");
    }

    private static GoldenTensors open(String name) {
        try {
            Optional<Path> file = folder().map(f -> f.resolve(name)).filter(Files::isRegularFile);
            if (file.isPresent()) {
                return new GoldenTensors(file.get().toString(), Files.readAllBytes(file.get()));
            }
            try (InputStream in = GoldenTensors.class.getResourceAsStream("/golden/" + name)) {
                Assumptions.assumeTrue(in != null, name + " not found; set -Dweft.golden=FOLDER");
                return new GoldenTensors("test resource " + name, in.readAllBytes());
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Optional<Path> folder() {
        String property = System.getProperty("weft.golden");
        if (property != null) {
            return Optional.of(Path.of(property));
        }
        for (Path p = Path.of("").toAbsolutePath(); p != null; p = p.getParent()) {
            Path candidate = p.resolve("shared").resolve("golden");
            if (Files.isDirectory(candidate)) {
                return Optional.of(candidate);
            }
        }
        return Optional.empty();
    }

    private Entry entry(String name) {
        Entry e = entries.get(name);
        Assumptions.assumeTrue(e != null, name + " is not in " + source + "; set -Dweft.golden=FOLDER");
        return e;
    }

    long[] shape(String name) {
        return entry(name).shape().clone();
    }

    /** Values of an F32 tensor. */
    float[] floats(String name) {
        Entry e = entry(name);
        require(e.dtype().equals("F32"), name, e);
        float[] out = new float[(e.to() - e.from()) / 4];
        bytes(e).asFloatBuffer().get(out);
        return out;
    }

    /** Values of an integer tensor; U8 and I16 codes as unsigned numbers. */
    int[] ints(String name) {
        Entry e = entry(name);
        ByteBuffer b = bytes(e);
        int width = switch (e.dtype()) {
            case "U8" -> 1;
            case "I16" -> 2;
            case "I32" -> 4;
            case "I64" -> 8;
            default -> throw new AssertionError(name + " in " + source + ": expected integers, found " + e.dtype());
        };
        int[] out = new int[b.remaining() / width];
        for (int i = 0; i < out.length; i++) {
            out[i] = switch (width) {
                case 1 -> b.get(i) & 0xFF;
                case 2 -> b.getShort(2 * i) & 0xFFFF;
                case 4 -> b.getInt(4 * i);
                default -> Math.toIntExact(b.getLong(8 * i));
            };
        }
        return out;
    }

    /** Raw bytes of a tensor of codes or scale bytes. */
    byte[] codes(String name) {
        Entry e = entry(name);
        require(e.dtype().equals("U8") || e.dtype().equals("I8"), name, e);
        byte[] out = new byte[e.to() - e.from()];
        bytes(e).get(out);
        return out;
    }

    private ByteBuffer bytes(Entry e) {
        return data.slice(e.from(), e.to() - e.from()).order(ByteOrder.LITTLE_ENDIAN);
    }

    private void require(boolean holds, String name, Entry e) {
        if (!holds) {
            throw new AssertionError(name + " in " + source + ": unexpected dtype " + e.dtype());
        }
    }
}
