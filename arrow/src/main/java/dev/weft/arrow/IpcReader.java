package dev.weft.arrow;

import dev.weft.arrow.ArrowTable.Column;
import dev.weft.arrow.ArrowTable.Kind;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.apache.arrow.flatbuf.Buffer;
import org.apache.arrow.flatbuf.Endianness;
import org.apache.arrow.flatbuf.Field;
import org.apache.arrow.flatbuf.FieldNode;
import org.apache.arrow.flatbuf.FloatingPoint;
import org.apache.arrow.flatbuf.Int;
import org.apache.arrow.flatbuf.KeyValue;
import org.apache.arrow.flatbuf.Message;
import org.apache.arrow.flatbuf.MessageHeader;
import org.apache.arrow.flatbuf.Precision;
import org.apache.arrow.flatbuf.RecordBatch;
import org.apache.arrow.flatbuf.Schema;
import org.apache.arrow.flatbuf.Type;
import org.jspecify.annotations.Nullable;

/**
 * Reads tables of the four kinds of columns. A file is the messages of a stream between two marks, so its directory is not
 * needed to read all of it.
 */
final class IpcReader {
    private final String subject;
    private final ByteBuffer messages;
    private final List<Column> columns = new ArrayList<>();
    private final Map<String, String> metadata = new LinkedHashMap<>();
    private final List<Map<String, @Nullable Object>> rows = new ArrayList<>();

    private IpcReader(String subject, ByteBuffer messages) {
        this.subject = subject;
        this.messages = messages;
    }

    static ArrowTable read(String subject, byte[] bytes) {
        IpcReader reader = new IpcReader(subject, messages(subject, bytes));
        try {
            reader.read();
        } catch (ArrowException e) {
            throw e;
        } catch (RuntimeException e) { // the generated accessors check nothing
            throw new ArrowException(
                    subject + ": found an offset that leads astray in its " + bytes.length
                            + " bytes; the file is broken",
                    e);
        }
        return new ArrowTable(reader.columns, reader.rows, reader.metadata);
    }

    /** What lies between the marks of a file; all of a stream. */
    private static ByteBuffer messages(String subject, byte[] bytes) {
        byte[] magic = IpcWriter.MAGIC;
        int begin = 0;
        int end = bytes.length;
        if (bytes.length >= magic.length && Arrays.equals(Arrays.copyOf(bytes, magic.length), magic)) {
            int tail = bytes.length - magic.length - Integer.BYTES;
            if (tail < magic.length
                    || !Arrays.equals(Arrays.copyOfRange(bytes, bytes.length - magic.length, bytes.length), magic)) {
                throw new ArrowException(
                        subject + ": found no ARROW1 at the end of " + bytes.length + " bytes; the file is cut short");
            }
            begin = 8;
            end = tail - ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getInt(tail);
            if (end < begin || end > tail) {
                throw new ArrowException(subject + ": found a directory of " + (tail - end) + " bytes in a file of "
                        + bytes.length + "; the file is broken");
            }
        }
        return ByteBuffer.wrap(bytes, begin, end - begin).slice().order(ByteOrder.LITTLE_ENDIAN);
    }

    private void read() {
        boolean described = false;
        while (messages.remaining() >= 2 * Integer.BYTES) {
            int mark = messages.getInt();
            if (mark != IpcWriter.CONTINUATION) {
                throw new ArrowException(subject + ": found " + Integer.toHexString(mark) + " where a message begins,"
                        + " expected ffffffff; this is no Arrow IPC file of format 1.0 or later");
            }
            int length = messages.getInt();
            if (length == 0) {
                break;
            }
            Message message = Message.getRootAsMessage(take(length));
            ByteBuffer body = take(Math.toIntExact(message.bodyLength()));
            switch (message.headerType()) {
                case MessageHeader.Schema -> schema((Schema) message.header(new Schema()));
                case MessageHeader.RecordBatch -> batch((RecordBatch) message.header(new RecordBatch()), body);
                default ->
                    throw new ArrowException(subject + ": found a message of kind "
                            + MessageHeader.name(message.headerType()) + ", expected a schema and record batches");
            }
            described = true;
        }
        if (!described) {
            throw new ArrowException(subject + ": found no message, expected Arrow IPC");
        }
    }

    private ByteBuffer take(int length) {
        ByteBuffer part = messages.slice(messages.position(), length).order(ByteOrder.LITTLE_ENDIAN);
        messages.position(messages.position() + length);
        return part;
    }

