package dev.weft.model;

import dev.weft.io.SafetensorsWriter;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;

/** Writes a snapshot to a file. Steps may run meanwhile: pages of a snapshot are not written to by anybody. */
final class SessionWriter {
    private final SessionFormat format;
    private final Snapshot snapshot;
    private final SafetensorsWriter file;

    private SessionWriter(SessionFormat format, Snapshot snapshot, SafetensorsWriter file) {
        this.format = format;
        this.snapshot = snapshot;
        this.file = file;
    }

    /**
     * Writes a file that is there whole or not at all. Host memory is bounded by one page of one cache.
     *
     * @throws dev.weft.CheckpointException if it cannot be written
     */
    static void write(SessionFormat format, Snapshot snapshot, Path path) {
        Progress progress = snapshot.progress();
        int streams = progress.streamsKept();
        try (SafetensorsWriter file =
                format.declare(SafetensorsWriter.to(path), progress, streams).open()) {
            SessionWriter w = new SessionWriter(format, snapshot, file);
            if (progress.position() > 0) { // a tensor without elements is complete from the start
                file.write(SessionFormat.TOKENS, progress.tokens());
            }
            w.rings();
            w.caches();
            w.streams(streams);
            w.checksum();
            file.finish();
        }
    }

    private void rings() {
        long at = 0;
        for (StepRunner r : format.runners()) {
            for (StatePlan.Row row : r.plan().rings()) {
                file.write(row.name(), snapshot.rings().asSlice(at, row.bytes()));
                at += row.bytes();
            }
        }
    }

    private void caches() {
        try (Arena arena = Arena.ofConfined()) {
            for (StepRunner r : format.runners()) {
                for (StatePlan.Row row : r.plan().caches()) {
                    MemorySegment page = arena.allocate(row.bytes(), 64);
                    for (int p : snapshot.pages()) {
                        r.states().read(row.name(), p, page);
                        file.write(row.name(), page);
                    }
                }
            }
        }
    }

    private void streams(int count) {
        int position = snapshot.progress().position();
        for (int p = position - count; p < position; p++) {
            file.write(SessionFormat.STREAMS, snapshot.progress().hidden().row(p));
        }
    }

    private void checksum() {
        ByteBuffer crc = ByteBuffer.allocate(SessionFormat.CHECKSUM_BYTES).order(ByteOrder.LITTLE_ENDIAN);
        file.write(SessionFormat.CHECKSUM, crc.putInt((int) file.checksum()).array());
    }
}
