package dev.weft.arrow;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.arrow.memory.ArrowBuf;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.memory.RootAllocator;
import org.apache.arrow.vector.FieldVector;
import org.apache.arrow.vector.VectorSchemaRoot;
import org.apache.arrow.vector.ipc.ArrowFileReader;
import org.apache.arrow.vector.ipc.ArrowReader;
import org.apache.arrow.vector.ipc.ArrowStreamReader;
import org.apache.arrow.vector.ipc.ReadChannel;
import org.apache.arrow.vector.ipc.WriteChannel;
import org.apache.arrow.vector.ipc.message.ArrowBlock;
import org.apache.arrow.vector.ipc.message.MessageChannelReader;
import org.apache.arrow.vector.ipc.message.MessageSerializer;
import org.apache.arrow.vector.types.pojo.Schema;
import org.apache.arrow.vector.util.ByteArrayReadableSeekableByteChannel;
import org.apache.arrow.vector.util.Text;
import org.jspecify.annotations.Nullable;

/**
 * Reads with Arrow's own readers. Where they would wrap buffers, which needs {@code java.nio} opened, bytes are copied.
 *
 * @param rows every value as Arrow's vectors give it, texts as strings
 */
record ArrowLibrary(Schema schema, List<Map<String, @Nullable Object>> rows, int batches) {
    /** The directory as Arrow's file reader understands it, then the messages that it points to. */
    static ArrowLibrary file(byte[] bytes) throws IOException {
        ByteArrayOutputStream messages = new ByteArrayOutputStream();
        Schema schema;
        try (BufferAllocator allocator = new RootAllocator();
                ArrowFileReader reader =
                        new ArrowFileReader(new ByteArrayReadableSeekableByteChannel(bytes), allocator)) {
            schema = reader.getVectorSchemaRoot().getSchema();
            MessageSerializer.serialize(new WriteChannel(Channels.newChannel(messages)), schema);
            for (ArrowBlock block : reader.getRecordBlocks()) {
                messages.write(
                        bytes,
                        (int) block.getOffset(),
                        Math.toIntExact(block.getMetadataLength() + block.getBodyLength()));
            }
        }
        return stream(messages.toByteArray());
    }

    static ArrowLibrary stream(byte[] bytes) throws IOException {
        try (BufferAllocator allocator = new RootAllocator();
                ArrowReader reader = new ArrowStreamReader(
                        new MessageChannelReader(new CopyingStream(bytes), allocator), allocator)) {
            return read(reader);
        }
    }

    private static ArrowLibrary read(ArrowReader reader) throws IOException {
        VectorSchemaRoot root = reader.getVectorSchemaRoot();
        List<Map<String, @Nullable Object>> rows = new ArrayList<>();
        int batches = 0;
        for (; reader.loadNextBatch(); batches++) {
            for (int i = 0; i < root.getRowCount(); i++) {
                Map<String, @Nullable Object> row = new LinkedHashMap<>();
                for (FieldVector vector : root.getFieldVectors()) {
                    Object value = vector.getObject(i);
                    row.put(vector.getName(), value instanceof Text ? value.toString() : value);
                }
                rows.add(row);
            }
        }
        return new ArrowLibrary(root.getSchema(), rows, batches);
    }

    private static final class CopyingStream extends ReadChannel {
        CopyingStream(byte[] bytes) {
            super(Channels.newChannel(new ByteArrayInputStream(bytes)));
        }

        @Override
        public long readFully(ArrowBuf buffer, long length) throws IOException {
            ByteBuffer bytes = ByteBuffer.allocate((int) length);
            long count = readFully(bytes);
            buffer.setBytes(0, bytes.array(), 0, count);
            buffer.writerIndex(count);
            return count;
        }
    }
}
