package dev.weft.backend.ascend.kernel;

import java.util.List;

/**
 * The compressed entries that each sequence has after a step, as the vendor's paged operators ask for them. The same in
 * all layers of a ratio.
 *
 * @param count INT32 {@code [sequences]}: entries
 * @param residual INT32 {@code [sequences]}: tokens behind the last entry
 */
record Entries(Ten count, Ten residual) {
    private static final long BLOCK_UNIT = 16;
    private static final long LARGEST_BLOCK = 1024;

    /**
     * @param each one row per sequence, of {@link StepRows#ofSequences} with the same positions and starts
     * @param ratio tokens per entry
     */
    static Entries of(Calls c, StepRows each, Ten positions, Ten starts, int ratio) {
        List<Ten> t = c.shared("entries", List.of(positions, starts), ratio, () -> {
            Ten tokens = c.add(each.position(), c.sub(each.end(), each.first()));
            Ten count = StepRows.quotient(c, tokens, ratio);
            return List.of(count, c.sub(tokens, c.scale(count, Scalar.of(ratio))));
        });
        return new Entries(
                t.get(0).view(t.get(0).elements()), t.get(1).view(t.get(1).elements()));
    }

    /** Whether pages of so many entries are blocks that the operators take. */
    static boolean areBlocks(long perPage) {
        return perPage % BLOCK_UNIT == 0 && perPage <= LARGEST_BLOCK;
    }

    /** The page table with numbers of pages that exist in place of those that mark none. */
    static Ten blocks(Calls c, Ten pages, long pageCount) {
        int last = (int) pageCount - 1;
        return c.shared("pages", List.of(pages), last, () -> c.clamp(pages, Scalar.of(0), Scalar.of(last)));
    }
}
