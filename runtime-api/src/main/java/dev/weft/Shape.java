package dev.weft;

import java.util.Arrays;
import java.util.List;
import java.util.function.ToLongFunction;
import java.util.stream.Collectors;

/**
 * Extents of a tensor, slowest axis first (row-major).
 *
 * @param dims the axes; empty for a scalar
 */
public record Shape(List<Dim> dims) {
    public Shape {
        dims = List.copyOf(dims);
    }

    /** A shape of fixed extents. */
    public static Shape of(long... extents) {
        return new Shape(Arrays.stream(extents).mapToObj(Dim::fixed).toList());
    }

    /** A shape of the given axes. */
    public static Shape of(Dim... dims) {
        return new Shape(List.of(dims));
    }

    /** Number of axes. */
    public int rank() {
        return dims.size();
    }

    /** Axis {@code i}; negative counts from the end. */
    public Dim dim(int i) {
        return dims.get(i < 0 ? dims.size() + i : i);
    }

    /** Last axis. */
    public Dim last() {
        return dim(-1);
    }

    /** Whether no axis is named. */
    public boolean isFixed() {
        return dims.stream().allMatch(Dim::isFixed);
    }

    /** This shape with axis {@code i} (negative from the end) replaced. */
    public Shape with(int i, Dim dim) {
        Dim[] copy = dims.toArray(Dim[]::new);
        copy[i < 0 ? copy.length + i : i] = dim;
        return of(copy);
    }

    /** Extents with every name at its upper bound. */
    public long[] maximum() {
        return extents(Dim::maximum);
    }

    /** Extents with every named axis at {@code binding(name)}. */
    public long[] bind(ToLongFunction<String> binding) {
        return extents(d -> d.isFixed() ? d.offset() : d.at(binding.applyAsLong(d.name())));
    }

    private long[] extents(ToLongFunction<Dim> f) {
        long[] extents = new long[dims.size()]; // a stream would be most of the time of opening a large checkpoint
        for (int i = 0; i < extents.length; i++) {
            extents[i] = f.applyAsLong(dims.get(i));
        }
        return extents;
    }

    /** Product of {@code extents}. @throws ShapeException if it exceeds 63 bits */
    public static long elements(long... extents) {
        long n = 1;
        try {
            for (long e : extents) {
                n = Math.multiplyExact(n, e);
            }
        } catch (ArithmeticException e) {
            throw new ShapeException("shape " + Arrays.toString(extents) + ": element count exceeds 63 bits");
        }
        return n;
    }

    @Override
    public String toString() {
        return dims.stream().map(Dim::toString).collect(Collectors.joining(", ", "[", "]"));
    }
}
