package dev.weft.arrow;

import com.google.flatbuffers.FlatBufferBuilder;
import dev.weft.arrow.ArrowTable.Column;
import dev.weft.arrow.ArrowTable.Form;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.arrow.flatbuf.Block;
import org.apache.arrow.flatbuf.Bool;
import org.apache.arrow.flatbuf.Buffer;
import org.apache.arrow.flatbuf.Endianness;
import org.apache.arrow.flatbuf.Field;
import org.apache.arrow.flatbuf.FieldNode;
import org.apache.arrow.flatbuf.FloatingPoint;
import org.apache.arrow.flatbuf.Footer;
import org.apache.arrow.flatbuf.Int;
import org.apache.arrow.flatbuf.KeyValue;
import org.apache.arrow.flatbuf.Message;
import org.apache.arrow.flatbuf.MessageHeader;
import org.apache.arrow.flatbuf.MetadataVersion;
import org.apache.arrow.flatbuf.Precision;
import org.apache.arrow.flatbuf.RecordBatch;
import org.apache.arrow.flatbuf.Schema;
import org.apache.arrow.flatbuf.Type;
import org.apache.arrow.flatbuf.Utf8;

/**
 * Writes a table as one record batch. Arrow's own writer copies through {@code java.nio} internals that a JVM opens only on
 * request, so the messages are put together here, of the format's generated flatbuffers.
 */
final class IpcWriter {
    static final byte[] MAGIC = "ARROW1".getBytes(StandardCharsets.US_ASCII);

    /** Stands before every message. */
    static final int CONTINUATION = -1;

    /** Where buffers of a body begin: what the format recommends. */
    private static final int ALIGNMENT = 64;

    private final OutputStream out;
    private long position;

    /** Where a message lies in a file. */
    private record Place(long offset, int metadataLength, long bodyLength) {}

    IpcWriter(OutputStream out) {
        this.out = out;
    }

    void write(ArrowTable table, Form form) throws IOException {
        List<ColumnBuffers> columns = table.columns().stream()
                .map(c -> ColumnBuffers.of(c, table.rows()))
                .toList();
        if (form == Form.FILE) {
            bytes(MAGIC);
            pad(8);
        }
        FlatBufferBuilder schema = new FlatBufferBuilder();
        message(schema, MessageHeader.Schema, schema(schema, table), 0);
        Place batch = batch(columns, table.rows().size());
        integer(CONTINUATION);
        integer(0);
        if (form == Form.FILE) {
            footer(table, batch);
        }
    }

    private static int schema(FlatBufferBuilder to, ArrowTable table) {
        int[] fields = new int[table.columns().size()];
        for (int i = 0; i < fields.length; i++) {
            fields[i] = field(to, table.columns().get(i));
        }
        int[] pairs = new int[table.metadata().size()];
        int count = 0;
        for (Map.Entry<String, String> e : table.metadata().entrySet()) {
            pairs[count++] = KeyValue.createKeyValue(to, to.createString(e.getKey()), to.createString(e.getValue()));
        }
        return Schema.createSchema(
                to,
                Endianness.Little,
                Schema.createFieldsVector(to, fields),
                Schema.createCustomMetadataVector(to, pairs),
                0);
    }

    private static int field(FlatBufferBuilder to, Column column) {
        int name = to.createString(column.name());
        int children = Field.createChildrenVector(to, new int[0]);
        byte kind = switch (column.kind()) {
            case TEXT -> Type.Utf8;
            case INTEGER -> Type.Int;
            case REAL -> Type.FloatingPoint;
            case FLAG -> Type.Bool;
        };
        int type = switch (column.kind()) {
            case TEXT -> empty(to, Utf8::startUtf8, Utf8::endUtf8);
            case INTEGER -> Int.createInt(to, Long.SIZE, true);
            case REAL -> FloatingPoint.createFloatingPoint(to, Precision.DOUBLE);
            case FLAG -> empty(to, Bool::startBool, Bool::endBool);
        };
        return Field.createField(to, name, true, kind, type, 0, children, 0);
    }

    private interface Start {
        void start(FlatBufferBuilder to);
    }

    private interface End {
        int end(FlatBufferBuilder to);
    }

    /** A type without parameters. */
    private static int empty(FlatBufferBuilder to, Start start, End end) {
        start.start(to);
        return end.end(to);
    }

    private Place batch(List<ColumnBuffers> columns, int rows) throws IOException {
        List<byte[]> buffers = new ArrayList<>();
        columns.forEach(c -> buffers.addAll(c.buffers()));
        long[] offsets = new long[buffers.size()];
        long length = 0;
        for (int i = 0; i < offsets.length; i++) {
            offsets[i] = length;
            length += Math.ceilDiv((long) buffers.get(i).length, ALIGNMENT) * ALIGNMENT;
        }
        FlatBufferBuilder to = new FlatBufferBuilder();
        RecordBatch.startBuffersVector(to, offsets.length);
        for (int i = offsets.length - 1; i >= 0; i--) { // flatbuffers grow downwards
            Buffer.createBuffer(to, offsets[i], buffers.get(i).length);
        }
        int bufferVector = to.endVector();
        RecordBatch.startNodesVector(to, columns.size());
        for (ColumnBuffers column : columns.reversed()) {
            FieldNode.createFieldNode(to, rows, column.nulls());
        }
        int nodes = to.endVector();
        Place place = message(
                to,
                MessageHeader.RecordBatch,
                RecordBatch.createRecordBatch(to, rows, nodes, bufferVector, 0, 0),
                length);
        long start = position;
        for (byte[] buffer : buffers) {
            bytes(buffer);
            bytes(new byte[(int) (-(position - start) & ALIGNMENT - 1)]);
        }
        return place;
    }

    /** Writes what stands before a body. */
    private Place message(FlatBufferBuilder header, byte type, int root, long bodyLength) throws IOException {
        header.finish(Message.createMessage(header, MetadataVersion.V5, type, root, bodyLength, 0));
        byte[] text = header.sizedByteArray();
        int padded = Math.ceilDiv(text.length, 8) * 8;
        Place place = new Place(position, Integer.BYTES * 2 + padded, bodyLength);
        integer(CONTINUATION);
        integer(padded);
        bytes(text);
        pad(8);
        return place;
    }

    private void footer(ArrowTable table, Place batch) throws IOException {
        FlatBufferBuilder to = new FlatBufferBuilder();
        int schema = schema(to, table);
        Footer.startDictionariesVector(to, 0);
        int dictionaries = to.endVector();
        Footer.startRecordBatchesVector(to, 1);
        Block.createBlock(to, batch.offset(), batch.metadataLength(), batch.bodyLength());
        int batches = to.endVector();
        to.finish(Footer.createFooter(to, MetadataVersion.V5, schema, dictionaries, batches, 0));
        byte[] text = to.sizedByteArray();
        bytes(text);
        integer(text.length);
        bytes(MAGIC);
    }

    private void integer(int value) throws IOException {
        bytes(ByteBuffer.allocate(Integer.BYTES)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putInt(value)
                .array());
    }

    private void pad(int unit) throws IOException {
        bytes(new byte[(int) (-position & unit - 1)]);
    }

    private void bytes(byte[] bytes) throws IOException {
        out.write(bytes);
        position += bytes.length;
    }
}
