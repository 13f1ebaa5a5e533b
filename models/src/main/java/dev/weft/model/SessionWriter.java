package dev.weft.model;

import dev.weft.io.SafetensorsWriter;
import dev.weft.io.SafetensorsWriter.Declaration;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Path;

/** Writes a snapshot to a file or a channel. Steps may run meanwhile: pages of a snapshot are not written to by anybody. */
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
        try (SafetensorsWriter file =
                declare(format, snapshot, SafetensorsWriter.to(path)).open()) {
            new SessionWriter(format, snapshot, file).write();
        }
    }

    /** What a file of the snapshot will hold. */
    static Declaration declare(SessionFormat format, Snapshot snapshot, Declaration file) {
        return format.declare(file, snapshot.progress(), snapshot.progress().streamsKept());
    }

    /** Writes the bytes of a file to a channel. @param declared as {@link #declare} returned it */
    static void write(SessionFormat format, Snapshot snapshot, Declaration declared, WritableByteChannel channel) {
        try (SafetensorsWriter file = declared.open(channel)) {
            new SessionWriter(format, snapshot, file).write();
        }
    }

    private void write() {
        if (snapshot.progress().position() > 0) { // a tensor without elements is complete from the start
            file.write(SessionFormat.TOKENS, snapshot.progress().tokens());
        }
        rings();
        caches();
        streams(snapshot.progress().streamsKept());
        checksum();
        file.finish();
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
