package dev.weft.reference;

import dev.weft.DType;
import dev.weft.op.Expand;
import dev.weft.op.Scale;
import dev.weft.op.Slice;
import java.util.Arrays;

/** Copies and elementwise arithmetic. */
final class PlainReference {
    private PlainReference() {}

    /** {@code y[i, ...] = table[index[i], ...]}; an index out of range gives NaN. */
    static void gather(HostOperand table, HostOperand index, HostOperand y) {
        int entries = table.dim(0);
        int rowsPerEntry = entries == 0 ? 1 : table.rows() / entries;
        int[] indices = index.ints(0);
        float[] invalid = new float[table.columns()];
        Arrays.fill(invalid, Float.NaN);
        for (int i = 0; i < indices.length; i++) {
            boolean valid = indices[i] >= 0 && indices[i] < entries;
            for (int r = 0; r < rowsPerEntry; r++) {
                float[] row = valid ? table.row((long) indices[i] * rowsPerEntry + r) : invalid;
                y.setRow((long) i * rowsPerEntry + r, row);
            }
        }
    }

    /** {@code y[i, j, :] = x[i, :]}. */
    static void expand(Expand op, HostOperand x, HostOperand y) {
        for (int i = 0; i < x.rows(); i++) {
            for (int j = 0; j < op.copies(); j++) {
                y.copyRow((long) i * op.copies() + j, x, i);
            }
        }
    }

    /** {@code y = round(a + b)}. */
    static void add(HostOperand a, HostOperand b, HostOperand y) {
        for (int i = 0; i < a.rows(); i++) {
            float[] p = a.row(i);
            float[] q = b.row(i);
            for (int c = 0; c < p.length; c++) {
                p[c] = p[c] + q[c];
            }
            y.setRow(i, p);
        }
    }

    /** {@code y = round(a * b)}. */
    static void mul(HostOperand a, HostOperand b, HostOperand y) {
        for (int i = 0; i < a.rows(); i++) {
            float[] p = a.row(i);
            float[] q = b.row(i);
            for (int c = 0; c < p.length; c++) {
                p[c] = p[c] * q[c];
            }
            y.setRow(i, p);
        }
    }

    /** {@code y = round(x * factor)}. */
    static void scale(Scale op, HostOperand x, HostOperand y) {
        for (int i = 0; i < x.rows(); i++) {
            float[] row = x.row(i);
            for (int c = 0; c < row.length; c++) {
                row[c] = row[c] * op.factor();
            }
            y.setRow(i, row);
        }
    }

    /** {@code y = round(x)}. */
    static void cast(HostOperand x, HostOperand y) {
        for (int i = 0; i < x.rows(); i++) {
            y.setRow(i, x.row(i));
        }
    }

    /** {@code y = x}, bit for bit: also what a collective does on one rank. */
    static void copy(HostOperand x, HostOperand y) {
        for (int i = 0; i < x.rows(); i++) {
            y.copyRow(i, x, i);
        }
    }

    /** {@code y[..., :n] = a}, {@code y[..., n:] = b}. */
    static void concat(HostOperand a, HostOperand b, HostOperand y) {
        for (int i = 0; i < y.rows(); i++) {
            if (a.dtype() == DType.I32) {
                int[] joined = Arrays.copyOf(a.ints(i), y.columns());
                System.arraycopy(b.ints(i), 0, joined, a.columns(), b.columns());
                y.setInts(i, joined);
            } else {
                float[] joined = Arrays.copyOf(a.row(i), y.columns());
                System.arraycopy(b.row(i), 0, joined, a.columns(), b.columns());
                y.setRow(i, joined);
            }
        }
    }

    /** {@code y[..., c] = x[..., from + c]}. */
    static void slice(Slice op, HostOperand x, HostOperand y) {
        for (int i = 0; i < x.rows(); i++) {
            if (x.dtype() == DType.I32) {
                y.setInts(i, Arrays.copyOfRange(x.ints(i), op.from(), op.to()));
            } else {
                y.setRow(i, Arrays.copyOfRange(x.row(i), op.from(), op.to()));
            }
        }
    }
}
