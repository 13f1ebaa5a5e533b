package dev.weft.parallel;

/**
 * How a stretch of a prompt is cut for the ranks: two parts for each, the first and the last for the rank that leads, the
 * second and the last but one for the next, and so on, so that all have as much of what lies before their rows to look at.
 * Cuts are whole blocks from the stretch's start; all parts but the last are whole blocks. Source: distributed.md 1.
 *
 * @param start position of the first token, a multiple of {@link #BLOCK}
 * @param tokens tokens of the stretch
 * @param ranks ranks of the group
 * @param leader the rank whose sequence it is
 */
public record ContextCuts(int start, int tokens, int ranks, int leader) {
    /** Tokens of a block: whole entries of every compression, and a whole cache page. */
    public static final int BLOCK = 128;

    /** Number of parts. */
    public int parts() {
        return 2 * ranks;
    }

    /** Position of the first token of a part; of part {@link #parts}, the end. */
    public int from(int part) {
        if (part == parts()) {
            return start + tokens;
        }
        int blocks = Math.ceilDiv(tokens, BLOCK);
        int each = blocks / parts();
        int longer = blocks % parts();
        return start + BLOCK * (part * each + Math.min(part, longer));
    }

    /** The rank that has a part. */
    public int rank(int part) {
        int place = part < ranks ? part : parts() - 1 - part;
        return (place + leader) % ranks;
    }

    /** The first part of a rank. */
    public int first(int rank) {
        return (rank - leader + ranks) % ranks;
    }

    /** The second part of a rank. */
    public int second(int rank) {
        return parts() - 1 - first(rank);
    }

    /** Most tokens of a stretch when a rank takes {@code maxTokens} in a step, 0 if it takes too few. */
    public static int longest(int ranks, int maxTokens) {
        return 2 * ranks * (maxTokens / (2 * BLOCK)) * BLOCK;
    }
}
