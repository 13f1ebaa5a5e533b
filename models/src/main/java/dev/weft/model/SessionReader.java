package dev.weft.model;

import dev.weft.CheckpointException;
import dev.weft.io.SafetensorsFile;
import dev.weft.io.TensorEntry;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.zip.CRC32C;

/**
 * Reads a session file. Everything about it is checked before a session is touched: first that its bytes are those that
 * were written, then that they were written for this model. Host memory is bounded by one megabyte and one ring.
 */
final class SessionReader implements AutoCloseable {
    private static final long HEADER_LIMIT = 16L << 20;
    private static final long CHUNK_BYTES = 1 << 20;

    private final SessionFormat format;
    private final Path path;
    private final SafetensorsFile file;
    private final Progress progress;

    private SessionReader(SessionFormat format, Path path, SafetensorsFile file) {
        this.format = format;
        this.path = path;
        this.file = file;
        requireChecksum();
        requireIdentity();
        this.progress = readProgress();
    }

    /** Opens and checks a file. @throws CheckpointException if it is damaged, of another model, or does not fit */
    static SessionReader open(SessionFormat format, Path path) {
        SafetensorsFile file = SafetensorsFile.open(path, HEADER_LIMIT);
        try {
            return new SessionReader(format, path, file);
        } catch (RuntimeException | Error e) {
            file.close();
            throw e;
        }
    }

    Progress progress() {
        return progress;
    }

    /** Fills the rings and the pages of a session that holds as many pages as the file. */
    void readStates(Session session) {
        try (Arena arena = Arena.ofConfined()) {
            for (StepRunner r : format.runners()) {
                for (StatePlan.Row row : r.plan().rings()) {
                    copy(r, row, session.slot(), 0, arena.allocate(row.bytes(), 64));
                }
                for (StatePlan.Row row : r.plan().caches()) {
                    MemorySegment page = arena.allocate(row.bytes(), 64);
                    for (int i = 0; i < session.pageCount(); i++) {
                        copy(r, row, session.page(i), i, page);
                    }
                }
            }
        }
    }

    private void copy(StepRunner runner, StatePlan.Row row, int to, int index, MemorySegment staging) {
        file.read(row.name(), index * row.bytes(), staging);
        runner.states().write(row.name(), to, staging);
    }

    private void requireChecksum() {
        TensorEntry last = file.find(SessionFormat.CHECKSUM)
                .filter(e -> e.bytes() == SessionFormat.CHECKSUM_BYTES && e.offset() + e.bytes() == file.bytes())
                .orElseThrow(() -> new CheckpointException(
                        path + ": does not end with a checksum; it is no session file, or was damaged"));
        CRC32C crc = new CRC32C();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment chunk = arena.allocate(CHUNK_BYTES);
            for (long at = 0; at < last.offset(); at += CHUNK_BYTES) {
                MemorySegment piece = chunk.asSlice(0, Math.min(CHUNK_BYTES, last.offset() - at));
                file.readAt(SessionFormat.CHECKSUM, at, piece);
                crc.update(piece.asByteBuffer());
            }
            MemorySegment stored = chunk.asSlice(0, SessionFormat.CHECKSUM_BYTES);
            file.read(SessionFormat.CHECKSUM, 0, stored);
            int found = stored.get(ValueLayout.JAVA_INT_UNALIGNED, 0);
            if (found != (int) crc.getValue()) {
                throw new CheckpointException(String.format(
                        "%s: checksum: found %08x, expected %08x; the file was damaged after it was written",
                        path, found, (int) crc.getValue()));
            }
        }
    }

    private void requireIdentity() {
        Map<String, String> found = file.metadata();
        format.identity().forEach((key, expected) -> {
            if (!expected.equals(found.get(key))) {
                throw new CheckpointException(path + ": " + key + ": found " + found.get(key) + ", expected " + expected
                        + "; " + remedy(key));
            }
        });
    }

    private static String remedy(String key) {
        return switch (key) {
            case SessionFormat.VERSION_KEY -> "another version of Weft wrote it, or it is no session file";
            case SessionFormat.CHECKPOINT_KEY -> "it belongs to another model";
            default -> "load the model with the options of the one that wrote it";
        };
    }

    private Progress readProgress() {
        int tokens = extent(SessionFormat.TOKENS);
        int streams = format.options().mtp() ? extent(SessionFormat.STREAMS) : 0;
        if (tokens > format.options().maxContext()) {
            throw new CheckpointException(path + ": found " + tokens + " tokens, expected at most "
                    + format.options().maxContext() + "; load the model with a larger maxContext");
        }
        int capacity = format.options().rollback() + 2;
        require(streams <= Math.min(tokens, capacity), "streams of " + streams + " positions");
        requireParts(format.parts(tokens, streams));
        int[] ids = readTokens(tokens);
        int highWater = number(SessionFormat.HIGH_WATER_KEY);
        require(
                highWater >= tokens && highWater - tokens <= format.options().rollback(),
                SessionFormat.HIGH_WATER_KEY + "=" + highWater);
        int mtpPosition = number(SessionFormat.MTP_POSITION_KEY);
        int rowsDue = format.options().mtp() ? tokens - mtpPosition : 0;
        require(
                mtpPosition >= 0 && mtpPosition <= tokens && rowsDue <= streams,
                SessionFormat.MTP_POSITION_KEY + "=" + mtpPosition);
        return new Progress(ids, highWater, mtpPosition, readStreams(tokens, streams, capacity));
    }

    private void requireParts(List<SessionFormat.Part> parts) {
        for (SessionFormat.Part p : parts) {
            TensorEntry e = entry(p.name());
            require(
                    e.dtype() == p.dtype() && e.hasShape(p.dims()),
                    "tensor " + e + ", expected " + p.dtype() + " " + p.shape());
        }
        require(file.names().size() == parts.size(), file.names().size() + " tensors, expected " + parts.size());
    }

    private int[] readTokens(int count) {
        int[] ids = new int[count];
        file.read(SessionFormat.TOKENS, 0, MemorySegment.ofArray(ids));
        for (int id : ids) {
            require(id >= 0 && id < format.config().vocabSize(), "token " + id);
        }
        return ids;
    }

    private HiddenRows readStreams(int tokens, int count, int capacity) {
        HiddenRows rows = new HiddenRows(capacity);
        if (count > 0) {
            int bytes = Math.toIntExact(entry(SessionFormat.STREAMS).bytes() / count);
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment row = arena.allocate(bytes);
                for (int i = 0; i < count; i++) {
                    file.read(SessionFormat.STREAMS, (long) i * bytes, row);
                    rows.put(tokens - count + i, row, 0, bytes);
                }
            }
        }
        return rows;
    }

    /** First extent of a tensor. */
    private int extent(String name) {
        TensorEntry e = entry(name);
        require(e.shape().length > 0 && e.shape()[0] <= Integer.MAX_VALUE, "tensor " + e);
        return (int) e.shape()[0];
    }

    private TensorEntry entry(String name) {
        return file.find(name).orElseThrow(() -> new CheckpointException(path + ": has no tensor " + name));
    }

    private int number(String key) {
        String text = file.metadata().getOrDefault(key, "");
        try {
            return Integer.parseInt(text);
        } catch (NumberFormatException e) {
            throw new CheckpointException(path + ": " + key + ": found '" + text + "', expected a number", e);
        }
    }

    /** What a file of this version and model cannot say. */
    private void require(boolean holds, String found) {
        if (!holds) {
            throw new CheckpointException(path + ": found " + found + "; no session of this model has that");
        }
    }

    @Override
    public void close() {
        file.close();
    }
}
