package dev.weft.model;

import java.util.Arrays;

/** How often each token has occurred: an open hash table, since a sequence uses few tokens of a large vocabulary. */
final class TokenCounts {
    private static final int EMPTY = -1;

    private int[] ids = new int[64];
    private int[] counts = new int[64];
    private int size;

    TokenCounts() {
        Arrays.fill(ids, EMPTY);
    }

    void add(int id, int times) {
        int at = slot(id);
        if (ids[at] == EMPTY) {
            if (2 * ++size > ids.length) {
                grow();
                at = slot(id);
            }
            ids[at] = id;
        }
        counts[at] += times;
    }

    boolean contains(int id) {
        return ids[slot(id)] != EMPTY;
    }

    /** Receives a token and its count. */
    interface Visitor {
        void visit(int id, int count);
    }

    void forEach(Visitor visitor) {
        for (int i = 0; i < ids.length; i++) {
            if (ids[i] != EMPTY) {
                visitor.visit(ids[i], counts[i]);
            }
        }
    }

    private int slot(int id) {
        int at = (id * 0x9E3779B1) >>> (Integer.numberOfLeadingZeros(ids.length) + 1);
        while (ids[at] != EMPTY && ids[at] != id) {
            at = at + 1 & ids.length - 1;
        }
        return at;
    }

    private void grow() {
        int[] oldIds = ids;
        int[] oldCounts = counts;
        ids = new int[2 * oldIds.length];
        counts = new int[ids.length];
        Arrays.fill(ids, EMPTY);
        for (int i = 0; i < oldIds.length; i++) {
            if (oldIds[i] != EMPTY) {
                int at = slot(oldIds[i]);
                ids[at] = oldIds[i];
                counts[at] = oldCounts[i];
            }
        }
    }
}
