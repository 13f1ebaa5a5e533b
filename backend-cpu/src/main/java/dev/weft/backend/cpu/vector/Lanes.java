package dev.weft.backend.cpu.vector;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/** Vectors of the width this processor prefers, and the two inner loops of all kernels. */
final class Lanes {
    static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;
    static final int COUNT = SPECIES.length();

    private Lanes() {}

    /** {@code n} rounded up to whole vectors. */
    static int whole(int n) {
        return Math.ceilDiv(n, COUNT) * COUNT;
    }

    /**
     * {@code to[at + l] = factor * sum_k x[from + k] * columns[k * COUNT + l]} for each lane l, k ascending, one fused
     * multiply-add each: the bits do not depend on the number of lanes.
     *
     * <p>Results go to arrays, because a vector returned from a method that is not inlined becomes an object.
     */
    static void dot(float[] x, int from, float[] columns, int count, float factor, float[] to, int at) {
        sum(x, from, columns, count).mul(factor).intoArray(to, at);
    }

    private static FloatVector sum(float[] x, int from, float[] columns, int count) {
        FloatVector sum = FloatVector.zero(SPECIES);
        for (int k = 0; k < count; k++) {
            sum = FloatVector.broadcast(SPECIES, x[from + k])
                    .fma(FloatVector.fromArray(SPECIES, columns, k * COUNT), sum);
        }
        return sum;
    }

    /** {@code totals[at..] += scale * sum}, fused. */
    private static void addScaled(FloatVector sum, FloatVector scale, float[] totals, int at) {
        sum.fma(scale, FloatVector.fromArray(SPECIES, totals, at)).intoArray(totals, at);
    }

    /** {@code to[toAt + i] += factor * from[fromAt + i]}, fused, for whole vectors of {@code count} elements. */
    static void addScaled(float factor, float[] from, int fromAt, float[] to, int toAt, int count) {
        FloatVector f = FloatVector.broadcast(SPECIES, factor);
        for (int i = 0; i < count; i += COUNT) {
            addScaled(FloatVector.fromArray(SPECIES, from, fromAt + i), f, to, toAt + i);
        }
    }

    /** Sum of squares of whole vectors; lanes are added in order. */
    static float squares(float[] x, int count) {
        FloatVector sum = FloatVector.zero(SPECIES);
        for (int i = 0; i < count; i += COUNT) {
            FloatVector v = FloatVector.fromArray(SPECIES, x, i);
            sum = v.fma(v, sum);
        }
        float total = 0;
        for (float lane : sum.toArray()) {
            total += lane;
        }
        return total;
    }

    /** Sum of the lanes of the vector at {@code at}, which is overwritten: halves are added, so always in one order. */
    static float total(float[] values, int at) {
        for (int half = COUNT / 2; half > 0; half /= 2) {
            for (int i = at; i < at + half; i++) {
                values[i] += values[i + half];
            }
        }
        return values[at];
    }
}
