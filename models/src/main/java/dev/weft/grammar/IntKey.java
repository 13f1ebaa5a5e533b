package dev.weft.grammar;

import java.util.Arrays;

/** Ints as the key of a map; the array is not changed afterwards. */
record IntKey(int[] values) {
    @Override
    public boolean equals(Object other) {
        return other instanceof IntKey(int[] others) && Arrays.equals(values, others);
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(values);
    }
}
