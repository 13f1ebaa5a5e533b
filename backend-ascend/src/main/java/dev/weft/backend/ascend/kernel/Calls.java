package dev.weft.backend.ascend.kernel;

import dev.weft.backend.ascend.abi.AclType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The simple functions of ops-math and ops-nn by their usual names. A method without result argument writes to new scratch
 * memory of the result's shape. Operands broadcast and may be strided unless a method says otherwise; results never
 * overlap operands. Source: the operators' pages of the ops-math and ops-nn documentation.
 */
final class Calls {
    /** {@code cubeMathType}: keep the operands' precision. */
    static final byte KEEP_PRECISION = 0;

    private final Emit e;

    Calls(Emit e) {
        this.e = e;
    }

    Emit emit() {
        return e;
    }

    /**
     * {@link Emit#shared} under a name, operands and numbers.
     *
     * @param what names what is computed
     * @param from operands that go in
     * @param numbers whatever else goes in
     */
    <T> T shared(String what, List<Ten> from, Object numbers, Supplier<T> body) {
        return e.shared(List.of(what, from, numbers), from, body);
    }

    private Ten like(AclType type, Ten... operands) {
        int rank = 0;
        for (Ten t : operands) {
            rank = Math.max(rank, t.rank());
        }
        long[] dims = new long[rank];
        Arrays.fill(dims, 1);
        for (Ten t : operands) {
            for (int i = 1; i <= t.rank(); i++) {
                dims[rank - i] = t.dim(-i) == 1 ? dims[rank - i] : t.dim(-i);
            }
        }
        return e.temp(type, dims);
    }

    /** Copies and broadcasts {@code from}, converting the type if they differ. */
    void copy(Ten from, Ten to) {
        e.call("aclnnInplaceCopy", to, from);
    }

    /** {@code x} itself if dense, else a dense copy. */
    Ten dense(Ten x) {
        if (x.isDense()) {
            return x;
        }
        Ten y = like(x.type(), x);
        copyBits(x, y);
        return y;
    }

    /** Copies elements as they are; narrow floats as bytes, which every product copies. */
    void copyBits(Ten from, Ten to) {
        boolean narrow = from.type().bits() <= 8;
        copy(narrow ? from.as(AclType.UINT8) : from, narrow ? to.as(AclType.UINT8) : to);
    }

    /** {@code x} as {@code [rows, last axis]}, copied if its pitch stands in the way. */
    Ten rows(Ten x) {
        long width = x.dim(-1);
        return (x.rank() <= 2 ? x : dense(x)).view(width == 0 ? 0 : x.elements() / width, width);
    }

    /** Rounds to nearest even, or truncates towards zero when an integer type is asked for. */
    void cast(Ten x, Ten y) {
        e.call("aclnnCast", x, y.type(), y);
    }

    Ten cast(Ten x, AclType to) {
        if (x.type() == to) {
            return x;
        }
        Ten y = like(to, x);
        cast(x, y);
        return y;
    }

    Ten float32(Ten x) {
        return cast(x, AclType.FLOAT);
    }

    /** Where an F32 result should go so that {@link #round} brings it to {@code y}. */
    Ten wide(Ten y) {
        return y.type() == AclType.FLOAT ? y : like(AclType.FLOAT, y);
    }

    /** Rounds what was written to {@link #wide}. */
    void round(Ten wide, Ten y) {
        if (wide != y) {
            cast(wide, y);
        }
    }

    void add(Ten a, Ten b, Ten y) {
        e.call("aclnnAdd", a, b, one(y), y);
    }

    Ten add(Ten a, Ten b) {
        Ten y = like(a.type(), a, b);
        add(a, b, y);
        return y;
    }

    void sub(Ten a, Ten b, Ten y) {
        e.call("aclnnSub", a, b, one(y), y);
    }

    Ten sub(Ten a, Ten b) {
        Ten y = like(a.type(), a, b);
        sub(a, b, y);
        return y;
    }

    private static Scalar one(Ten y) {
        return y.type() == AclType.INT32 ? Scalar.of(1) : Scalar.of(1f);
    }

    void mul(Ten a, Ten b, Ten y) {
        e.call("aclnnMul", a, b, y);
    }

    Ten mul(Ten a, Ten b) {
        Ten y = like(a.type(), a, b);
        mul(a, b, y);
        return y;
    }

    void div(Ten a, Ten b, Ten y) {
        e.call("aclnnDiv", a, b, y);
    }

    Ten div(Ten a, Ten b) {
        Ten y = like(a.type(), a, b);
        div(a, b, y);
        return y;
    }

    void scale(Ten x, Scalar factor, Ten y) {
        e.call("aclnnMuls", x, factor, y);
    }

    Ten scale(Ten x, Scalar factor) {
        Ten y = like(x.type(), x);
        scale(x, factor, y);
        return y;
    }

    Ten scale(Ten x, float factor) {
        return scale(x, Scalar.of(factor));
    }

    Ten plus(Ten x, Scalar addend) {
        Ten y = like(x.type(), x);
        e.call("aclnnAdds", x, addend, one(x), y);
        return y;
    }

    Ten abs(Ten x) {
        return unary("aclnnAbs", x);
    }

