package dev.weft.backend.cpu.vector;

/** Arrays of one worker, kept from call to call and grown on demand. Contents are undefined. */
final class Scratch {
    private static final int SLOTS = 6;

    private final float[][] floats = new float[SLOTS][0];
    private long[] longs = {};

    /** Array number {@code slot} of at least {@code size} elements. */
    float[] floats(int slot, int size) {
        if (floats[slot].length < size) {
            floats[slot] = new float[size];
        }
        return floats[slot];
    }

    /** An array of at least {@code size} elements. */
    long[] longs(int size) {
        if (longs.length < size) {
            longs = new long[size];
        }
        return longs;
    }
}
