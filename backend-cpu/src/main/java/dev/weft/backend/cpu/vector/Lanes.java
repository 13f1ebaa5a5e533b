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

    /**
     * {@code to[t + r * pitch + i] += sum_j factors[f + r * factorPitch + j] * from[j * pitch + i]} for four rows r and four
     * terms j, ascending, as {@link #addScaled}: the bits are those of sixteen calls of it.
     */
    static void addScaled4(float[] factors, int f, int factorPitch, float[] from, float[] to, int t, int pitch) {
        FloatVector a0 = broadcast(factors, f);
        FloatVector a1 = broadcast(factors, f + 1);
        FloatVector a2 = broadcast(factors, f + 2);
        FloatVector a3 = broadcast(factors, f + 3);
        FloatVector b0 = broadcast(factors, f + factorPitch);
        FloatVector b1 = broadcast(factors, f + factorPitch + 1);
        FloatVector b2 = broadcast(factors, f + factorPitch + 2);
        FloatVector b3 = broadcast(factors, f + factorPitch + 3);
        FloatVector c0 = broadcast(factors, f + 2 * factorPitch);
        FloatVector c1 = broadcast(factors, f + 2 * factorPitch + 1);
        FloatVector c2 = broadcast(factors, f + 2 * factorPitch + 2);
        FloatVector c3 = broadcast(factors, f + 2 * factorPitch + 3);
        FloatVector d0 = broadcast(factors, f + 3 * factorPitch);
        FloatVector d1 = broadcast(factors, f + 3 * factorPitch + 1);
        FloatVector d2 = broadcast(factors, f + 3 * factorPitch + 2);
        FloatVector d3 = broadcast(factors, f + 3 * factorPitch + 3);
        for (int i = 0; i < pitch; i += COUNT) {
            FloatVector k0 = FloatVector.fromArray(SPECIES, from, i);
            FloatVector k1 = FloatVector.fromArray(SPECIES, from, pitch + i);
            FloatVector k2 = FloatVector.fromArray(SPECIES, from, 2 * pitch + i);
            FloatVector k3 = FloatVector.fromArray(SPECIES, from, 3 * pitch + i);
            FloatVector s0 = FloatVector.fromArray(SPECIES, to, t + i);
            FloatVector s1 = FloatVector.fromArray(SPECIES, to, t + pitch + i);
            FloatVector s2 = FloatVector.fromArray(SPECIES, to, t + 2 * pitch + i);
            FloatVector s3 = FloatVector.fromArray(SPECIES, to, t + 3 * pitch + i);
            k3.fma(a3, k2.fma(a2, k1.fma(a1, k0.fma(a0, s0)))).intoArray(to, t + i);
            k3.fma(b3, k2.fma(b2, k1.fma(b1, k0.fma(b0, s1)))).intoArray(to, t + pitch + i);
            k3.fma(c3, k2.fma(c2, k1.fma(c1, k0.fma(c0, s2)))).intoArray(to, t + 2 * pitch + i);
            k3.fma(d3, k2.fma(d2, k1.fma(d1, k0.fma(d0, s3)))).intoArray(to, t + 3 * pitch + i);
        }
    }

    private static FloatVector broadcast(float[] from, int at) {
        return FloatVector.broadcast(SPECIES, from[at]);
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
