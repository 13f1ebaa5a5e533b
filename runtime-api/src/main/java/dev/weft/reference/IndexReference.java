package dev.weft.reference;

import dev.weft.DType;
import dev.weft.op.LightningIndex;
import java.util.Arrays;

/** Scores and picks of compressed entries. */
final class IndexReference {
    private IndexReference() {}

    static void lightningIndex(
            LightningIndex op,
            HostOperand q,
            HostOperand w,
            HostOperand keys,
            HostOperand positions,
            HostOperand starts,
            HostOperand pages,
            HostOperand picks) {
        Sequences steps = new Sequences(positions, starts);
        int heads = w.columns();
        for (int s = 0; s < steps.count(); s++) {
            int[] sequencePages = pages.ints(s);
            for (int i = steps.firstRow(s); i < steps.endRow(s); i++) {
                int visible = (steps.position(i) + 1) / op.ratio();
                int[] picked = new int[op.topK()];
                Arrays.fill(picked, -1);
                if (visible <= op.topK()) {
                    for (int j = 0; j < visible; j++) {
                        picked[j] = j;
                    }
                } else {
                    float[][] query = q.rows(i * heads, (i + 1) * heads);
                    float[] scores = new float[visible];
                    for (int j = 0; j < visible; j++) {
                        float[] key = keys.row(Sequences.entry(keys, sequencePages, j));
                        scores[j] = score(query, w.row(i), key, q.dtype());
                    }
                    picked = Ranking.best(scores, visible, op.topK());
                    Arrays.sort(picked);
                }
                picks.setInts(i, picked);
            }
        }
    }

    /**
     * {@code sum_h relu(q_h . key) * w_h}, heads ascending. In a BF16 flow the dot product, its product with w and the
     * sum are each rounded.
     */
    static float score(float[][] q, float[] w, float[] key, DType flow) {
        double sum = 0;
        for (int h = 0; h < q.length; h++) {
            float dot = flow.round(GemmReference.dot(q[h], key));
            sum += flow.round(Math.max(dot, 0) * w[h]);
        }
        return flow.round((float) sum);
    }
}
