package dev.weft.op;

import dev.weft.DType;
import dev.weft.DTypeException;
import dev.weft.Dim;
import dev.weft.Scaling;
import dev.weft.ShapeException;
import dev.weft.TensorType;
import java.util.Arrays;
import java.util.List;

/** The operand checks that contracts share; every message names operator, operand, what was found and the rule. */
final class Rules {
    private final Op op;
    private final List<TensorType> in;

    Rules(Op op, List<TensorType> in) {
        this.op = op;
        this.in = in;
        if (in.size() != op.operands().size()) {
            throw new ShapeException(op.name() + ": operand count: found " + in.size() + ", expected "
                    + op.operands().size() + " " + op.operands());
        }
    }

    TensorType at(int i) {
        return in.get(i);
    }

    Dim dim(int operand, int axis) {
        return in.get(operand).shape().dim(axis);
    }

    private String subject(int i) {
        return op.name() + ": " + op.operands().get(i) + " " + in.get(i);
    }

    Rules rank(int i, int... ranks) {
        int rank = at(i).shape().rank();
        if (Arrays.stream(ranks).noneMatch(r -> r == rank)) {
            throw new ShapeException(subject(i) + ": found rank " + rank + ", expected " + Arrays.toString(ranks));
        }
        return this;
    }

    Rules minRank(int i, int rank) {
        if (at(i).shape().rank() < rank) {
            throw new ShapeException(subject(i) + ": expected rank " + rank + " or more");
        }
        return this;
    }

    Rules dtype(int i, DType... allowed) {
        if (!Arrays.asList(allowed).contains(at(i).dtype())) {
            throw new DTypeException(subject(i) + ": expected dtype " + Arrays.toString(allowed));
        }
        return this;
    }

    /** F32 or BF16 without scales: an activation between operators. */
    Rules flow(int i) {
        return dtype(i, DType.F32, DType.BF16).scaling(i, Scaling.NONE);
    }

    Rules scaling(int i, Scaling... allowed) {
        if (!Arrays.asList(allowed).contains(at(i).scaling())) {
            throw new DTypeException(subject(i) + ": expected scaling " + Arrays.toString(allowed));
        }
        return this;
    }

    Rules same(int i, int axis, Dim expected, String rule) {
        if (!dim(i, axis).equals(expected)) {
            throw new ShapeException(subject(i) + ": axis " + axis + " is " + dim(i, axis) + ", expected " + expected
                    + " (" + rule + ")");
        }
        return this;
    }

    Rules sameShape(int i, int j) {
        if (!at(i).shape().equals(at(j).shape())) {
            throw new ShapeException(
                    subject(i) + ": expected the shape of " + op.operands().get(j) + " " + at(j));
        }
        return this;
    }

    Rules sameDType(int i, int j) {
        if (at(i).dtype() != at(j).dtype()) {
            throw new DTypeException(
                    subject(i) + ": expected the dtype of " + op.operands().get(j) + " " + at(j));
        }
        return this;
    }

    Rules fixed(int i, int axis, long extent, String rule) {
        return same(i, axis, Dim.fixed(extent), rule);
    }

    /** The extent of an axis that must not be named. */
    long extent(int i, int axis) {
        Dim d = dim(i, axis);
        if (!d.isFixed()) {
            throw new ShapeException(subject(i) + ": axis " + axis + " must have a fixed extent: found " + d);
        }
        return d.offset();
    }

    Rules multiple(int i, int axis, long divisor, String rule) {
        long extent = extent(i, axis);
        if (divisor <= 0 || extent % divisor != 0) {
            throw new ShapeException(subject(i) + ": axis " + axis + " must be a multiple of " + divisor + " (" + rule
                    + "): found " + extent);
        }
        return this;
    }

    Rules require(int i, boolean holds, String rule) {
        if (!holds) {
            throw new ShapeException(subject(i) + ": " + rule);
        }
        return this;
    }

    /** Attribute check, without an operand to blame. */
    static void attribute(boolean holds, String op, String rule) {
        if (!holds) {
            throw new ShapeException(op + ": " + rule);
        }
    }
}
