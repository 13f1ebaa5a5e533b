package dev.weft.spi;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Pieces of native memory that a rank sends to others, or receives from them, in ascending order of the other rank. Used
 * again from call to call; not thread-safe.
 */
public final class Pieces {
    private final int[] end;
    private long[] address = new long[16];
    private long[] bytes = new long[16];
    private int last;
    private long total;

    /** @param ranks of the group */
    public Pieces(int ranks) {
        end = new int[ranks];
    }

    /** Forgets all pieces. */
    public Pieces clear() {
        Arrays.fill(end, 0);
        last = 0;
        total = 0;
        return this;
    }

    /** Adds a piece for or from a rank. */
    public void add(int rank, long at, long size) {
        int i = end[last];
        while (last < rank) {
            end[++last] = i;
        }
        if (i == address.length) {
            address = Arrays.copyOf(address, 2 * i);
            bytes = Arrays.copyOf(bytes, 2 * i);
        }
        address[i] = at;
        bytes[i] = size;
        end[last] = i + 1;
        total += size;
    }

    /** Number of ranks. */
    public int ranks() {
        return end.length;
    }

    /** Index of the first piece of a rank. */
    public int first(int rank) {
        return rank == 0 ? 0 : end(rank - 1);
    }

    /** Index after the last piece of a rank. */
    public int end(int rank) {
        return end[Math.min(rank, last)];
    }

    /** A piece as memory. */
    public MemorySegment segment(int i) {
        return MemorySegment.ofAddress(address[i]).reinterpret(bytes[i]);
    }

    /** Address of a piece. */
    public long address(int i) {
        return address[i];
    }

    /** Bytes of a piece. */
    public long bytes(int i) {
        return bytes[i];
    }

    /** Bytes of all pieces of a rank. */
    public long bytesOf(int rank) {
        long sum = 0;
        for (int i = first(rank); i < end(rank); i++) {
            sum += bytes[i];
        }
        return sum;
    }

    /** Bytes of all pieces. */
    public long total() {
        return total;
    }
}
