package dev.weft.conformance.model;

import java.util.Arrays;

/** Differences of arrays, with the place of the largest one. */
final class Compare {
    private Compare() {}

    /** Fails if any element differs by more than {@code limit}. */
    static void within(String what, float[][] actual, float[][] expected, double limit) {
        if (actual.length != expected.length) {
            throw new AssertionError(what + ": found " + actual.length + " rows, expected " + expected.length);
        }
        for (int i = 0; i < actual.length; i++) {
            within(what + " row " + i, actual[i], expected[i], limit);
        }
    }

    static void within(String what, float[] actual, float[] expected, double limit) {
        if (actual.length != expected.length) {
            throw new AssertionError(what + ": found " + actual.length + " values, expected " + expected.length);
        }
        int worst = -1;
        double largest = limit;
        for (int i = 0; i < actual.length; i++) {
            double d = Math.abs((double) actual[i] - expected[i]);
            if (!(d <= largest)) { // also catches NaN
                worst = i;
                largest = Double.isNaN(d) ? Double.MAX_VALUE : d;
            }
        }
        if (worst >= 0) {
            throw new AssertionError(what + "[" + worst + "]: found " + actual[worst] + ", expected " + expected[worst]
                    + " within " + limit);
        }
    }

    /** Fails unless every element has the same bits. */
    static void sameBits(String what, float[] actual, float[] expected) {
        for (int i = 0; i < Math.max(actual.length, expected.length); i++) {
            if (actual.length != expected.length
                    || Float.floatToRawIntBits(actual[i]) != Float.floatToRawIntBits(expected[i])) {
                throw new AssertionError(
                        what + "[" + i + "]: found " + actual[i] + ", expected the same bits as " + expected[i]);
            }
        }
    }

    static double rms(float[][] a, float[][] b) {
        double sum = 0;
        long n = 0;
        for (int i = 0; i < a.length; i++) {
            for (int j = 0; j < a[i].length; j++) {
                double d = (double) a[i][j] - b[i][j];
                sum += d * d;
                n++;
            }
        }
        return Math.sqrt(sum / n);
    }

    static double deviation(float[] values) {
        double mean = 0;
        for (float v : values) {
            mean += v;
        }
        mean /= values.length;
        double sum = 0;
        for (float v : values) {
            sum += (v - mean) * (v - mean);
        }
        return Math.sqrt(sum / values.length);
    }

    static double median(double[] values) {
        double[] sorted = values.clone();
        Arrays.sort(sorted);
        return sorted[sorted.length / 2];
    }

    static double cosine(float[] a, float[] b) {
        double ab = 0;
        double aa = 0;
        double bb = 0;
        for (int i = 0; i < a.length; i++) {
            ab += (double) a[i] * b[i];
            aa += (double) a[i] * a[i];
            bb += (double) b[i] * b[i];
        }
        return ab / Math.sqrt(aa * bb);
    }

    /** Kullback-Leibler divergence of softmax(actual) from softmax(expected) in nats. */
    static double divergence(float[] expected, float[] actual) {
        double[] p = logSoftmax(expected);
        double[] q = logSoftmax(actual);
        double sum = 0;
        for (int i = 0; i < p.length; i++) {
            sum += Math.exp(p[i]) * (p[i] - q[i]);
        }
        return sum;
    }

    private static double[] logSoftmax(float[] x) {
        double max = Double.NEGATIVE_INFINITY;
        for (float v : x) {
            max = Math.max(max, v);
        }
        double sum = 0;
        for (float v : x) {
            sum += Math.exp(v - max);
        }
        double log = Math.log(sum) + max;
        double[] out = new double[x.length];
        for (int i = 0; i < x.length; i++) {
            out[i] = x[i] - log;
        }
        return out;
    }
}
