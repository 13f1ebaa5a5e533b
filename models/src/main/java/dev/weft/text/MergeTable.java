package dev.weft.text;

import java.util.Arrays;

/** The merges of a byte-pair encoding: which two tokens become which token, and how early. */
final class MergeTable {
    /** The rank of a pair that does not merge. */
    static final int NONE = -1;

    private final long[] pairs;
    private final int[] ranks;
    private final int[] merged;
    private int size;

    /** An empty table for at most {@code capacity} merges. */
    MergeTable(int capacity) {
        int slots = Integer.highestOneBit(Math.max(4, Math.multiplyExact(capacity, 2))) << 1;
        pairs = new long[slots];
        ranks = new int[slots];
        Arrays.fill(ranks, NONE);
        merged = new int[capacity];
    }

    /**
     * Adds the merge with the next rank.
     *
     * @return {@link #NONE}, or the rank that this pair has already; then nothing is added
     */
    int add(int left, int right, int result) {
        int slot = slot(left, right);
        if (ranks[slot] != NONE) {
            return ranks[slot];
        }
        pairs[slot] = pair(left, right);
        ranks[slot] = size;
        merged[size++] = result;
        return NONE;
    }

    /** The rank of the pair, or {@link #NONE}. */
    int rank(int left, int right) {
        return ranks[slot(left, right)];
    }

    /** The token that the merge of this rank makes. */
    int result(int rank) {
        return merged[rank];
    }

    private int slot(int left, int right) {
        long pair = pair(left, right);
        int mask = pairs.length - 1;
        int slot = (int) mix(pair) & mask;
        while (ranks[slot] != NONE && pairs[slot] != pair) {
            slot = (slot + 1) & mask;
        }
        return slot;
    }

    private static long pair(int left, int right) {
        return (long) left << 32 | right;
    }

    /** Ids are small and dense, so without mixing neighbours would share long runs of slots. */
    private static long mix(long value) {
        long mixed = (value ^ (value >>> 33)) * 0xff51afd7ed558ccdL;
        return ((mixed ^ (mixed >>> 33)) * 0xc4ceb9fe1a85ec53L) >>> 32;
    }
}
