package dev.weft.model;

import java.util.Arrays;

/** A set of token ids below the size of a vocabulary. Not thread-safe. */
public final class TokenMask {
    private final int size;
    private final long[] words;

    /** An empty set. @param size of the vocabulary: number of logits */
    public TokenMask(int size) {
        this.size = size;
        this.words = new long[(size + Long.SIZE - 1) / Long.SIZE];
    }

    /** Number of ids that could be in the set. */
    public int size() {
        return size;
    }

    /** Makes the set empty. */
    public void clear() {
        Arrays.fill(words, 0);
    }

    /** Makes the set hold every id. */
    public void allowAll() {
        Arrays.fill(words, -1);
        if (size % Long.SIZE != 0) {
            words[words.length - 1] = -1L >>> -size; // no bits beyond the last id
        }
    }

    /** Adds an id. */
    public void allow(int id) {
        words[id >> 6] |= 1L << id;
    }

    /** Removes an id. */
    public void forbid(int id) {
        words[id >> 6] &= ~(1L << id);
    }

    /** Adds the ids whose bits are set: id i is bit {@code i % 64} of word {@code i / 64}. */
    public void allow(long[] bits) {
        for (int i = 0; i < bits.length; i++) {
            words[i] |= bits[i];
        }
    }

    /** Whether an id is in the set. */
    public boolean isAllowed(int id) {
        return id >= 0 && id < size && (words[id >> 6] & 1L << id) != 0;
    }

    /** Number of ids in the set. */
    public int count() {
        int count = 0;
        for (long word : words) {
            count += Long.bitCount(word);
        }
        return count;
    }

    /** The lowest id, -1 if the set is empty. */
    public int first() {
        for (int i = 0; i < words.length; i++) {
            if (words[i] != 0) {
                return i * Long.SIZE + Long.numberOfTrailingZeros(words[i]);
            }
        }
        return -1;
    }

    /** Makes the logits of all other ids minus infinity. @param logits as many as the size */
    public void apply(float[] logits) {
        int i = 0;
        while (i < words.length) {
            int start = i;
            while (i < words.length && words[i] == 0) {
                i++;
            }
            Arrays.fill(logits, start * Long.SIZE, Math.min(size, i * Long.SIZE), Float.NEGATIVE_INFINITY);
            if (i < words.length) {
                int base = i * Long.SIZE;
                for (long forbidden = ~words[i++]; forbidden != 0; forbidden &= forbidden - 1) {
                    int id = base + Long.numberOfTrailingZeros(forbidden);
                    if (id < size) {
                        logits[id] = Float.NEGATIVE_INFINITY;
                    }
                }
            }
        }
    }
}
