package dev.weft.backend.cuda.kernel;

import dev.weft.UnsupportedOpException;

/**
 * Blocks of a launch along three axes.
 *
 * @param x up to 2^31 - 1
 * @param y up to 65535
 * @param z up to 65535
 */
public record Grid(long x, long y, long z) {
    private static final long MOST_X = Integer.MAX_VALUE;
    static final long MOST_YZ = 65535;

    public Grid {
        if (x < 0 || x > MOST_X || y < 0 || y > MOST_YZ || z < 0 || z > MOST_YZ) {
            throw new UnsupportedOpException("grid " + x + " x " + y + " x " + z + ": expected at most " + MOST_X
                    + " x " + MOST_YZ + " x " + MOST_YZ);
        }
    }

    /** Blocks along one axis. */
    public static Grid of(long x) {
        return new Grid(x, 1, 1);
    }

    /** Blocks along two axes. */
    public static Grid of(long x, long y) {
        return new Grid(x, y, 1);
    }

    /** As many blocks of {@code perBlock} as hold {@code items}. */
    public static Grid covering(long items, long perBlock) {
        return of(Math.ceilDiv(items, perBlock));
    }

    /** Whether nothing is launched. */
    public boolean isEmpty() {
        return x == 0 || y == 0 || z == 0;
    }
}
