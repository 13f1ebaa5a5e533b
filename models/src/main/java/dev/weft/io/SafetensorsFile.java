package dev.weft.io;

import dev.weft.CheckpointException;
import dev.weft.ClosedException;
import dev.weft.io.support.ModelFile;
import dev.weft.spi.WeightFile;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One safetensors file, mapped read-only after its header has been validated completely: 8 bytes little-endian header
 * length, a JSON header, then the tensors. Thread-safe; a read that meets a close ends as {@link ClosedException}.
 */
public final class SafetensorsFile implements WeightFile, AutoCloseable {
    /** Largest header that is read unless asked otherwise. A model of 145 000 tensors needs about 16 MiB. */
    public static final long DEFAULT_HEADER_LIMIT = 512L << 20;

    private static final Logger LOG = LoggerFactory.getLogger(SafetensorsFile.class);
    private static final int LENGTH_BYTES = 8;

    /** A buffer has less than 2 GiB. */
    private static final long MOST_AT_ONCE = 1L << 30;

    private final Path path;
    private final FileChannel channel;
    private final Arena arena;
    private final boolean ownsArena;
    private final MemorySegment mapping;
    private final HeaderParser.Header header;

    private SafetensorsFile(
            Path path,
            FileChannel channel,
            Arena arena,
            boolean ownsArena,
            MemorySegment mapping,
            HeaderParser.Header header) {
        this.path = path;
        this.channel = channel;
        this.arena = arena;
        this.ownsArena = ownsArena;
        this.mapping = mapping;
        this.header = header;
    }

    /** Opens a file with the default header limit. @throws CheckpointException if it is not a valid safetensors file */
    public static SafetensorsFile open(Path path) {
        return open(path, DEFAULT_HEADER_LIMIT);
    }

    /**
     * Opens a file.
     *
     * @param headerLimit longest header to read, in bytes
     * @throws CheckpointException if it is not a valid safetensors file
     */
    @SuppressWarnings("MustBeClosedChecker") // lives as long as the file
    public static SafetensorsFile open(Path path, long headerLimit) {
        Arena arena = Arena.ofShared();
        try {
            return open(path, headerLimit, arena, true);
        } catch (RuntimeException | Error e) {
            arena.close();
            throw e;
        }
    }

    /** Opens a file whose mapping lives as long as {@code arena}; the caller closes both. */
    public static SafetensorsFile open(Path path, long headerLimit, Arena arena) {
        return open(path, headerLimit, arena, false);
    }

    private static SafetensorsFile open(Path path, long headerLimit, Arena arena, boolean ownsArena) {
        ModelFile.regularSize(path);
        FileChannel channel = null;
        try {
            channel = FileChannel.open(path, StandardOpenOption.READ);
            long size = channel.size();
            long length = headerLength(path, channel, size, headerLimit);
            long dataStart = LENGTH_BYTES + length;
            HeaderParser.Header header = HeaderParser.parse(
                    path.toString(), new Section(channel, LENGTH_BYTES, length), dataStart, size - dataStart);
            MemorySegment mapping = channel.map(FileChannel.MapMode.READ_ONLY, 0, size, arena);
            return new SafetensorsFile(path, channel, arena, ownsArena, mapping, header);
        } catch (IOException e) {
            closeQuietly(channel);
            throw ModelFile.unreadable(path, e);
        } catch (RuntimeException | Error e) {
            closeQuietly(channel);
            throw e;
        }
    }

    private static void closeQuietly(@Nullable FileChannel channel) {
        try {
            if (channel != null) {
                channel.close();
            }
        } catch (IOException e) {
            LOG.debug("closing a file that was only read", e);
        }
    }

    private static long headerLength(Path path, FileChannel channel, long size, long limit) throws IOException {
        if (size < LENGTH_BYTES) {
            throw new CheckpointException(
                    path + ": found " + size + " bytes, expected at least 8 for the length of the header");
        }
        byte[] head = new Section(channel, 0, size).readNBytes(LENGTH_BYTES + 1);
        long length = ByteBuffer.wrap(head).order(ByteOrder.LITTLE_ENDIAN).getLong();
        String shown = Long.toUnsignedString(length);
        if (length < 0 || length > size - LENGTH_BYTES) {
            throw new CheckpointException(
                    path + ": header length " + shown + " exceeds the file of " + size + " bytes; is it truncated?");
        }
        if (length > limit) {
            throw new CheckpointException(
                    path + ": header length " + shown + " exceeds the limit of " + limit + " bytes");
        }
        if (length < 2 || head[LENGTH_BYTES] != '{') {
            throw new CheckpointException(
                    path + ": header of " + shown + " bytes does not begin with '{'; not a safetensors file");
        }
        return length;
    }

    @Override
    public Path path() {
        return path;
    }

    @Override
    public long bytes() {
        return mapping.byteSize();
    }

