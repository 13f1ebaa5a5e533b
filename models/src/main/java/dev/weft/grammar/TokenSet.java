package dev.weft.grammar;

import dev.weft.model.TokenMask;
import org.jspecify.annotations.Nullable;

/** Ids of tokens: a list if they are few, else a bit for every id of the vocabulary. */
final class TokenSet {
    /** A bit per id is smaller than a list that has more than this share of all. */
    private static final int SPARSE = Integer.SIZE;

    private final int @Nullable [] list;
    private final long @Nullable [] bits;

    TokenSet(int[] ids, int vocabulary) {
        if (ids.length <= vocabulary / SPARSE) {
            list = ids;
            bits = null;
        } else {
            list = null;
            bits = new long[(vocabulary + Long.SIZE - 1) / Long.SIZE];
            for (int id : ids) {
                bits[id >> 6] |= 1L << id;
            }
        }
    }

    void addTo(TokenMask mask) {
        if (bits != null) {
            mask.allow(bits);
        }
        if (list != null) {
            for (int id : list) {
                mask.allow(id);
            }
        }
    }

    long memory() {
        return (list == null ? 0 : (long) list.length * Integer.BYTES)
                + (bits == null ? 0 : (long) bits.length * Long.BYTES);
    }
}
