package dev.weft.spi;

import java.lang.foreign.MemorySegment;
import java.nio.file.Path;

/** A file that weights lie in, held open by its owner. Thread-safe. */
public interface WeightFile {
    /** Where the file was opened. */
    Path path();

    /** Bytes of the file when it was opened. */
    long bytes();

    /**
     * Copies the bytes from {@code offset} on until {@code target} is full.
     *
     * @param tensor whose bytes they are, for messages
     * @param offset position in the file
     * @throws dev.weft.CheckpointException if the file is gone, unreadable or shorter now
     */
    void readAt(String tensor, long offset, MemorySegment target);
}