    /** Tensor names in header order. */
    public List<String> names() {
        return List.copyOf(header.entries().keySet());
    }

    /** The tensor called {@code name}. */
    public Optional<TensorEntry> find(String name) {
        return Optional.ofNullable(header.entries().get(name));
    }

    /** Free text of the file, empty if there is none. */
    public Map<String, String> metadata() {
        return Map.copyOf(header.metadata());
    }

    /**
     * Read-only bytes of a tensor in the mapped file. They carry no alignment: read them unaligned. If the file may be
     * shortened meanwhile, read through {@link #read}.
     *
     * @throws CheckpointException if there is no such tensor
     */
    public MemorySegment data(String name) {
        TensorEntry e = require(name);
        requireOpen();
        return mapping.asSlice(e.offset(), e.bytes());
    }

    /**
     * Copies bytes of a tensor, from its byte {@code from} on, until {@code target} is full.
     *
     * @throws CheckpointException if the file has become shorter since it was opened, or {@code target} is larger than
     *     what is there
     */
    public void read(String name, long from, MemorySegment target) {
        TensorEntry e = require(name);
        if (from < 0 || target.byteSize() > e.bytes() - from) {
            throw new CheckpointException(path + ": tensor " + name + ": cannot read " + target.byteSize()
                    + " bytes at " + from + " of " + e.bytes());
        }
        readAt(name, e.offset() + from, target);
    }

    /** Reads by system calls where it can: the page faults of a mapping cost several times the copy. */
    @Override
    public void readAt(String tensor, long offset, MemorySegment target) {
        requireOpen();
        if (!target.isNative() || !readChannel(tensor, offset, target)) {
            readMapping(tensor, offset, target);
        }
    }

    /** False if the channel is closed, which the interrupt of any reading thread does for all of them. */
    private boolean readChannel(String tensor, long offset, MemorySegment target) {
        try {
            requireSize(channel.size());
            for (long at = 0; at < target.byteSize(); ) {
                long n = Math.min(MOST_AT_ONCE, target.byteSize() - at);
                int read = channel.read(target.asSlice(at, n).asByteBuffer(), offset + at);
                if (read < 0) {
                    throw new CheckpointException(path + ": tensor " + tensor + ": the file ends at " + (offset + at)
                            + "; it was shortened after opening");
                }
                at += read;
            }
            return true;
        } catch (ClosedChannelException e) {
            return false;
        } catch (IOException e) {
            throw ModelFile.unreadable(path, e);
        }
    }

    private void readMapping(String tensor, long offset, MemorySegment target) {
        try {
            MemorySegment.copy(mapping, offset, target, 0, target.byteSize());
            // Compiled code raises a fault of a short copy not at the access but when it next returns from the
            // operating
            // system. Asking for the size after the copy makes that happen here, where the fault can be translated.
            requireIntact();
        } catch (IllegalStateException closedMeanwhile) {
            requireOpen();
            throw closedMeanwhile;
        } catch (InternalError fault) {
            throw new CheckpointException(
                    path + ": tensor " + tensor
                            + ": reading the mapped file failed; it was shortened or replaced after opening",
                    fault);
        }
    }

    private TensorEntry require(String name) {
        return find(name).orElseThrow(() -> new CheckpointException(path + ": has no tensor " + name));
    }

    /** Asks for the size by path, not by channel: an interrupted thread would close a channel for everybody. */
    void requireIntact() {
        try {
            requireSize(Files.size(path));
        } catch (IOException e) {
            throw ModelFile.unreadable(path, e);
        }
    }

    private void requireSize(long now) {
        if (now != mapping.byteSize()) {
            throw new CheckpointException(path + ": had " + mapping.byteSize() + " bytes when opened and has " + now
                    + " now; it was shortened or replaced");
        }
    }

    private void requireOpen() {
        if (!arena.scope().isAlive()) {
            throw new ClosedException(path + ": used after close");
        }
    }

    @Override
    public void close() {
        closeQuietly(channel);
        if (ownsArena && arena.scope().isAlive()) {
            arena.close();
        }
    }

    /** Bytes {@code [at, at + length)} of a channel as a stream. */
    private static final class Section extends InputStream {
        private final FileChannel channel;
        private final long end;
        private long at;

        Section(FileChannel channel, long at, long length) {
            this.channel = channel;
            this.at = at;
            this.end = at + length;
        }

        @Override
        public int read() throws IOException {
            byte[] one = new byte[1];
            return read(one, 0, 1) < 0 ? -1 : one[0] & 0xFF;
        }

        @Override
        public int read(byte[] target, int offset, int length) throws IOException {
            int wanted = (int) Math.min(length, end - at);
            if (wanted <= 0) {
                return length == 0 ? 0 : -1;
            }
            int n = channel.read(ByteBuffer.wrap(target, offset, wanted), at);
            at += Math.max(n, 0);
            return n;
        }
    }
}
