package dev.weft.text;

/**
 * Byte-pair encoding of one piece: the merge of the lowest rank first, the leftmost of equal ones.
 *
 * <p>The symbols are a linked list and the mergeable neighbours a heap, so a piece of n bytes costs O(n log n)
 * whatever it contains. An entry of the heap is not removed when its neighbours change, but recognised as stale when
 * it comes up.
 */
final class BytePairMerger {
    private static final int END = -1;

    private final int[] byteIds;
    private final MergeTable merges;

    /** @param byteIds id of the token of every byte */
    BytePairMerger(int[] byteIds, MergeTable merges) {
        this.byteIds = byteIds.clone();
        this.merges = merges;
    }

    /** Appends the ids of the piece. */
    void encode(byte[] piece, IntList ids) {
        switch (piece.length) {
            case 0 -> {}
            case 1 -> ids.add(byteIds[piece[0] & 0xFF]);
            default -> new Merging(piece).run(ids);
        }
    }

    private final class Merging {
        private final int[] symbols;
        private final int[] previous;
        private final int[] next;
        private final LongHeap candidates;

        Merging(byte[] piece) {
            int length = piece.length;
            symbols = new int[length];
            previous = new int[length];
            next = new int[length];
            candidates = new LongHeap(length);
            for (int i = 0; i < length; i++) {
                symbols[i] = byteIds[piece[i] & 0xFF];
                previous[i] = i - 1;
                next[i] = i + 1 < length ? i + 1 : END;
            }
            for (int i = 0; i + 1 < length; i++) {
                offer(i);
            }
        }

        void run(IntList ids) {
            while (!candidates.isEmpty()) {
                long candidate = candidates.pop();
                int rank = (int) (candidate >>> 32);
                int position = (int) candidate;
                if (rank(position) == rank) {
                    merge(position, merges.result(rank));
                }
            }
            for (int i = 0; i != END; i = next[i]) {
                ids.add(symbols[i]);
            }
        }

        private void merge(int position, int result) {
            int absorbed = next[position];
            int after = next[absorbed];
            symbols[position] = result;
            next[position] = after;
            next[absorbed] = END;
            if (after != END) {
                previous[after] = position;
                offer(position);
            }
            if (previous[position] != END) {
                offer(previous[position]);
            }
        }

        private void offer(int position) {
            int rank = rank(position);
            if (rank != MergeTable.NONE) {
                candidates.push((long) rank << 32 | position);
            }
        }

        /** An absorbed symbol has no successor, so it has no rank either. */
        private int rank(int position) {
            int right = next[position];
            return right == END ? MergeTable.NONE : merges.rank(symbols[position], symbols[right]);
        }
    }
}
