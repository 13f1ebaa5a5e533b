package dev.weft.reference;

import dev.weft.DType;
import dev.weft.DTypeException;
import dev.weft.Scaling;
import dev.weft.Shape;
import dev.weft.spi.KernelArguments;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * One operand in host memory as rows: a row is the last axis, rows are numbered over all leading axes together. Hides
 * element format, block scales and the pitch of the first axis; a decoded value is code times scale, exact in F32.
 */
final class HostOperand {
    private final DType dtype;
    private final Scaling scaling;
    private final long[] dims;
    private final long pitch;
    private final long rowsPerIndex;
    private final int columns;
    private final MemorySegment data;
    private final MemorySegment scales;

    private HostOperand(KernelArguments args, int i) {
        dtype = args.dtype(i);
        scaling = args.scaling(i);
        dims = args.dims(i);
        pitch = args.pitch(i);
        int rank = dims.length;
        columns = rank == 0 ? 1 : Math.toIntExact(dims[rank - 1]);
        rowsPerIndex = rank < 3 ? 1 : Shape.elements(Arrays.copyOfRange(dims, 1, rank - 1));
        long elements = Shape.elements(dims);
        long span = elements == 0 ? 0 : rank < 2 ? elements : (dims[0] - 1) * pitch + rowsPerIndex * columns;
        data = MemorySegment.ofAddress(args.address(i)).reinterpret(dtype.bytes(span));
        long scaleBytes = scaling.isNone() || elements == 0 ? 0 : Shape.elements(scaling.scaleDims(dims));
        scales = MemorySegment.ofAddress(args.scaleAddress(i)).reinterpret(scaleBytes);
    }

    static HostOperand of(KernelArguments args, int i) {
        return new HostOperand(args, i);
    }

    DType dtype() {
        return dtype;
    }

    Scaling scaling() {
        return scaling;
    }

    /** Extent of an axis; negative counts from the end. */
    int dim(int axis) {
        return Math.toIntExact(dims[axis < 0 ? dims.length + axis : axis]);
    }

    /** Number of rows: the product of all extents but the last. */
    int rows() {
        return dims.length < 2 ? 1 : Math.toIntExact(dims[0] * rowsPerIndex);
    }

    /** Length of a row: the last extent. */
    int columns() {
        return columns;
    }

    /** Values of row {@code i}. */
    float[] row(long i) {
        float[] out = new float[columns];
        long at = offset(i);
        switch (dtype) {
            case F32 -> MemorySegment.copy(data, ValueLayout.JAVA_FLOAT_UNALIGNED, 4 * at, out, 0, columns);
            case BF16, F16 -> {
                short[] codes = new short[columns];
                MemorySegment.copy(data, ValueLayout.JAVA_SHORT_UNALIGNED, 2 * at, codes, 0, columns);
                for (int c = 0; c < columns; c++) {
                    out[c] = dtype.decode(codes[c] & 0xFFFF);
                }
            }
            default -> {
                for (int c = 0; c < columns; c++) {
                    out[c] = dtype.decode(narrowCode(at + c));
                }
            }
        }
        if (!scaling.isNone()) {
            for (int c = 0; c < columns; c++) {
                out[c] *= DType.F8_E8M0.decode(scales.get(ValueLayout.JAVA_BYTE, scaleOffset(i, c)));
            }
        }
        return out;
    }

    /** Values of rows {@code from .. to-1}. */
    float[][] rows(int from, int to) {
        float[][] out = new float[to - from][];
        for (int i = from; i < to; i++) {
            out[i - from] = row(i);
        }
        return out;
    }

    /** Values of all rows. */
    float[][] allRows() {
        return rows(0, rows());
    }

    /**
     * Stores {@code values} as row {@code i} of an unscaled operand, each rounded to nearest even. Every NaN becomes the
     * same one: which of two NaN operands a sum inherits is up to the compiler, and equal calls must give equal bits.
     */
    void setRow(long i, float[] values) {
        long at = offset(i);
        switch (dtype) {
            case F32 -> {
                for (int c = 0; c < columns; c++) {
                    data.set(ValueLayout.JAVA_INT_UNALIGNED, 4 * (at + c), Float.floatToIntBits(values[c]));
                }
            }
            case BF16, F16 -> {
                for (int c = 0; c < columns; c++) {
                    float value = Float.isNaN(values[c]) ? Float.NaN : values[c];
                    data.set(ValueLayout.JAVA_SHORT_UNALIGNED, 2 * (at + c), (short) dtype.encode(value));
                }
            }
            default -> throw new DTypeException("rows of floats: found " + dtype + ", expected F32, BF16 or F16");
        }
    }

