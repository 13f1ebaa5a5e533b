package dev.weft.backend.ascend.kernel;

import dev.weft.ShapeException;
import dev.weft.backend.ascend.abi.AclFormat;
import dev.weft.backend.ascend.abi.AclType;
import java.util.Arrays;

/**
 * A device tensor as {@code aclCreateTensor} takes it: a strided view of memory. Views share the memory.
 *
 * @param address device address of the storage
 * @param type element type
 * @param dims extents of the view
 * @param strides elements between neighbours along each axis
 * @param offset elements from {@code address} to the first element
 * @param format storage format
 * @param storage extents of the storage
 */
public record Ten(
        long address, AclType type, long[] dims, long[] strides, long offset, AclFormat format, long[] storage) {

    /** A dense row-major tensor. */
    public static Ten dense(long address, AclType type, long... dims) {
        return new Ten(address, type, dims.clone(), dense(dims), 0, AclFormat.ND, dims.clone());
    }

    /** A tensor whose first axis has pitch {@code pitch} elements and whose other axes are dense. */
    public static Ten pitched(long address, AclType type, long pitch, long... dims) {
        long[] strides = dense(dims);
        long[] storage = dims.clone();
        if (dims.length > 0 && strides[0] != pitch) {
            strides[0] = pitch;
            long elements = dims[0] == 0 ? 0 : (dims[0] - 1) * pitch + product(dims, 1);
            storage = new long[] {elements};
        }
        return new Ten(address, type, dims.clone(), strides, 0, AclFormat.ND, storage);
    }

    private static long[] dense(long[] dims) {
        long[] strides = new long[dims.length];
        long step = 1;
        for (int a = dims.length - 1; a >= 0; a--) {
            strides[a] = step;
            step *= dims[a];
        }
        return strides;
    }

    private static long product(long[] dims, int from) {
        long n = 1;
        for (int a = from; a < dims.length; a++) {
            n *= dims[a];
        }
        return n;
    }

    /** Number of axes. */
    public int rank() {
        return dims.length;
    }

    /** Extent of an axis; negative counts from the end. */
    public long dim(int axis) {
        return dims[axis(axis)];
    }

    /** Elements of the view. */
    public long elements() {
        return product(dims, 0);
    }

    /** Whether the elements follow each other in row-major order. */
    public boolean isDense() {
        long step = 1;
        for (int a = dims.length - 1; a >= 0; a--) {
            if (dims[a] != 1 && strides[a] != step) {
                return false;
            }
            step *= dims[a];
        }
        return true;
    }

    /** Bytes from the address to the end of the storage. */
    public long storageBytes() {
        return type.bytes(product(storage, 0));
    }

    private int axis(int axis) {
        int a = axis < 0 ? dims.length + axis : axis;
        if (a < 0 || a >= dims.length) {
            throw new ShapeException(this + ": axis " + axis + " does not exist");
        }
        return a;
    }

    /** The same elements in row-major order under other extents; axes may be merged and split only where memory allows. */
    public Ten view(long... extents) {
        if (product(extents, 0) != elements()) {
            throw new ShapeException(this + ": cannot be viewed as " + Arrays.toString(extents));
        }
        long[] inner = elements() == 0 ? dense(extents) : split(extents);
        return new Ten(address, type, extents.clone(), inner, offset, format, storage);
    }

    /** Strides of a view with {@code extents}: runs of axes that lie dense in memory are cut up anew, from the end. */
    private long[] split(long[] extents) {
        long[] out = new long[extents.length];
        int b = extents.length - 1;
        long unit = dims.length == 0 ? 1 : strides[dims.length - 1];
        long run = 1;
        for (int a = dims.length - 1; a >= 0; a--) {
            run *= dims[a];
            if (a > 0 && (dims[a - 1] == 1 || strides[a - 1] == run * unit)) {
                continue;
            }
            long covered = 1;
            while (b >= 0 && (covered < run || extents[b] == 1)) {
                out[b] = covered * unit;
                covered *= extents[b--];
            }
            if (covered != run) {
                throw new ShapeException(this + ": is not dense enough to be viewed as " + Arrays.toString(extents));
            }
            unit = a > 0 ? strides[a - 1] : unit;
            run = 1;
        }
        return out;
    }

    /** Axes in another order. */
    public Ten permute(int... axes) {
        long[] d = new long[axes.length];
        long[] s = new long[axes.length];
        for (int i = 0; i < axes.length; i++) {
            d[i] = dims[axes[i]];
            s[i] = strides[axes[i]];
        }
        return new Ten(address, type, d, s, offset, format, storage);
    }

    /** The last two axes swapped. */
    public Ten transpose() {
        int[] axes = new int[dims.length];
        Arrays.setAll(axes, i -> i);
        axes[dims.length - 1] = dims.length - 2;
        axes[dims.length - 2] = dims.length - 1;
        return permute(axes);
    }

    /** Indices {@code [from, to)} of an axis. */
    public Ten slice(int axis, long from, long to) {
        int a = axis(axis);
        if (from < 0 || to < from || to > dims[a]) {
            throw new ShapeException(this + ": axis " + axis + " has no range [" + from + ", " + to + ")");
        }
        long[] d = dims.clone();
        d[a] = to - from;
        return new Ten(address, type, d, strides, offset + from * strides[a], format, storage);
    }

    /** Every {@code step}th index of an axis. */
    public Ten step(int axis, long step) {
        int a = axis(axis);
        long[] d = dims.clone();
        long[] s = strides.clone();
        d[a] = Math.ceilDiv(dims[a], step);
        s[a] *= step;
        return new Ten(address, type, d, s, offset, format, storage);
    }

    /** An axis of extent 1 repeated without copies. */
    public Ten broadcast(int axis, long extent) {
        int a = axis(axis);
        if (dims[a] != 1) {
            throw new ShapeException(this + ": axis " + axis + " must have extent 1 to be repeated");
        }
        long[] d = dims.clone();
        long[] s = strides.clone();
        d[a] = extent;
        s[a] = 0;
        return new Ten(address, type, d, s, offset, format, storage);
    }

    /** The bytes as elements of another type; the last axis, which must be contiguous, changes its extent. */
    public Ten as(AclType other) {
        if (other.bits() == type.bits()) {
            return new Ten(address, other, dims, strides, offset, format, storage);
        }
        int last = dims.length - 1;
        if (last < 0 || strides[last] != 1 && dims[last] != 1) {
            throw new ShapeException(this + ": the last axis must be contiguous to become " + other);
        }
        long[] s = strides.clone();
        for (int a = 0; a < last; a++) {
            s[a] = scale(strides[a], other);
        }
        s[last] = 1;
        long[] d = dims.clone();
        d[last] = scale(d[last], other);
        long[] m = storage.clone();
        m[m.length - 1] = scale(m[m.length - 1], other);
        return new Ten(address, other, d, s, scale(offset, other), format, m);
    }

    private long scale(long elements, AclType other) {
        long bits = Math.multiplyExact(elements, (long) type.bits());
        if (bits % other.bits() != 0) {
            throw new ShapeException(this + ": " + elements + " elements are no whole number of " + other);
        }
        return bits / other.bits();
    }

    /** The same view of memory in another storage format. */
    public Ten format(AclFormat other, long... extents) {
        return new Ten(address, type, dims, strides, offset, other, extents.clone());
    }

    @Override
    public boolean equals(Object o) {
        return o instanceof Ten t
                && address == t.address
                && type == t.type
                && offset == t.offset
                && format == t.format
                && Arrays.equals(dims, t.dims)
                && Arrays.equals(strides, t.strides)
                && Arrays.equals(storage, t.storage);
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(dims) * 31 + Long.hashCode(address) + type.hashCode();
    }

    @Override
    public String toString() {
        return type + Arrays.toString(dims) + "/" + Arrays.toString(strides) + "@" + Long.toHexString(address) + "+"
                + offset;
    }
}
