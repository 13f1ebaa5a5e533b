package dev.weft.model;

/**
 * How far a sequence is: all that it is besides its rings and pages.
 *
 * @param tokens the tokens so far
 * @param highWater one past the highest position ever written to the rings
 * @param mtpPosition MTP rows done
 * @param hidden residual streams of the last positions; empty without MTP
 */
record Progress(int[] tokens, int highWater, int mtpPosition, HiddenRows hidden) {
    int position() {
        return tokens.length;
    }

    /** How many of the last positions have their residual streams kept. */
    int streamsKept() {
        int count = 0;
        while (hidden.has(position() - count - 1)) {
            count++;
        }
        return count;
    }

    /** The lowest position at which the rings still hold all that a row needs. */
    int lowest(LoadOptions options) {
        return Math.max(0, highWater - options.rollback());
    }
}
