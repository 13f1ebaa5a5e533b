package dev.weft.spi;

/**
 * Keeps the weights of one model on a device, reading them from their files when a kernel needs them. A weight is a list
 * of equal units. Units at home are read once and stay; the others share slots, where the least recently used one gives
 * way. Results have the bits of weights that were loaded whole.
 *
 * <p>Adding is for one thread, before the first kernel runs. A file that cannot be read or is damaged ends the run that
 * needed it with {@link dev.weft.CheckpointException}; later runs try again.
 */
public interface WeightPager extends AutoCloseable {
    /**
     * Adds a weight.
     *
     * @param paging how the device's {@link WeightLayout} cuts it
     * @param source where it lies; {@link WeightData#isInFiles}
     * @param home device address of room for all its units, 0 to use the slots
     * @return the scale address of operands that name the weight
     * @throws dev.weft.CheckpointException if a file cannot be opened or is not the one that was checked
     */
    long add(WeightLayout.Paging paging, WeightData source, long home);

    /** What happened so far. */
    Counters counters();

    /** Closes the files; the slots belong to the caller. */
    @Override
    void close();

    /**
     * Numbers since the pager was opened.
     *
     * @param hits units that a kernel found in memory
     * @param misses units that were read
     * @param bytesRead bytes of those
     * @param evictions units that gave way to others
     */
    record Counters(long hits, long misses, long bytesRead, long evictions) {
        /** Nothing happened. */
        public static final Counters NONE = new Counters(0, 0, 0, 0);
    }
}
