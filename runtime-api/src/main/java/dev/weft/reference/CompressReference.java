package dev.weft.reference;

import dev.weft.DType;
import dev.weft.op.Compress;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Compressed key-value entries. */
final class CompressReference {
    private CompressReference() {}

    static void compress(Compress op, HostOperand[] o) {
        Sequences steps = new Sequences(o[7], o[8]);
        HostOperand cache = o[6];
        for (int s = 0; s < steps.count(); s++) {
            int[] pages = o[10].ints(s);
            for (int i = steps.firstRow(s); i < steps.endRow(s); i++) {
                int p = steps.position(i);
                if ((p + 1) % op.ratio() == 0) {
                    int b = p / op.ratio();
                    float[] entry = pool(op, o, steps, s, b);
                    finish(op, entry, o[3].row(0), b, cache.dtype());
                    cache.setRow(Sequences.entry(cache, pages, b), entry);
                }
            }
        }
    }

    /** Rows that one entry is made of: values, and scores with the position bias added. */
    private record Block(List<float[]> values, List<float[]> scores) {
        void add(float[] k, float[] z, float[] ape, int from, int to) {
            float[] score = Arrays.copyOfRange(z, from, to);
            for (int c = 0; c < score.length; c++) {
                score[c] += ape[from + c];
            }
            values.add(Arrays.copyOfRange(k, from, to));
            scores.add(score);
        }
    }

    /**
     * The softmax-weighted sum of block b, per channel. An overlapping entry sees the block before through the low half
     * of the channels and its own block through the high half; before block 0 there is nothing.
     */
    private static float[] pool(Compress op, HostOperand[] o, Sequences steps, int s, int b) {
        int width = o[6].columns();
        int[] slots = o[9].ints(0);
        Block block = new Block(new ArrayList<>(), new ArrayList<>());
        int firstBlock = op.overlap() ? Math.max(0, b - 1) : b;
        for (int p = firstBlock * op.ratio(); p < (b + 1) * op.ratio(); p++) {
            boolean own = p / op.ratio() == b;
            int from = op.overlap() && own ? width : 0;
            float[] k = steps.token(o[0], o[4], slots, s, p);
            float[] z = steps.token(o[1], o[5], slots, s, p);
            block.add(k, z, o[2].row(p % op.ratio()), from, from + width);
        }
        float[] pooled = new float[width];
        for (int c = 0; c < width; c++) {
            pooled[c] = weightedMean(block, c);
        }
        return pooled;
    }

    /** {@code sum_t exp(z_t - max) k_t / sum_t exp(z_t - max)} of channel c, rows ascending, division last. */
    private static float weightedMean(Block block, int c) {
        float max = Float.NEGATIVE_INFINITY;
        for (float[] z : block.scores()) {
            max = Math.max(max, z[c]);
        }
        double sum = 0;
        double weighted = 0;
        for (int t = 0; t < block.scores().size(); t++) {
            double e = Math.exp((double) block.scores().get(t)[c] - max);
            sum += e;
            weighted += e * block.values().get(t)[c];
        }
        return (float) (weighted / sum);
    }

    /** Norm, rotary at the block's first position, and the entry form; each step rounds to the cache's dtype. */
    private static void finish(Compress op, float[] c, float[] norm, int b, DType dtype) {
        QuantReference.round(c, dtype);
        NormReference.rmsNorm(c, norm, op.eps());
        QuantReference.round(c, dtype);
        RotaryReference.rotate(c, b * op.ratio(), op.rotary().inverseFrequencies(), false);
        QuantReference.round(c, dtype);
        switch (op.form()) {
            case PLAIN -> {}
            case FP8 -> QuantReference.fakeQuantize(c, c.length - op.rotary().dim(), 64, DType.F8_E4M3);
            case HADAMARD -> NormReference.hadamard(c);
            case HADAMARD_FP4 -> {
                NormReference.hadamard(c);
                QuantReference.round(c, dtype);
                QuantReference.fakeQuantize(c, c.length, 32, DType.F4_E2M1);
            }
        }
    }
}
