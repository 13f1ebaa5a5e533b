package dev.weft.backend.cuda.kernel;

import java.util.Comparator;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * How the attention kernel on tensor cores is launched. The choice changes no bit of the result: keys come in tiles that
 * are merged in order, whoever computes them.
 *
 * @param width of a head
 * @param headTiles tiles of 16 heads of a block, which share one reading of the keys
 * @param splits blocks that share the list of a row, one per tile, whose results a second launch merges; 0 if one block
 *     walks the whole list
 */
record AttentionPlan(int width, int headTiles, int splits) {
    /** Keys of a tile. */
    static final int KEYS = 64;

    /** Heads of a tile. */
    static final int HEADS = 16;

    /** Most tiles whose results are kept; one of 64 heads of 512 takes 132 KB. */
    static final long MOST_SPLITS = 1024;

    /** What the kernel has in shared memory besides. */
    private static final int STATIC_BYTES = 1024;

    // Times in units of a tile of keys for one tile of heads, from instruction counts at a width of 512
    private static final double FOUR_HEAD_TILES = 3;
    private static final double READING = 0.015; // a tile of keys, for all blocks together, from the second level cache
    private static final double MERGING = 0.06; // writing and reading what became of a tile
    private static final double LAUNCH = 3;

    /**
     * The plan that should be fastest for a call; the kernel must {@link #fits fit} the chip.
     *
     * @param tiles of the longest list
     */
    static AttentionPlan choose(long rows, long heads, int width, long tiles, Chip chip) {
        return Stream.of(1, 4)
                .flatMap(headTiles -> splits(rows, tiles).mapToObj(s -> new AttentionPlan(width, headTiles, s)))
                .filter(plan -> plan.stages(chip) > 0)
                .min(Comparator.comparingDouble(plan -> plan.time(rows, heads, tiles, chip)))
                .orElseThrow();
    }

    /** Whether a block of the kernel has enough shared memory. */
    static boolean fits(int width, Chip chip) {
        return new AttentionPlan(width, 1, 0).stages(chip) > 0;
    }

    private static IntStream splits(long rows, long tiles) {
        return tiles > 1 && rows * tiles <= MOST_SPLITS ? IntStream.of(0, (int) tiles) : IntStream.of(0);
    }

    /** Blocks that share the heads of a row. */
    long headGroups(long heads) {
        return Math.ceilDiv(heads, HEADS * headTiles);
    }

    /** Tiles of keys in memory at once: one is read while another is worked on, if both fit and there is another. */
    int stages(Chip chip) {
        int most = splits > 0 ? 1 : 2;
        return (int) IntStream.rangeClosed(1, most)
                .filter(stages -> sharedBytes(stages) + STATIC_BYTES <= chip.sharedBytes())
                .count();
    }

    /** Shared memory of a block: the structure {@code Shared} of the kernel, then the tiles of keys. */
    int sharedBytes(int stages) {
        int scores = 4 * (KEYS + 4);
        int terms = 2 * (KEYS + 8);
        int sums = 16;
        int list = KEYS * 8 + 64;
        int turns = width / 2 * 8;
        int bytes = HEADS * headTiles * (2 * width + scores + terms + sums) + list + turns;
        return Math.ceilDiv(bytes, 128) * 128 + stages * KEYS * width * 2;
    }

    private double time(long rows, long heads, long tiles, Chip chip) {
        double blocks = (double) rows * headGroups(heads) * Math.max(1, splits);
        double tilesEach = splits > 0 ? 1 : tiles;
        double work = Math.ceil(blocks / chip.multiprocessors()) * tilesEach * (headTiles == 1 ? 1 : FOUR_HEAD_TILES);
        double reading = blocks * tilesEach * READING;
        double merging = splits > 0 ? LAUNCH + rows * tiles * MERGING : 0;
        return Math.max(work, reading) + merging;
    }
}