    /** Stores codes and the scale bytes of their blocks as row {@code i}; the scaling has one row per block. */
    void setCodes(long i, int[] codes, int[] scaleBytes) {
        long at = offset(i);
        for (int c = 0; c < columns; c++) {
            setNarrowCode(at + c, codes[c]);
        }
        for (int b = 0; b < scaleBytes.length; b++) {
            scales.set(ValueLayout.JAVA_BYTE, scaleOffset(i, b * scaling.columns()), (byte) scaleBytes[b]);
        }
    }

    /** Copies row {@code j} of {@code source}, of the same format and width, bit for bit; scales travel along. */
    void copyRow(long i, HostOperand source, long j) {
        long bytes = dtype.bytes(columns);
        MemorySegment.copy(source.data, dtype.bytes(source.offset(j)), data, dtype.bytes(offset(i)), bytes);
        int blocks = scaling.isNone() ? 0 : Math.ceilDiv(columns, scaling.columns());
        for (int b = 0; b < blocks; b++) {
            byte scale = source.scales.get(ValueLayout.JAVA_BYTE, source.scaleOffset(j, b * scaling.columns()));
            scales.set(ValueLayout.JAVA_BYTE, scaleOffset(i, b * scaling.columns()), scale);
        }
    }

    /** Integers of row {@code i}. */
    int[] ints(long i) {
        int[] out = new int[columns];
        long at = offset(i);
        for (int c = 0; c < columns; c++) {
            out[c] = switch (dtype) {
                case I32 -> data.get(ValueLayout.JAVA_INT_UNALIGNED, 4 * (at + c));
                case I64 -> Math.toIntExact(data.get(ValueLayout.JAVA_LONG_UNALIGNED, 8 * (at + c)));
                default -> throw new DTypeException("rows of integers: found " + dtype + ", expected I32 or I64");
            };
        }
        return out;
    }

    /** Stores I32 values as row {@code i}. */
    void setInts(long i, int[] values) {
        MemorySegment.copy(values, 0, data, ValueLayout.JAVA_INT_UNALIGNED, 4 * offset(i), columns);
    }

    /** Stores I64 values as row {@code i}. */
    void setLongs(long i, long... values) {
        MemorySegment.copy(values, 0, data, ValueLayout.JAVA_LONG_UNALIGNED, 8 * offset(i), columns);
    }

    /** Elements before row {@code i}; rows without columns lie nowhere, whatever the pitch. */
    private long offset(long i) {
        return columns == 0 ? 0 : i / rowsPerIndex * pitch + i % rowsPerIndex * columns;
    }

    /** Byte of the scale of column {@code c} in row {@code i}: scales are row-major and tight. */
    private long scaleOffset(long i, int c) {
        long rows = dims.length < 2 ? 1 : dims[dims.length - 2];
        long scaleRows = Math.ceilDiv(rows, (long) scaling.rows());
        long scaleColumns = Math.ceilDiv(columns, scaling.columns());
        long scaleRow = i / rows * scaleRows + i % rows / scaling.rows();
        return scaleRow * scaleColumns + c / scaling.columns();
    }

    private int narrowCode(long element) {
        if (dtype != DType.F4_E2M1) {
            return data.get(ValueLayout.JAVA_BYTE, element);
        }
        int pair = data.get(ValueLayout.JAVA_BYTE, element / 2);
        return element % 2 == 0 ? pair & 0xF : pair >> 4 & 0xF;
    }

    private void setNarrowCode(long element, int code) {
        if (dtype != DType.F4_E2M1) {
            data.set(ValueLayout.JAVA_BYTE, element, (byte) code);
            return;
        }
        int old = data.get(ValueLayout.JAVA_BYTE, element / 2);
        int pair = element % 2 == 0 ? (old & 0xF0) | code : (old & 0x0F) | code << 4;
        data.set(ValueLayout.JAVA_BYTE, element / 2, (byte) pair);
    }
}
