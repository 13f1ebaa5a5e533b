package dev.weft.spi;

import dev.weft.DType;
import dev.weft.Scaling;
import dev.weft.TensorType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.ValueLayout;
import java.util.List;

/**
 * Addresses and extents of the operands of one kernel call: operands first, results after them.
 *
 * <p>The values live outside the heap in the layout of {@code weft_operand} (native/include/weft/weft.h), ten 64-bit
 * words per operand: data address, scale address, dtype, scaling (rows &lt;&lt; 32 | columns), rank, pitch, four extents.
 * A step therefore rewrites only what changed, and a native kernel reads them in place. Used by one thread at a time.
 */
public final class KernelArguments {
    /** 64-bit words per operand. */
    public static final int WORDS = 10;

    /** Largest rank of an operand. */
    public static final int MAX_RANK = 4;

    private static final int DATA = 0;
    private static final int SCALE = 1;
    private static final int DTYPE = 2;
    private static final int SCALING = 3;
    private static final int RANK = 4;
    private static final int PITCH = 5;
    private static final int DIMS = 6;

    private final MemorySegment words;
    private final List<TensorType> types;
    private long workspace;

    /**
     * Arguments for operands of the given types, named axes at their upper bounds, addresses zero, pitches tight.
     *
     * @param types operand types, then result types
     * @param allocator owner of the words; they must outlive every use
     */
    public KernelArguments(List<TensorType> types, SegmentAllocator allocator) {
        this.types = List.copyOf(types);
        this.words = allocator.allocate(8L * WORDS * Math.max(1, types.size()), 8);
        for (int i = 0; i < types.size(); i++) {
            TensorType t = types.get(i);
            if (t.shape().rank() > MAX_RANK) {
                throw new dev.weft.ShapeException("operand " + i + " " + t + ": rank above " + MAX_RANK);
            }
            set(i, DTYPE, t.dtype().ordinal());
            set(i, SCALING, (long) t.scaling().rows() << 32 | t.scaling().columns());
            set(i, RANK, t.shape().rank());
            extents(i, t.shape().maximum());
        }
    }

    /** Number of operands and results. */
    public int count() {
        return types.size();
    }

    /** Type of operand {@code i} as compiled; named axes are not bound in it. */
    public TensorType type(int i) {
        return types.get(i);
    }

    /** Device address of the first element, 0 for an unbound or empty operand. */
    public long address(int i) {
        return get(i, DATA);
    }

    /**
     * Device address of the first scale byte, 0 if the operand is unscaled or in a backend's own layout; for a paged
     * weight what its {@link WeightPager} gave.
     */
    public long scaleAddress(int i) {
        return get(i, SCALE);
    }

    /** Elements between consecutive indices of the first axis; at least the product of the other extents. */
    public long pitch(int i) {
        return get(i, PITCH);
    }

    /** Number of axes. */
    public int rank(int i) {
        return (int) get(i, RANK);
    }

    /** Extent of an axis in this call; negative counts from the end. */
    public long dim(int i, int axis) {
        return get(i, DIMS + (axis < 0 ? rank(i) + axis : axis));
    }

    /** Element format. */
    public DType dtype(int i) {
        return types.get(i).dtype();
    }

    /** Block scaling. */
    public Scaling scaling(int i) {
        return types.get(i).scaling();
    }

    /** Extents in this call. */
    public long[] dims(int i) {
        long[] d = new long[rank(i)];
        for (int a = 0; a < d.length; a++) {
            d[a] = get(i, DIMS + a);
        }
        return d;
    }

    /** Elements in this call. */
    public long elements(int i) {
        long n = 1;
        for (int a = 0; a < rank(i); a++) {
            n = Math.multiplyExact(n, dim(i, a)); // no array: collectives ask for every operand in every step
        }
        return n;
    }

    /** Device address of the scratch memory. */
    public long workspace() {
        return workspace;
    }

    /** The words of all operands, for native kernels. */
    public MemorySegment words() {
        return words;
    }

    /** Sets where operand {@code i} lives. */
    public void bind(int i, long address, long scaleAddress) {
        set(i, DATA, address);
        set(i, SCALE, scaleAddress);
    }

    /** Sets the extents of operand {@code i} and makes its pitch tight. */
    public void extents(int i, long... extents) {
        long inner = 1;
        for (int a = 0; a < extents.length; a++) {
            set(i, DIMS + a, extents[a]);
            inner *= a == 0 ? 1 : extents[a];
        }
        set(i, PITCH, inner);
    }

    /** Sets one extent of operand {@code i}, leaving the pitch; for a first axis that varies from step to step. */
    public void extent(int i, int axis, long extent) {
        set(i, DIMS + axis, extent);
    }

    /** Sets the pitch of operand {@code i} in elements. */
    public void pitch(int i, long pitch) {
        set(i, PITCH, pitch);
    }

    /** Sets the scratch memory. */
    public void workspace(long address) {
        this.workspace = address;
    }

    private long get(int i, int word) {
        return words.getAtIndex(ValueLayout.JAVA_LONG, (long) i * WORDS + word);
    }

    private void set(int i, int word, long value) {
        words.setAtIndex(ValueLayout.JAVA_LONG, (long) i * WORDS + word, value);
    }
}
