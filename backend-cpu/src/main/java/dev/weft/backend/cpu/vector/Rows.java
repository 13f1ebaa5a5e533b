package dev.weft.backend.cpu.vector;

import dev.weft.DType;

/**
 * An operand as rows of its last axis, numbered over all other axes.
 *
 * @param dtype element format
 * @param base address of the first row
 * @param rows number of rows
 * @param width elements of a row
 * @param inner rows per index of the first axis
 * @param pitch elements between indices of the first axis
 */
record Rows(DType dtype, long base, int rows, int width, int inner, long pitch) {
    static Rows of(Operands a, int operand) {
        int width = Math.toIntExact(a.dim(operand, -1));
        long inner = 1;
        for (int axis = 1; axis < a.rank(operand) - 1; axis++) {
            inner *= a.dim(operand, axis);
        }
        int rows = a.rank(operand) == 1 ? 1 : Math.toIntExact(a.dim(operand, 0) * inner);
        return new Rows(a.dtype(operand), a.address(operand), rows, width, (int) inner, a.pitch(operand));
    }

    /** Address of the first element of a row. */
    long row(int row) {
        return Memory.at(dtype, base, row / inner * pitch + (long) (row % inner) * width);
    }

    /** The codes of a row as floats. */
    void decode(int row, float[] to, int offset) {
        Memory.decode(dtype, row(row), width, to, offset);
    }

    /** Rounds and stores one element. */
    void store(int row, int column, float value) {
        Memory.store(dtype, Memory.at(dtype, row(row), column), value);
    }

    /** Rounds and stores a whole row. */
    void store(int row, float[] from, int at) {
        Memory.store(dtype, row(row), from, at, width);
    }
}
