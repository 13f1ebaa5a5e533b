package dev.weft.conformance;

import dev.weft.DType;
import dev.weft.Shape;
import dev.weft.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * A tensor of fixed extents in host memory, with the pitch of the first axis that a device copy of it gets. Elements are
 * numbered row-major over the extents; the gaps between pitched rows are in {@link #data} but have no number.
 */
public final class HostTensor {
    /** Byte that fills results and gaps before a run: NaN as F32, BF16 or E4M3. */
    static final byte POISON = (byte) 0xFF;

    private final TensorType type;
    private final long[] dims;
    private final long pitch;
    private final MemorySegment data;
    private final MemorySegment scales;

    private HostTensor(TensorType type, long[] dims, long pitch, MemorySegment data, MemorySegment scales) {
        this.type = type;
        this.dims = dims;
        this.pitch = pitch;
        this.data = data;
        this.scales = scales;
    }

    /**
     * A tensor without gaps that is to be filled.
     *
     * @param type fixed extents
     * @param arena owner of its memory
     */
    public static HostTensor of(TensorType type, Arena arena) {
        return poisoned(type, 0, arena);
    }

    /** A poisoned tensor. @param gap elements between consecutive indices of the first axis */
    static HostTensor poisoned(TensorType type, long gap, Arena arena) {
        long[] dims = type.shape().maximum();
        long elements = Shape.elements(dims);
        long inner = dims.length < 2 ? 1 : Shape.elements(Arrays.copyOfRange(dims, 1, dims.length));
        long pitch = inner + (dims.length < 2 ? 0 : gap);
        long span = elements == 0 ? 0 : dims.length == 0 ? 1 : (dims[0] - 1) * pitch + inner;
        MemorySegment data = bytes(type.dtype().bytes(span), arena).fill(POISON);
        MemorySegment scales = bytes(type.maxScaleBytes(), arena).fill(POISON);
        return new HostTensor(type, dims, pitch, data, scales);
    }

    private static MemorySegment bytes(long size, Arena arena) {
        return arena.allocate(Math.max(1, size), 64).asSlice(0, size);
    }

    /** The same memory in another shape of as many elements; for tensors without gaps. */
    public HostTensor seenAs(TensorType other) {
        long[] extents = other.shape().maximum();
        long inner = extents.length < 2 ? 1 : Shape.elements(Arrays.copyOfRange(extents, 1, extents.length));
        return new HostTensor(other, extents, inner, data, scales);
    }

    /** A copy with the same pitch. */
    public HostTensor copy(Arena arena) {
        return new HostTensor(
                type,
                dims,
                pitch,
                bytes(data.byteSize(), arena).copyFrom(data),
                bytes(scales.byteSize(), arena).copyFrom(scales));
    }

    /** Rows {@code [from, to)} of the first axis as a tensor of their own; scales must belong to single rows. */
    HostTensor rows(long from, long to, Arena arena) {
        TensorType part = type.shaped(type.shape().with(0, dev.weft.Dim.fixed(to - from)));
        long inner = dims[0] == 0 ? 0 : Shape.elements(dims) / dims[0];
        HostTensor out = poisoned(part, 0, arena);
        for (long i = 0; i < (to - from) * inner; i++) {
            out.setCode(i, code(from * inner + i));
        }
        long perRow = dims[0] == 0 ? 0 : scales.byteSize() / dims[0];
        out.scales.copyFrom(scales.asSlice(from * perRow, (to - from) * perRow));
        return out;
    }

    /** Format and extents. */
    public TensorType type() {
        return type;
    }

    /** Extent of an axis; negative counts from the end. */
    public int dim(int axis) {
        return Math.toIntExact(dims[axis < 0 ? dims.length + axis : axis]);
    }

    /** Extents. */
    long[] dims() {
        return dims.clone();
    }

    /** Elements between consecutive indices of the first axis. */
    long pitch() {
        return pitch;
    }

    /** Bytes from the first to the last element, gaps included. */
    public MemorySegment data() {
        return data;
    }

    /** Scale bytes. */
    public MemorySegment scales() {
        return scales;
    }

    /** Number of elements. */
    public long size() {
        return Shape.elements(dims);
    }

    private long at(long element) {
        if (dims.length < 2) {
            return element;
        }
        long inner = size() / dims[0];
        return element / inner * pitch + element % inner;
    }

    /** Bits of an element. */
    public long code(long element) {
        long at = at(element);
        return switch (type.dtype().bits()) {
            case 4 -> data.get(ValueLayout.JAVA_BYTE, at / 2) >> (at % 2 * 4) & 0xF;
            case 8 -> data.get(ValueLayout.JAVA_BYTE, at) & 0xFF;
            case 16 -> data.get(ValueLayout.JAVA_SHORT_UNALIGNED, 2 * at) & 0xFFFF;
            case 32 -> data.get(ValueLayout.JAVA_INT_UNALIGNED, 4 * at);
            default -> data.get(ValueLayout.JAVA_LONG_UNALIGNED, 8 * at);
        };
    }

    /** Stores bits of an element. */
    public void setCode(long element, long code) {
        long at = at(element);
        switch (type.dtype().bits()) {
            case 4 -> {
                int shift = (int) (at % 2 * 4);
                int other = data.get(ValueLayout.JAVA_BYTE, at / 2) & 0xF0 >> shift;
                data.set(ValueLayout.JAVA_BYTE, at / 2, (byte) (other | code << shift));
            }
            case 8 -> data.set(ValueLayout.JAVA_BYTE, at, (byte) code);
            case 16 -> data.set(ValueLayout.JAVA_SHORT_UNALIGNED, 2 * at, (short) code);
            case 32 -> data.set(ValueLayout.JAVA_INT_UNALIGNED, 4 * at, (int) code);
            default -> data.set(ValueLayout.JAVA_LONG_UNALIGNED, 8 * at, code);
        }
    }

    /** Value of an unscaled float element, or an integer. */
    public double value(long element) {
        DType dtype = type.dtype();
        return dtype.isFloat() ? dtype.decode((int) code(element)) : code(element);
    }

    /** Stores a value, rounded to the format. */
    public void set(long element, double value) {
        setCode(element, type.dtype().isFloat() ? type.dtype().encode((float) value) : (long) value);
    }

    /** Whether two elements have the same bits, all NaN of a format being one. */
    public boolean same(long element, HostTensor other) {
        return code(element) == other.code(element)
                || type.dtype().isFloat() && Double.isNaN(value(element)) && Double.isNaN(other.value(element));
    }

    /** Bytes that lie between the rows and differ from {@code other}; -1 if none. */
    long firstChangedGap(HostTensor other) {
        if (dims.length < 2 || size() == 0) {
            return -1;
        }
        DType dtype = type.dtype();
        long inner = size() / dims[0];
        for (long i = 0; i + 1 < dims[0]; i++) {
            long from = dtype.bytes(i * pitch + inner);
            long to = dtype.bytes((i + 1) * pitch);
            long bad = MemorySegment.mismatch(data, from, to, other.data, from, to);
            if (bad >= 0) {
                return from + bad;
            }
        }
        return -1;
    }

    /** Coordinate of an element as text. */
    public String coordinate(long element) {
        long[] c = new long[dims.length];
        for (int a = dims.length - 1; a >= 0; a--) {
            c[a] = element % dims[a];
            element /= dims[a];
        }
        return Arrays.toString(c);
    }
}
