package dev.weft.reference;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.weft.op.HyperHead;
import dev.weft.op.HyperPost;
import dev.weft.op.HyperPre;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Hyper-connections. */
class HyperGoldenTest {
    private static final float EPS = 1e-6f;
    private static final double LIMIT = 2e-6;
    private final GoldenTensors golden = GoldenTensors.ops();

    private List<Operand> pre(int iterations) {
        return RefRun.all(
                new HyperPre(4, iterations, EPS, EPS),
                Operand.of(golden, "mhc.x"),
                Operand.of(golden, "mhc.fn"),
                Operand.of(golden, "mhc.scale"),
                Operand.of(golden, "mhc.base"));
    }

    @Test
    void mixes() {
        float[][] fn = rows(golden.floats("mhc.fn"), 384);
        float[][] x = rows(golden.floats("mhc.x"), 96);
        float[] actual = new float[9 * 24];
        for (int i = 0; i < 9; i++) {
            float[] mix = HyperReference.mix(Arrays.copyOfRange(x, 4 * i, 4 * i + 4), fn, EPS);
            System.arraycopy(mix, 0, actual, 24 * i, 24);
        }
        Deviation.assertAbsolute("mhc.mixes", LIMIT, golden.floats("mhc.mixes"), actual);
    }

    @Test
    void streamWeights() {
        float[] mixes = golden.floats("mhc.mixes");
        float[] scale = golden.floats("mhc.scale");
        float[] base = golden.floats("mhc.base");
        float[] actual = new float[9 * 4];
        for (int i = 0; i < actual.length; i++) {
            float logit = mixes[i / 4 * 24 + i % 4] * scale[0] + base[i % 4];
            actual[i] = (float) MoeReference.sigmoid(logit) + EPS;
        }
        Deviation.assertAbsolute("mhc.pre", LIMIT, golden.floats("mhc.pre"), actual);
    }

    private static float[][] rows(float[] values, int width) {
        float[][] rows = new float[values.length / width][];
        Arrays.setAll(rows, i -> Arrays.copyOfRange(values, i * width, (i + 1) * width));
        return rows;
    }

    @Test
    void entry() {
        List<Operand> results = pre(20);
        Deviation.assertAbsolute(
                "mhc.pre_out",
                LIMIT,
                golden.floats("mhc.pre_out"),
                results.get(0).floats());
        Deviation.assertAbsolute(
                "mhc.post", LIMIT, golden.floats("mhc.post"), results.get(1).floats());
    }

    @ParameterizedTest
    @CsvSource({"1, mhc.comb_iters1", "2, mhc.comb_iters2", "5, mhc.comb_iters5", "20, mhc.comb"})
    void sinkhorn(int iterations, String name) {
        Deviation.assertAbsolute(
                name, LIMIT, golden.floats(name), pre(iterations).get(2).floats());
    }

    /** Rows and columns sum to one, columns more exactly because they are divided last. */
    @Test
    void sinkhornMakesRowsAndColumnsSumToOne() {
        float[][] a = {{0, 1, 2, 3}, {1, 0, -1, 2}, {-2, 0.5f, 0, 1}, {3, -1, 0, 0}};
        HyperReference.sinkhorn(a, 20, EPS);
        for (int j = 0; j < a.length; j++) {
            float row = 0;
            float column = 0;
            for (int k = 0; k < a.length; k++) {
                row += a[j][k];
                column += a[k][j];
            }
            assertEquals(1, row, 1e-4, "row " + j);
            assertEquals(1, column, 1e-5, "column " + j);
        }
    }

    @Test
    void exit() {
        List<Operand> results = pre(20);
        Operand y = Operand.of(golden, "mhc.sublayer_out");
        Operand out = RefRun.one(new HyperPost(), y, Operand.of(golden, "mhc.x"), results.get(1), results.get(2));
        Deviation.assertAbsolute("mhc.post_out", LIMIT, golden.floats("mhc.post_out"), out.floats());
    }

    @Test
    void head() {
        Operand y = RefRun.one(
                new HyperHead(4, EPS, EPS),
                Operand.of(golden, "mhc.x"),
                Operand.of(golden, "hc_head.fn"),
                Operand.of(golden, "hc_head.scale"),
                Operand.of(golden, "hc_head.base"));
        Deviation.assertAbsolute("hc_head", LIMIT, golden.floats("hc_head.out"), y.floats());
    }
}
