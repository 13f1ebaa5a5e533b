package dev.weft.model;

import dev.weft.CheckpointException;
import dev.weft.io.SafetensorsWriter;
import dev.weft.io.SafetensorsWriter.Declaration;
import dev.weft.spi.Communicator;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.jspecify.annotations.Nullable;

/**
 * Hands a sequence from one rank to another: the number of bytes, then the bytes of a session file in pieces of a size both
 * sides know. So what arrives is checked as a file is, and a prefill rank and a decode rank need not run the same device.
 */
final class SessionTransfer {
    private static final String WHAT = "session hand-over";
    private static final long PIECE_BYTES = 8L << 20;

    private SessionTransfer() {}

    /** Sends a snapshot. The receiver holds as many bytes on its disk, the sender none. */
    static void send(SessionFormat format, Snapshot snapshot, Communicator ranks, int to) {
        Declaration file = SessionWriter.declare(format, snapshot, SafetensorsWriter.named(WHAT));
        Arena arena = Arena.ofAuto(); // after a failure the transport may still use it
        MemorySegment size = arena.allocate(ValueLayout.JAVA_LONG);
        size.set(ValueLayout.JAVA_LONG, 0, file.fileBytes());
        ranks.send(WHAT, size, to);
        Pieces pieces = new Pieces(ranks, to, arena.allocate(PIECE_BYTES, 64));
        SessionWriter.write(format, snapshot, file, pieces);
        pieces.flush();
    }

    /** Receives what {@link #send} sent to a new temporary file, which the caller deletes. */
    static Path receive(Communicator ranks, int from) {
        Path file = null;
        Arena arena = Arena.ofAuto(); // after a failure the transport may still use it
        try {
            MemorySegment size = arena.allocate(ValueLayout.JAVA_LONG);
            ranks.receive(WHAT, size, from);
            file = Files.createTempFile("weft-session", ".safetensors");
            try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
                MemorySegment piece = arena.allocate(PIECE_BYTES, 64);
                for (long left = size.get(ValueLayout.JAVA_LONG, 0); left > 0; left -= PIECE_BYTES) {
                    MemorySegment next = piece.asSlice(0, Math.min(PIECE_BYTES, left));
                    ranks.receive(WHAT, next, from);
                    ByteBuffer bytes = next.asByteBuffer();
                    while (bytes.hasRemaining()) {
                        channel.write(bytes);
                    }
                }
            }
            return file;
        } catch (IOException e) {
            delete(file);
            throw new CheckpointException(
                    WHAT + " from rank " + from + ": cannot be kept in a file: " + e
                            + "; choose a folder with more room by -Djava.io.tmpdir",
                    e);
        } catch (RuntimeException | Error e) {
            delete(file);
            throw e;
        }
    }

    static void delete(@Nullable Path file) {
        try {
            if (file != null) {
                Files.deleteIfExists(file);
            }
        } catch (IOException e) {
            file.toFile().deleteOnExit();
        }
    }

    /** Collects bytes into pieces and sends them. */
    private static final class Pieces implements WritableByteChannel {
        private final Communicator ranks;
        private final int to;
        private final MemorySegment piece;
        private long filled;

        Pieces(Communicator ranks, int to, MemorySegment piece) {
            this.ranks = ranks;
            this.to = to;
            this.piece = piece;
        }

        @Override
        public int write(ByteBuffer source) {
            int bytes = source.remaining();
            MemorySegment from = MemorySegment.ofBuffer(source);
            for (long at = 0; at < bytes; ) {
                long n = Math.min(bytes - at, PIECE_BYTES - filled);
                MemorySegment.copy(from, at, piece, filled, n);
                at += n;
                filled += n;
                if (filled == PIECE_BYTES) {
                    flush();
                }
            }
            source.position(source.limit());
            return bytes;
        }

        void flush() {
            if (filled > 0) {
                ranks.send(WHAT, piece.asSlice(0, filled), to);
                filled = 0;
            }
        }

        @Override
        public boolean isOpen() {
            return true;
        }

        @Override
        public void close() {}
    }
}
