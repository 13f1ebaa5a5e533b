package dev.weft.reference;

import dev.weft.op.MoeDispatch;
import dev.weft.op.MoeGate;
import dev.weft.op.MoePlaces;
import dev.weft.op.SwiGlu;
import java.util.Arrays;
import java.util.stream.IntStream;

/** Mixture of experts: choice, dispatch, activation, combination. */
final class MoeReference {
    private MoeReference() {}

    static void gate(MoeGate op, HostOperand[] o) {
        HostOperand logits = o[0];
        HostOperand experts = o[o.length - 2];
        HostOperand weights = o[o.length - 1];
        for (int i = 0; i < logits.rows(); i++) {
            float[] a = activations(op.score(), logits.row(i));
            int[] chosen = op.hashed() ? o[2].ints(o[1].ints(0)[i]) : select(a, o[1].row(0), op.topK());
            Arrays.sort(chosen);
            experts.setInts(i, chosen);
            weights.setRow(i, weights(op, a, chosen));
        }
    }

    /** {@code sqrt(softplus(s))}, {@code sigmoid(s)} or {@code softmax(s)}. */
    private static float[] activations(MoeGate.Score score, float[] logits) {
        if (score == MoeGate.Score.SOFTMAX) {
            return SelectReference.softmax(logits);
        }
        float[] a = new float[logits.length];
        for (int e = 0; e < a.length; e++) {
            double s = logits[e];
            a[e] = switch (score) {
                case SQRT_SOFTPLUS -> (float) Math.sqrt(s > 20 ? s : Math.log1p(Math.exp(s)));
                case SIGMOID -> (float) sigmoid(s);
                case SOFTMAX -> throw new AssertionError("handled above");
            };
        }
        return a;
    }

    static double sigmoid(double x) {
        return 1 / (1 + Math.exp(-x));
    }

    private static int[] select(float[] a, float[] bias, int k) {
        float[] biased = new float[a.length];
        for (int e = 0; e < a.length; e++) {
            biased[e] = a[e] + bias[e];
        }
        return Ranking.best(biased, biased.length, k);
    }

    /** Activations of the chosen, divided by their sum unless they already are a softmax, times the route scale. */
    private static float[] weights(MoeGate op, float[] a, int[] chosen) {
        double sum = 0;
        for (int e : chosen) {
            sum += a[e];
        }
        float[] w = new float[chosen.length];
        for (int j = 0; j < w.length; j++) {
            float share = op.score() == MoeGate.Score.SOFTMAX ? a[chosen[j]] : (float) (a[chosen[j]] / sum);
            w[j] = share * op.routeScale();
        }
        return w;
    }

    /** Rows once per choice, by expert and then by row; last those of experts elsewhere. */
    static void dispatch(MoeDispatch op, HostOperand[] o) {
        HostOperand x = o[0];
        HostOperand chosen = o[1];
        HostOperand weights = o[2];
        int k = chosen.columns();
        float[] rowWeights = new float[chosen.rows() * k];
        int[] source = new int[rowWeights.length];
        int[] offsets = new int[op.experts() + 1];
        int p = 0;
        for (int e = 0; e <= op.experts(); e++) {
            offsets[e] = p;
            for (int i = 0; i < chosen.rows(); i++) {
                int[] experts = chosen.ints(i);
                for (int j = 0; j < k; j++) {
                    if (here(op, experts[j]) == e) {
                        o[3].copyRow(p, x, i);
                        rowWeights[p] = weights.row(i)[j];
                        source[p] = i * k + j;
                        p++;
                    }
                }
            }
        }
        o[4].setRow(0, rowWeights);
        o[5].setInts(0, source);
        o[6].setInts(0, offsets);
    }

    /** Number of an expert among those here, the number of them if it is not. */
    private static int here(MoeDispatch op, int expert) {
        int here = expert - op.first();
        return here >= 0 && here < op.experts() ? here : op.experts();
    }

    /** Where the chosen experts are, and where their outputs will be. */
    static void places(
            MoePlaces op, HostOperand experts, HostOperand places, HostOperand back, HostOperand source) {
        int[] table = op.places();
        int k = experts.columns();
        int most = places.rows();
        int[] rows = new int[experts.rows() * k];
        for (int i = 0; i < experts.rows(); i++) {
            int[] chosen = experts.ints(i);
            for (int c = 0; c < k; c++) {
                chosen[c] = table[chosen[c]];
                rows[i * k + c] = (chosen[c] / op.table().slots() * most + i) * k + c;
            }
            places.setInts(i, chosen);
        }
        int[] none = new int[k];
        Arrays.fill(none, -1);
        for (int i = experts.rows(); i < most; i++) {
            places.setInts(i, none);
        }
        back.setInts(0, rows);
        source.setInts(0, IntStream.range(0, rows.length).toArray());
    }

    /** {@code z[source[p]] = y[p]}. */
    static void unsort(HostOperand y, HostOperand source, HostOperand z) {
        int[] from = source.ints(0);
        for (int p = 0; p < from.length; p++) {
            z.copyRow(from[p], y, p);
        }
    }

    /** Rows that stay, since there is one rank. */
    static void gather(HostOperand[] o) {
        for (int i = 0; i < 3; i++) {
            PlainReference.copy(o[i], o[3 + i]);
        }
    }

    /** Rows that stay, since one rank holds all experts, and how many each has. */
    static void send(HostOperand[] o) {
        PlainReference.copy(o[0], o[3]);
        PlainReference.copy(o[1], o[4]);
        PlainReference.copy(o[2], o[5]);
        int[] offsets = o[2].ints(0);
        o[6].setLongs(
                0,
                IntStream.range(0, offsets.length - 1)
                        .mapToLong(e -> (long) offsets[e + 1] - offsets[e])
                        .toArray());
    }

    /** {@code y = w * (silu(min(g, limit)) * clamp(u, -limit, limit))}. */
    static void swiGlu(SwiGlu op, HostOperand[] o) {
        HostOperand y = o[o.length - 1];
        float[] weights = op.weighted() ? o[2].row(0) : new float[0];
        for (int i = 0; i < o[0].rows(); i++) {
            float[] gate = o[0].row(i);
            float[] up = o[1].row(i);
            for (int c = 0; c < gate.length; c++) {
                float g = Math.min(gate[c], op.limit());
                float u = Math.clamp(up[c], -op.limit(), op.limit());
                float t = (float) (g / (1 + Math.exp(-g))) * u;
                gate[c] = op.weighted() ? weights[i] * t : t;
            }
            y.setRow(i, gate);
        }
    }

    /** {@code out[i] = round((..(0 + y[e_1]) + .. + y[e_k]) + shared[i])}, every sum rounded to F32. */
    static void combine(HostOperand y, HostOperand source, HostOperand shared, HostOperand out) {
        int[] from = source.ints(0);
        int rows = shared.rows();
        int k = rows == 0 ? 0 : from.length / rows;
        int[] place = new int[from.length];
        for (int p = 0; p < from.length; p++) {
            place[from[p]] = p;
        }
        for (int i = 0; i < rows; i++) {
            float[] sum = new float[out.columns()];
            for (int j = 0; j < k; j++) {
                accumulate(sum, y.row(place[i * k + j]));
            }
            accumulate(sum, shared.row(i));
            out.setRow(i, sum);
        }
    }

    private static void accumulate(float[] sum, float[] row) {
        for (int c = 0; c < sum.length; c++) {
            sum[c] = sum[c] + row[c];
        }
    }
}
