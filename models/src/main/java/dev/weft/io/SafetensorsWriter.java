package dev.weft.io;

import static java.util.Objects.requireNonNull;

import dev.weft.CheckpointException;
import dev.weft.DType;
import dev.weft.Shape;
import dev.weft.io.support.StrictJson;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.node.ObjectNode;

/**
 * Writes a safetensors file as a stream: all tensors are declared first, then their bytes follow in that order. The
 * file appears under its name only when {@link #finish} has seen every byte; until then, and after a failure, there is
 * none. The bytes may also go to a channel, which gets them as they come and stays open. Not thread-safe.
 */
public final class SafetensorsWriter implements AutoCloseable {
    private static final int ALIGNMENT = 8;
    private static final int CHUNK_BYTES = 1 << 20;

    private final String subject;
    private final WritableByteChannel channel;
    private final @Nullable NewFile file;
    private final List<TensorEntry> tensors;
    private final ByteBuffer buffer = ByteBuffer.allocateDirect(CHUNK_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    private final CRC32C checksum = new CRC32C();
    private int current;
    private long written;
    private boolean finished;

    private SafetensorsWriter(
            String subject, WritableByteChannel channel, @Nullable NewFile file, List<TensorEntry> tensors, byte[] head)
            throws IOException {
        this.subject = subject;
        this.channel = channel;
        this.file = file;
        this.tensors = tensors;
        put(ByteBuffer.wrap(head));
        skipComplete();
    }

    /** A file that gets its name when it is whole. */
    private record NewFile(Path path, Path temporary, FileChannel channel) {
        static NewFile create(Path path) throws IOException {
            // in the same folder, so that the final move is atomic; unlike a system temporary file it has usual
            // permissions
            String suffix = "." + Long.toHexString(ThreadLocalRandom.current().nextLong()) + ".part";
            Path temporary = path.resolveSibling(path.getFileName() + suffix);
            return new NewFile(
                    path,
                    temporary,
                    FileChannel.open(temporary, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE));
        }

        void publish() throws IOException {
            channel.force(true);
            channel.close();
            Files.move(temporary, path, StandardCopyOption.ATOMIC_MOVE);
        }

        void discard() throws IOException {
            channel.close();
            Files.deleteIfExists(temporary);
        }
    }

    /** Begins the declaration of a file at {@code path}. */
    public static Declaration to(Path path) {
        return new Declaration(path.toString(), path);
    }

    /** Begins the declaration of a file whose bytes go to a channel. @param subject what it is, for messages */
    public static Declaration named(String subject) {
        return new Declaration(subject, null);
    }

    /** The tensors and metadata of a file to be written. */
    public static final class Declaration {
        private final String subject;
        private final @Nullable Path path;
        private final Map<String, TensorEntry> tensors = new LinkedHashMap<>();
        private final Map<String, String> metadata = new LinkedHashMap<>();
        private long bytes;

        private Declaration(String subject, @Nullable Path path) {
            this.subject = subject;
            this.path = path;
        }

        /** Adds a tensor after those declared so far. @throws CheckpointException if the name is taken */
        public Declaration tensor(String name, DType dtype, long... shape) {
            long size = dtype.bytes(Shape.elements(shape));
            boolean reserved = name.isEmpty() || name.equals("__metadata__");
            if (reserved || tensors.put(name, new TensorEntry(name, dtype, shape, bytes, size)) != null) {
                throw new CheckpointException(subject + ": tensor name '" + name + "' is reserved or declared twice");
            }
            bytes = Math.addExact(bytes, size);
            return this;
        }

        /** Adds free text. */
        public Declaration metadata(String key, String value) {
            metadata.put(key, value);
            return this;
        }

        /** Bytes of all tensors declared so far. */
        public long bytes() {
            return bytes;
        }

        /** Bytes of the whole file, header included. */
        public long fileBytes() {
            return head().length + bytes;
        }

        /** Creates the file and writes its header. @throws CheckpointException if it cannot be written */
        @SuppressWarnings("StreamResourceLeak") // the writer closes the file
        public SafetensorsWriter open() {
            try {
                NewFile file = NewFile.create(requireNonNull(path, "a file without a path: open it with a channel"));
                try {
                    return new SafetensorsWriter(subject, file.channel(), file, List.copyOf(tensors.values()), head());
                } catch (IOException e) {
                    file.discard();
                    throw e;
                }
            } catch (IOException e) {
                throw unwritable(subject, e);
            }
        }

        /** Writes the header to a channel, which gets all further bytes. @throws CheckpointException if it refuses them */
        public SafetensorsWriter open(WritableByteChannel channel) {
            try {
                return new SafetensorsWriter(subject, channel, null, List.copyOf(tensors.values()), head());
            } catch (IOException e) {
                throw unwritable(subject, e);
            }
        }

        /** Length, then the JSON padded with spaces so that the data begins at a multiple of 8. */
        private byte[] head() {
            ObjectNode root = StrictJson.newObject();
            if (!metadata.isEmpty()) {
                root.set("__metadata__", StrictJson.toNode(metadata));
            }
            for (TensorEntry t : tensors.values()) {
                ObjectNode node = root.putObject(t.name());
                node.put("dtype", DTypeNames.of(t.dtype()));
                node.set("shape", StrictJson.toNode(t.shape()));
                node.set("data_offsets", StrictJson.toNode(new long[] {t.offset(), t.offset() + t.bytes()}));
            }
            byte[] json = root.toString().getBytes(StandardCharsets.UTF_8);
            int padded = Math.ceilDiv(json.length, ALIGNMENT) * ALIGNMENT;
            ByteBuffer head = ByteBuffer.allocate(Long.BYTES + padded).order(ByteOrder.LITTLE_ENDIAN);
            head.putLong(padded).put(json);
            while (head.hasRemaining()) {
                head.put((byte) ' ');
            }
            return head.array();
        }
    }

    /**
     * Appends bytes to tensor {@code name}, which must be the next incomplete one; a tensor may come in pieces.
     *
     * @throws CheckpointException if it is not that tensor's turn or the bytes exceed it
     */
    public void write(String name, MemorySegment bytes) {
        claim(name, bytes.byteSize());
        for (long at = 0; at < bytes.byteSize(); at += CHUNK_BYTES) {
            long n = Math.min(CHUNK_BYTES, bytes.byteSize() - at);
            MemorySegment.copy(bytes, at, MemorySegment.ofBuffer(buffer.clear()), 0, n);
            flush((int) n);
        }
        skipComplete();
    }

    /** Appends F32 values. */
    public void write(String name, float[] values) {
        claim(name, 4L * values.length);
        for (int at = 0; at < values.length; at += CHUNK_BYTES / Float.BYTES) {
            int n = Math.min(CHUNK_BYTES / Float.BYTES, values.length - at);
            buffer.clear().asFloatBuffer().put(values, at, n);
            flush(n * Float.BYTES);
        }
        skipComplete();
    }

    /** Appends I32 values. */
    public void write(String name, int[] values) {
        claim(name, 4L * values.length);
        for (int at = 0; at < values.length; at += CHUNK_BYTES / Integer.BYTES) {
            int n = Math.min(CHUNK_BYTES / Integer.BYTES, values.length - at);
            buffer.clear().asIntBuffer().put(values, at, n);
            flush(n * Integer.BYTES);
        }
        skipComplete();
    }

    /** Appends bytes. */
    public void write(String name, byte[] values) {
        write(name, MemorySegment.ofArray(values));
    }

    /** Appends I64 values. */
    public void write(String name, long[] values) {
        ByteBuffer b = ByteBuffer.allocate(Math.multiplyExact(values.length, Long.BYTES));
        b.order(ByteOrder.LITTLE_ENDIAN).asLongBuffer().put(values);
        write(name, b.array());
    }

    /** CRC-32C of the whole file so far, header included: a last tensor may carry it. */
    public long checksum() {
        return checksum.getValue();
    }

    private void claim(String name, long bytes) {
        if (current == tensors.size()) {
            throw new CheckpointException(subject + ": tensor " + name + ": all declared tensors are written already");
        }
        TensorEntry t = tensors.get(current);
        if (!t.name().equals(name) || bytes > t.bytes() - written) {
            throw new CheckpointException(subject + ": found " + bytes + " bytes for tensor " + name
                    + ", expected the next " + (t.bytes() - written) + " bytes of tensor " + t.name());
        }
        written += bytes;
    }

    private void skipComplete() {
        while (current < tensors.size() && written == tensors.get(current).bytes()) {
            current++;
            written = 0;
        }
    }

    private void flush(int bytes) {
        try {
            put(buffer.limit(bytes).position(0));
        } catch (IOException e) {
            throw unwritable(subject, e);
        }
    }

    private void put(ByteBuffer b) throws IOException {
        checksum.update(b.duplicate());
        while (b.hasRemaining()) {
            channel.write(b);
        }
    }

    /** Gives the file its name. @throws CheckpointException if tensors are incomplete or the disk fails */
    public void finish() {
        if (current < tensors.size()) {
            throw new CheckpointException(
                    subject + ": tensor " + tensors.get(current).name() + " is incomplete: found " + written + " of "
                            + tensors.get(current).bytes() + " bytes");
        }
        publish();
    }

    /**
     * Declares the remaining bytes zero without writing them, where the file system has sparse files.
     *
     * @throws CheckpointException if the disk fails, or the bytes go to a channel
     */
    public void finishSparse() {
        if (file == null) {
            throw new CheckpointException(subject + ": a channel cannot be sparse; write the zeros");
        }
        long missing = -written;
        for (TensorEntry t : tensors.subList(current, tensors.size())) {
            missing += t.bytes();
        }
        try {
            if (missing > 0) {
                FileChannel out = file.channel();
                out.write(ByteBuffer.wrap(new byte[1]), out.position() + missing - 1);
            }
        } catch (IOException e) {
            throw unwritable(subject, e);
        }
        publish();
    }

    private void publish() {
        try {
            if (file != null) {
                file.publish();
            }
            finished = true;
        } catch (IOException e) {
            throw unwritable(subject, e);
        }
    }

    /** Removes the unfinished file; does nothing after {@link #finish}, nor to a channel. */
    @Override
    public void close() {
        if (finished || file == null) {
            return;
        }
        try {
            file.discard();
        } catch (IOException e) {
            throw unwritable(subject, e);
        }
    }

    private static CheckpointException unwritable(String subject, IOException e) {
        return new CheckpointException(subject + ": cannot be written: " + e, e);
    }
}