    Ten neg(Ten x) {
        return unary("aclnnNeg", x);
    }

    Ten exp(Ten x) {
        return unary("aclnnExp", x);
    }

    Ten sqrt(Ten x) {
        return unary("aclnnSqrt", x);
    }

    Ten reciprocal(Ten x) {
        return unary("aclnnReciprocal", x);
    }

    Ten silu(Ten x) {
        return unary("aclnnSilu", x);
    }

    Ten sigmoid(Ten x) {
        return unary("aclnnSigmoid", x);
    }

    /** {@code log(1 + e^x)}, x itself above 20. */
    Ten softplus(Ten x) {
        Ten y = like(x.type(), x);
        e.call("aclnnSoftplus", x, Scalar.of(1f), Scalar.of(20f), y);
        return y;
    }

    /** Along the last axis. */
    Ten softmax(Ten x) {
        Ten y = like(x.type(), x);
        e.call("aclnnSoftmax", x, -1L, y);
        return y;
    }

    Ten cos(Ten x) {
        return unary("aclnnCos", x);
    }

    Ten sin(Ten x) {
        return unary("aclnnSin", x);
    }

    private Ten unary(String function, Ten x) {
        Ten y = like(x.type(), x);
        e.call(function, x, y);
        return y;
    }

    /** {@code max(low, min(x, high))}; NaN stays. Either bound may be null. */
    Ten clamp(Ten x, @Nullable Scalar low, @Nullable Scalar high) {
        Ten y = like(x.type(), x);
        clamp(x, low, high, y);
        return y;
    }

    void clamp(Ten x, @Nullable Scalar low, @Nullable Scalar high, Ten y) {
        e.call("aclnnClamp", x, low, high, y);
    }

    private static long[] reduced(Ten x, int axis) {
        long[] dims = x.dims().clone();
        dims[axis < 0 ? dims.length + axis : axis] = 1;
        return dims;
    }

    /** Largest value along the last axis, which stays with extent 1. */
    Ten max(Ten x) {
        return max(x, -1);
    }

    /** As {@link #max(Ten)} along another axis. */
    Ten max(Ten x, int axis) {
        Ten y = e.temp(x.type(), reduced(x, axis));
        e.call("aclnnAmax", x, new long[] {axis}, true, y);
        return y;
    }

    /** F32 sum along the last axis, which stays with extent 1. */
    Ten sum(Ten x) {
        return sum(x, -1);
    }

    /** As {@link #sum(Ten)} along another axis. */
    Ten sum(Ten x, int axis) {
        Ten y = e.temp(AclType.FLOAT, reduced(x, axis));
        e.call("aclnnReduceSum", x, new long[] {axis}, true, AclType.FLOAT, y);
        return y;
    }

    /** BOOL: where the two are equal; NaN equals nothing. */
    Ten equal(Ten a, Ten b) {
        Ten y = like(AclType.BOOL, a, b);
        e.call("aclnnEqTensor", a, b, y);
        return y;
    }

    /** BOOL: where {@code a} is less than {@code b}. */
    Ten less(Ten a, Ten b) {
        Ten y = like(AclType.BOOL, a, b);
        e.call("aclnnLtTensor", a, b, y);
        return y;
    }

    /** BOOL: where {@code x} is at least {@code bound}. */
    Ten atLeast(Ten x, Scalar bound) {
        Ten y = like(AclType.BOOL, x);
        e.call("aclnnGeScalar", x, bound, y);
        return y;
    }

    /** {@code condition ? a : b}, all three broadcast to {@code y}. */
    void select(Ten condition, Ten a, Ten b, Ten y) {
        e.call("aclnnSWhere", condition, a, b, y);
    }

    Ten select(Ten condition, Ten a, Ten b) {
        Ten y = like(a.type(), condition, a, b);
        select(condition, a, b, y);
        return y;
    }

    /** Rows {@code index} of {@code table}, whose indices must be in range. */
    void gather(Ten table, Ten index, Ten y) {
        e.call("aclnnEmbedding", table, index, y);
    }

    /** Matrix product of {@code [.., m, k]} and {@code [.., k, n]}; transposition by strides. */
    void matmul(Ten a, Ten b, Ten y) {
        e.call(a.rank() == 3 ? "aclnnBatchMatMul" : "aclnnMatmul", a, b, y, KEEP_PRECISION);
    }

    /** Joins along an axis. */
    void concat(List<Ten> parts, int axis, Ten y) {
        e.call("aclnnCat", parts, (long) axis, y);
    }

    /** A table of F32 values. */
    Ten floats(String id, float[] values, long... dims) {
        return e.constant(
                id,
                AclType.FLOAT,
                dims,
                s -> MemorySegment.copy(values, 0, s, ValueLayout.JAVA_FLOAT_UNALIGNED, 0, values.length));
    }

    /** A constant of one element of {@code type} that broadcasts over {@code rank} axes. */
    Ten constant(AclType type, float value, int rank) {
        long[] dims = new long[rank];
        Arrays.fill(dims, 1);
        String id = "value " + type + " " + Float.floatToRawIntBits(value);
        return e.constant(id, type, dims, s -> HostValues.set(s, type, 0, value));
    }
}
