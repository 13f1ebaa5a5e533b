package dev.weft.backend.cpu.vector;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Arrays of one worker, kept from call to call and grown on demand. Contents are undefined. */
final class Scratch {
    private static final int SLOTS = 6;

    private final float[][] floats = new float[SLOTS][0];
    private long[] longs = {};
    private int[] ints = {};
    /** What {@link WeightPanel#fetch} returned last. */
    long fetched;

    /** A step of weights of the widest format; freed when the worker's scratch memory is unreachable. */
    private final MemorySegment step = Arena.ofAuto().allocate(WeightDecoder.STEP * 4L, 64);

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

    /** An array of at least {@code size} elements. */
    int[] ints(int size) {
        if (ints.length < size) {
            ints = new int[size];
        }
        return ints;
    }

    /** Address of a copy of less than a step of weights, followed by zeros; valid until the next call. */
    long padded(long from, long bytes) {
        step.fill((byte) 0);
        MemorySegment.copy(Memory.ALL, from, step, 0, bytes);
        return step.address();
    }
}
