package dev.weft.text;

import java.util.Arrays;

/** A growing list of ints without boxes. */
final class IntList {
    private int[] values = new int[16];
    private int size;

    void add(int value) {
        reserve(1);
        values[size++] = value;
    }

    void addAll(int[] more) {
        reserve(more.length);
        System.arraycopy(more, 0, values, size, more.length);
        size += more.length;
    }

    int[] toArray() {
        return Arrays.copyOf(values, size);
    }

    private void reserve(int more) {
        int needed = Math.addExact(size, more);
        if (needed > values.length) {
            int doubled = (int) Math.min(2L * values.length, Integer.MAX_VALUE - 8);
            values = Arrays.copyOf(values, Math.max(needed, doubled));
        }
    }
}
