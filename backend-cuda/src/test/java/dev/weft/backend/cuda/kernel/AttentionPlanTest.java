package dev.weft.backend.cuda.kernel;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class AttentionPlanTest {
    private static final Chip LARGE = new Chip(90, 132, 232_448, 60L << 20);
    private static final Chip SMALL = new Chip(120, 84, 101_376, 48L << 20);

    private static final int HEADS = 64;
    private static final int WIDTH = 512;

    /** Window of 128 and 512 picks. */
    private static final int TILES = 10;

    private static AttentionPlan plan(long rows, long tiles, Chip chip) {
        return AttentionPlan.choose(rows, HEADS, WIDTH, tiles, chip);
    }

    @Test
    void fewRowsShareTheirListsAmongBlocksAndManyDoNot() {
        assertThat(plan(1, TILES, LARGE)).isEqualTo(new AttentionPlan(WIDTH, 1, TILES));
        assertThat(plan(4096, TILES, LARGE)).isEqualTo(new AttentionPlan(WIDTH, 4, 0));
        assertThat(plan(1, 1, LARGE).splits()).as("of one tile").isZero();
    }

    @Test
    void noMoreTilesAreKeptThanThereIsScratchFor() {
        for (long rows = 1; rows <= 2048; rows *= 2) {
            for (long tiles = 1; tiles <= 256; tiles *= 2) {
                assertThat(rows * plan(rows, tiles, LARGE).splits()).isLessThanOrEqualTo(AttentionPlan.MOST_SPLITS);
            }
        }
    }

    @Test
    void aBlockFitsTheSharedMemoryOfItsChip() {
        for (Chip chip : new Chip[] {LARGE, SMALL}) {
            AttentionPlan plan = plan(4096, TILES, chip);
            assertThat(plan.sharedBytes(plan.stages(chip))).isLessThan(chip.sharedBytes());
        }
        assertThat(plan(4096, TILES, SMALL).headTiles()).isOne();
        assertThat(plan(4096, TILES, LARGE).stages(LARGE)).isEqualTo(2);
        assertThat(AttentionPlan.fits(WIDTH, SMALL)).isTrue();
        assertThat(AttentionPlan.fits(WIDTH, new Chip(86, 84, 65_536, 6L << 20)))
                .isFalse();
    }
}