    private void schema(Schema schema) {
        if (schema.endianness() != Endianness.Little) {
            throw new ArrowException(subject + ": found big-endian data, expected little-endian");
        }
        for (int i = 0; i < schema.fieldsLength(); i++) {
            columns.add(column(schema.fields(i)));
        }
        if (columns.isEmpty()) {
            throw new ArrowException(subject + ": found no column, expected one or more");
        }
        for (int i = 0; i < schema.customMetadataLength(); i++) {
            KeyValue pair = schema.customMetadata(i);
            metadata.put(pair.key(), pair.value());
        }
    }

    private Column column(Field field) {
        String type = Type.name(field.typeType());
        if (field.dictionary() == null) {
            switch (field.typeType()) {
                case Type.Utf8 -> {
                    return Column.text(field.name());
                }
                case Type.Bool -> {
                    return Column.flag(field.name());
                }
                case Type.Int -> {
                    Int integer = (Int) field.type(new Int());
                    type = (integer.isSigned() ? "int" : "uint") + integer.bitWidth();
                    if (type.equals("int64")) {
                        return Column.integer(field.name());
                    }
                }
                case Type.FloatingPoint -> {
                    short precision = ((FloatingPoint) field.type(new FloatingPoint())).precision();
                    type = Precision.name(precision).toLowerCase(Locale.ROOT);
                    if (precision == Precision.DOUBLE) {
                        return Column.real(field.name());
                    }
                }
                default -> {}
            }
        } else {
            type = "dictionary of " + type;
        }
        throw new ArrowException(subject + ": column " + field.name() + ": found type " + type
                + ", expected utf8, int64, float64 or bool; read it with an Arrow library");
    }

    private void batch(RecordBatch batch, ByteBuffer body) {
        if (columns.isEmpty()) {
            throw new ArrowException(subject + ": found a record batch before its schema; the file is broken");
        }
        if (batch.compression() != null) {
            throw new ArrowException(
                    subject + ": found compressed buffers, expected plain ones; write it uncompressed");
        }
        int count = Math.toIntExact(batch.length());
        List<@Nullable Object[]> values = new ArrayList<>();
        int buffer = 0;
        for (int i = 0; i < columns.size(); i++) {
            FieldNode node = batch.nodes(i);
            if (node == null || node.length() != count) {
                throw new ArrowException(subject + ": column " + columns.get(i).name() + ": found "
                        + (node == null ? "no" : node.length()) + " values, expected " + count);
            }
            Kind kind = columns.get(i).kind();
            int buffers = kind == Kind.TEXT ? 3 : 2;
            ByteBuffer[] parts = new ByteBuffer[buffers];
            for (int b = 0; b < buffers; b++) {
                Buffer part = batch.buffers(buffer++);
                parts[b] = body.slice(Math.toIntExact(part.offset()), Math.toIntExact(part.length()))
                        .order(ByteOrder.LITTLE_ENDIAN);
            }
            if (parts[1].remaining() < bytes(kind, count)) {
                throw new ArrowException(subject + ": column " + columns.get(i).name() + ": found "
                        + parts[1].remaining() + " bytes, expected " + bytes(kind, count));
            }
            values.add(values(kind, parts, count));
        }
        for (int r = 0; r < count; r++) {
            Map<String, @Nullable Object> row = new LinkedHashMap<>();
            for (int i = 0; i < columns.size(); i++) {
                row.put(columns.get(i).name(), values.get(i)[r]);
            }
            rows.add(row);
        }
    }

    /** Length of the first buffer after the bitmap. */
    private static long bytes(Kind kind, long count) {
        return switch (kind) {
            case TEXT -> (count + 1) * Integer.BYTES;
            case INTEGER, REAL -> count * Long.BYTES;
            case FLAG -> Math.ceilDiv(count, Byte.SIZE);
        };
    }

    private static @Nullable Object[] values(Kind kind, ByteBuffer[] parts, int count) {
        boolean nulls = parts[0].hasRemaining(); // without a bitmap all are there
        @Nullable Object[] values = new @Nullable Object[count];
        for (int i = 0; i < count; i++) {
            if (!nulls || bit(parts[0], i)) {
                values[i] = switch (kind) {
                    case TEXT -> text(parts, i);
                    case INTEGER -> parts[1].getLong(i * Long.BYTES);
                    case REAL -> parts[1].getDouble(i * Double.BYTES);
                    case FLAG -> bit(parts[1], i);
                };
            }
        }
        return values;
    }

    private static boolean bit(ByteBuffer bits, int i) {
        return (bits.get(i / Byte.SIZE) >> i % Byte.SIZE & 1) != 0;
    }

    private static String text(ByteBuffer[] parts, int i) {
        int begin = parts[1].getInt(i * Integer.BYTES);
        byte[] text = new byte[parts[1].getInt((i + 1) * Integer.BYTES) - begin];
        parts[2].get(begin, text);
        return new String(text, StandardCharsets.UTF_8);
    }
}
