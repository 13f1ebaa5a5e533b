package dev.weft.arrow;

import dev.weft.arrow.ArrowTable.Column;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A column in Arrow's physical layout: a bitmap of what is not null, then the values.
 *
 * @param nulls number of nulls
 * @param buffers in the format's order
 */
record ColumnBuffers(int nulls, List<byte[]> buffers) {
    static ColumnBuffers of(Column column, List<Map<String, @Nullable Object>> rows) {
        List<@Nullable Object> values = new ArrayList<>(rows.size());
        rows.forEach(r -> values.add(r.get(column.name())));
        boolean[] valid = new boolean[values.size()];
        int nulls = 0;
        for (int i = 0; i < valid.length; i++) {
            valid[i] = values.get(i) != null;
            nulls += valid[i] ? 0 : 1;
        }
        List<byte[]> buffers = new ArrayList<>();
        buffers.add(nulls == 0 ? new byte[0] : bits(valid));
        switch (column.kind()) {
            case TEXT -> buffers.addAll(texts(column, values));
            case INTEGER -> buffers.add(longs(values, v -> (Long) v));
            case REAL -> buffers.add(longs(values, v -> Double.doubleToRawLongBits((Double) v)));
            case FLAG -> {
                boolean[] flags = new boolean[valid.length];
                for (int i = 0; i < flags.length; i++) {
                    flags[i] = Boolean.TRUE.equals(values.get(i));
                }
                buffers.add(bits(flags));
            }
        }
        return new ColumnBuffers(nulls, buffers);
    }

    private interface Code {
        long of(Object value);
    }

    private static byte[] longs(List<@Nullable Object> values, Code code) {
        ByteBuffer bytes = ByteBuffer.allocate(Math.multiplyExact(values.size(), Long.BYTES))
                .order(ByteOrder.LITTLE_ENDIAN);
        for (Object value : values) {
            bytes.putLong(value == null ? 0 : code.of(value));
        }
        return bytes.array();
    }

    private static List<byte[]> texts(Column column, List<@Nullable Object> values) {
        ByteBuffer offsets = ByteBuffer.allocate(Math.multiplyExact(values.size() + 1, Integer.BYTES))
                .order(ByteOrder.LITTLE_ENDIAN)
                .putInt(0);
        ByteArrayOutputStream texts = new ByteArrayOutputStream();
        for (Object value : values) {
            if (value != null) {
                byte[] text = ((String) value).getBytes(StandardCharsets.UTF_8);
                if (Integer.MAX_VALUE - texts.size() < text.length) {
                    throw new ArrowException("arrow table: column " + column.name()
                            + ": found more than 2 GiB of text, expected less; write several tables");
                }
                texts.writeBytes(text);
            }
            offsets.putInt(texts.size());
        }
        return List.of(offsets.array(), texts.toByteArray());
    }

    /** Bits, the lowest of a byte first. */
    private static byte[] bits(boolean[] values) {
        byte[] bytes = new byte[Math.ceilDiv(values.length, Byte.SIZE)];
        for (int i = 0; i < values.length; i++) {
            bytes[i / Byte.SIZE] |= (byte) (values[i] ? 1 << i % Byte.SIZE : 0);
        }
        return bytes;
    }
}
