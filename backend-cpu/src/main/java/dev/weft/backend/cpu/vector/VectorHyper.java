package dev.weft.backend.cpu.vector;

import dev.weft.backend.cpu.Workers;
import dev.weft.op.HyperPre;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/** Entry of a hyper-connection: the mixing projection in vectors, the small matrices in plain loops; a row per item. */
final class VectorHyper {
    private static final int X = 0;
    private static final int FN = 1;
    private static final int SCALE = 2;
    private static final int BASE = 3;
    private static final int Y = 4;
    private static final int POST = 5;
    private static final int COMB = 6;

    /** Vectors summed in F32 before their lanes go to a double: a projection is tens of thousands of terms long. */
    private static final int CHUNK = 64;

    private final HyperPre op;
    private final Rows x;
    private final Rows fn;
    private final Rows y;
    private final Rows post;
    private final Rows comb;
    private final int streams;
    private final float[] scale = new float[3];
    private final float[] base;

    private VectorHyper(HyperPre op, Operands a) {
        this.op = op;
        this.x = Rows.of(a, X);
        this.fn = Rows.of(a, FN);
        this.y = Rows.of(a, Y);
        this.post = Rows.of(a, POST);
        this.comb = Rows.of(a, COMB);
        this.streams = op.streams();
        this.base = new float[fn.rows()];
        Rows.of(a, SCALE).decode(0, scale, 0);
        Rows.of(a, BASE).decode(0, base, 0);
    }

    static void run(Workers workers, Scratch[] scratch, HyperPre op, Operands a) {
        VectorHyper hyper = new VectorHyper(op, a);
        workers.parallelFor(hyper.x.rows() / op.streams(), (row, worker) -> hyper.row(row, scratch[worker]));
    }

    private void row(int row, Scratch s) {
        int width = x.width();
        float[] u = s.floats(0, Lanes.whole(streams * width));
        for (int j = 0; j < streams; j++) {
            x.decode(row * streams + j, u, j * width);
        }
        float[] mix = s.floats(1, fn.rows());
        double squares = dot(u, MemorySegment.ofArray(u), 0, streams * width);
        float factor = (float) (1 / Math.sqrt(squares / (streams * width) + op.normEps()));
        for (int i = 0; i < fn.rows(); i++) {
            mix[i] = (float) dot(u, Memory.ALL, fn.row(i), streams * width) * factor;
        }
        float[] pre = s.floats(2, streams);
        for (int j = 0; j < streams; j++) {
            pre[j] = sigmoid(mix[j] * scale[0] + base[j]) + op.eps();
            post.store(row, j, 2 * sigmoid(mix[streams + j] * scale[1] + base[streams + j]));
        }
        mixStreams(row, u, pre, s);
        doublyStochastic(row, mix, s);
    }

    /** Dot product of {@code u} and floats in memory; lanes are added in order. */
    private static double dot(float[] u, MemorySegment memory, long from, int count) {
        int whole = count / Lanes.COUNT * Lanes.COUNT;
        double total = 0;
        for (int i = 0; i < whole; ) {
            int end = Math.min(whole, i + CHUNK * Lanes.COUNT);
            FloatVector sum = FloatVector.zero(Lanes.SPECIES);
            for (; i < end; i += Lanes.COUNT) {
                FloatVector v =
                        FloatVector.fromMemorySegment(Lanes.SPECIES, memory, from + 4L * i, ByteOrder.nativeOrder());
                sum = FloatVector.fromArray(Lanes.SPECIES, u, i).fma(v, sum);
            }
            for (float lane : sum.toArray()) {
                total += lane;
            }
        }
        for (int i = whole; i < count; i++) {
            total += (double) u[i] * memory.get(ValueLayout.JAVA_FLOAT_UNALIGNED, from + 4L * i);
        }
        return total;
    }

    private void mixStreams(int row, float[] u, float[] pre, Scratch s) {
        int width = x.width();
        float[] sum = s.floats(3, width);
        Arrays.fill(sum, 0, width, 0f);
        for (int j = 0; j < streams; j++) {
            for (int i = 0; i < width; i++) {
                sum[i] += pre[j] * u[j * width + i];
            }
        }
        y.store(row, sum, 0);
    }

    /** The Sinkhorn iterations on the last {@code streams x streams} mixing values. */
    private void doublyStochastic(int row, float[] mix, Scratch s) {
        float[] m = s.floats(4, streams * streams);
        for (int i = 0; i < streams * streams; i++) {
            m[i] = mix[2 * streams + i] * scale[2] + base[2 * streams + i];
        }
        for (int j = 0; j < streams; j++) {
            softmax(m, j * streams);
        }
        normalise(m, 1, streams);
        for (int n = 1; n < op.iterations(); n++) {
            normalise(m, streams, 1);
            normalise(m, 1, streams);
        }
        for (int i = 0; i < streams * streams; i++) {
            comb.store(row * streams + i / streams, i % streams, m[i]);
        }
    }

    private void softmax(float[] m, int from) {
        float max = Float.NEGATIVE_INFINITY;
        for (int k = 0; k < streams; k++) {
            max = Math.max(max, m[from + k]);
        }
        float sum = 0;
        for (int k = 0; k < streams; k++) {
            m[from + k] = (float) Math.exp(m[from + k] - max);
            sum += m[from + k];
        }
        for (int k = 0; k < streams; k++) {
            m[from + k] = m[from + k] / sum + op.eps();
        }
    }

    /** Divides lines, {@code outer} apart with elements {@code inner} apart, by their sum plus eps. */
    private void normalise(float[] m, int outer, int inner) {
        for (int line = 0; line < streams; line++) {
            float sum = 0;
            for (int i = 0; i < streams; i++) {
                sum += m[line * outer + i * inner];
            }
            for (int i = 0; i < streams; i++) {
                m[line * outer + i * inner] /= sum + op.eps();
            }
        }
    }

    private static float sigmoid(float v) {
        return (float) (1 / (1 + Math.exp(-v)));
    }
}
