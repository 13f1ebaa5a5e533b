package dev.weft.reference;

import dev.weft.op.HyperHead;
import dev.weft.op.HyperPre;

/** Manifold-constrained hyper-connections: H residual streams, mixed before and after every sublayer. */
final class HyperReference {
    private HyperReference() {}

    static void pre(HyperPre op, HostOperand[] o) {
        int h = op.streams();
        float[] scale = o[2].row(0);
        float[] base = o[3].row(0);
        float[][] fn = o[1].allRows();
        for (int i = 0; i < o[0].dim(0); i++) {
            float[][] x = o[0].rows(i * h, (i + 1) * h);
            float[] mix = mix(x, fn, op.normEps());
            float[] pre = new float[h];
            float[] post = new float[h];
            float[][] comb = new float[h][h];
            for (int j = 0; j < h; j++) {
                pre[j] = sigmoid(mix[j] * scale[0] + base[j]) + op.eps();
                post[j] = 2 * sigmoid(mix[h + j] * scale[1] + base[h + j]);
                for (int k = 0; k < h; k++) {
                    int at = 2 * h + h * j + k;
                    comb[j][k] = mix[at] * scale[2] + base[at];
                }
            }
            sinkhorn(comb, op.iterations(), op.eps());
            o[4].setRow(i, weightedSum(pre, x));
            o[5].setRow(i, post);
            for (int j = 0; j < h; j++) {
                o[6].setRow((long) i * h + j, comb[j]);
            }
        }
    }

    /** {@code mix = (fn . u) / sqrt(mean(u^2) + eps)}, u being the streams one after the other. */
    static float[] mix(float[][] x, float[][] fn, float eps) {
        int width = x[0].length;
        float[] u = new float[x.length * width];
        for (int j = 0; j < x.length; j++) {
            System.arraycopy(x[j], 0, u, j * width, width);
        }
        float r = NormReference.inverseRms(u, eps);
        float[] mix = new float[fn.length];
        for (int row = 0; row < fn.length; row++) {
            mix[row] = GemmReference.dot(fn[row], u) * r;
        }
        return mix;
    }

    /**
     * Makes a matrix nearly doubly stochastic, in place: row softmax plus eps and a column pass, then
     * {@code iterations - 1} times a row pass and a column pass. A pass divides by (sum + eps).
     */
    static void sinkhorn(float[][] a, int iterations, float eps) {
        for (int j = 0; j < a.length; j++) {
            a[j] = SelectReference.softmax(a[j]);
            for (int k = 0; k < a.length; k++) {
                a[j][k] += eps;
            }
        }
        normaliseColumns(a, eps);
        for (int n = 1; n < iterations; n++) {
            normaliseRows(a, eps);
            normaliseColumns(a, eps);
        }
    }

    private static void normaliseRows(float[][] a, float eps) {
        for (float[] row : a) {
            float sum = 0;
            for (float v : row) {
                sum += v;
            }
            for (int k = 0; k < row.length; k++) {
                row[k] /= sum + eps;
            }
        }
    }

    private static void normaliseColumns(float[][] a, float eps) {
        for (int k = 0; k < a.length; k++) {
            float sum = 0;
            for (float[] row : a) {
                sum += row[k];
            }
            for (float[] row : a) {
                row[k] /= sum + eps;
            }
        }
    }

    /** {@code y = sum_j weights_j * x_j}, streams ascending, every step rounded to F32. */
    private static float[] weightedSum(float[] weights, float[][] x) {
        float[] y = new float[x[0].length];
        for (int j = 0; j < x.length; j++) {
            for (int c = 0; c < y.length; c++) {
                y[c] += weights[j] * x[j][c];
            }
        }
        return y;
    }

    /** {@code X'[k] = round(post_k * y + sum_j comb[j, k] * X[j])}: the sum runs over the first index of comb. */
    static void post(HostOperand y, HostOperand x, HostOperand post, HostOperand comb, HostOperand out) {
        int h = x.dim(1);
        for (int i = 0; i < y.rows(); i++) {
            float[] sublayer = y.row(i);
            float[][] streams = x.rows(i * h, (i + 1) * h);
            float[][] c = comb.rows(i * h, (i + 1) * h);
            float[] p = post.row(i);
            for (int k = 0; k < h; k++) {
                float[] sum = new float[sublayer.length];
                for (int lane = 0; lane < sum.length; lane++) {
                    sum[lane] = p[k] * sublayer[lane];
                    for (int j = 0; j < h; j++) {
                        sum[lane] += c[j][k] * streams[j][lane];
                    }
                }
                out.setRow((long) i * h + k, sum);
            }
        }
    }

    /** {@code y = round(sum_j pre_j * x_j)}, {@code pre_j = sigmoid(mix_j * scale + base_j) + eps}. */
    static void head(HyperHead op, HostOperand[] o) {
        int h = op.streams();
        float scale = o[2].row(0)[0];
        float[] base = o[3].row(0);
        float[][] fn = o[1].allRows();
        for (int i = 0; i < o[0].dim(0); i++) {
            float[][] x = o[0].rows(i * h, (i + 1) * h);
            float[] pre = mix(x, fn, op.normEps());
            for (int j = 0; j < h; j++) {
                pre[j] = sigmoid(pre[j] * scale + base[j]) + op.eps();
            }
            o[4].setRow(i, weightedSum(pre, x));
        }
    }

    private static float sigmoid(float x) {
        return (float) MoeReference.sigmoid(x);
    }
}
