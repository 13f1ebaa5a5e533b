package dev.weft.spi.support;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * Pinned memory of one stream for copies under way: pieces are cut from chunks one after another, and all are taken back
 * at once when the stream has passed them. Used by the stream's thread.
 */
public final class Staging {
    /** Start of every piece. */
    private static final long ALIGNMENT = 64;

    private final PinnedPool pool;
    private final List<MemorySegment> chunks = new ArrayList<>();
    private long used;

    /** Takes its chunks from {@code pool}. */
    public Staging(PinnedPool pool) {
        this.pool = pool;
    }

    /** A piece of at most {@link PinnedPool#CHUNK} bytes, valid until {@link #reset}. */
    public MemorySegment piece(long bytes) {
        if (chunks.isEmpty() || used + bytes > PinnedPool.CHUNK) {
            chunks.add(pool.take());
            used = 0;
        }
        MemorySegment piece = chunks.getLast().asSlice(used, bytes);
        used = Math.min(PinnedPool.CHUNK, (used + bytes + ALIGNMENT - 1) & -ALIGNMENT);
        return piece;
    }

    /** Bytes of chunks in use. */
    public long bytes() {
        return chunks.size() * PinnedPool.CHUNK;
    }

    /** Ends the use of all pieces. The first chunk stays, so that the copies of a usual step take none. */
    public void reset() {
        while (chunks.size() > 1) {
            pool.give(chunks.removeLast());
        }
        used = 0;
    }

    /** Gives everything back. */
    public void close() {
        chunks.forEach(pool::give);
        chunks.clear();
    }
}
