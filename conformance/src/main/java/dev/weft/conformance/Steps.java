package dev.weft.conformance;

import java.util.SplittableRandom;

/**
 * The sequences of one step: how many tokens of each came before, and how many are in the step. Slots and pages are
 * dealt out in an order in which index and place never coincide by construction, and pages do not overlap.
 *
 * @param from position of the first row of each sequence
 * @param counts rows of each sequence
 */
record Steps(int[] from, int[] counts) {
    /** Sequences as pairs of first position and row count. */
    static Steps of(int... pairs) {
        int[] from = new int[pairs.length / 2];
        int[] counts = new int[from.length];
        for (int s = 0; s < from.length; s++) {
            from[s] = pairs[2 * s];
            counts[s] = pairs[2 * s + 1];
        }
        return new Steps(from, counts);
    }

    int count() {
        return from.length;
    }

    int rows() {
        return java.util.Arrays.stream(counts).sum();
    }

    Operand positions() {
        int[] positions = new int[rows()];
        int i = 0;
        for (int s = 0; s < from.length; s++) {
            for (int t = 0; t < counts[s]; t++) {
                positions[i++] = from[s] + t;
            }
        }
        return Operand.ints(positions, positions.length);
    }

    Operand starts() {
        int[] starts = new int[count() + 1];
        for (int s = 0; s < counts.length; s++) {
            starts[s + 1] = starts[s] + counts[s];
        }
        return Operand.ints(starts, starts.length);
    }

    /** Rings to allocate: one more than sequences, so that one stays untouched. */
    int rings() {
        return count() + 1;
    }

    Operand slots() {
        int[] slots = new int[count()];
        for (int s = 0; s < slots.length; s++) {
            slots[s] = slots.length - s;
        }
        return Operand.ints(slots, slots.length);
    }

    /** Finished entries of the longest sequence after the step. */
    int entries(int ratio) {
        int most = 0;
        for (int s = 0; s < from.length; s++) {
            most = Math.max(most, (from[s] + counts[s]) / ratio);
        }
        return most;
    }

    /** Pages per sequence. */
    int pagesEach(int ratio, int perPage) {
        return Math.max(1, Math.ceilDiv(entries(ratio), perPage));
    }

    /** Pages to allocate: one more than are dealt out. */
    int pageCount(int ratio, int perPage) {
        return count() * pagesEach(ratio, perPage) + 1;
    }

    Operand pages(int ratio, int perPage) {
        int each = pagesEach(ratio, perPage);
        int[] pages = new int[pageCount(ratio, perPage)];
        java.util.Arrays.setAll(pages, i -> i);
        SplittableRandom random = new SplittableRandom(pages.length);
        for (int i = pages.length - 1; i > 0; i--) {
            int j = random.nextInt(i); // never in place: a cycle over all pages
            int t = pages[i];
            pages[i] = pages[j];
            pages[j] = t;
        }
        return Operand.ints(java.util.Arrays.copyOf(pages, count() * each), count(), each);
    }
}
