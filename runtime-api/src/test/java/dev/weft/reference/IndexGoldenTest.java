package dev.weft.reference;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import dev.weft.DType;
import dev.weft.op.EntryForm;
import dev.weft.op.FakeQuantize;
import dev.weft.op.Gemm;
import dev.weft.op.Hadamard;
import dev.weft.op.LightningIndex;
import dev.weft.op.Rotary;
import dev.weft.op.Scale;
import java.util.Arrays;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Lightning indexer: queries, keys, scores and picks, in exact semantics and with FP4 queries and keys. */
class IndexGoldenTest {
    private static final int TOKENS = 80;
    private static final int HEADS = 8;
    private static final int WIDTH = 128;
    private static final int BLOCKS = 20;
    private static final int RATIO = 4;
    private static final int TOP_K = 6;
    private static final Gemm GEMM = new Gemm(DType.F32);

    private final GoldenTensors golden = GoldenTensors.ops();

    private Operand queries(EntryForm form) {
        Operand q = RefRun.one(GEMM, Operand.of(golden, "indexer.qr"), Operand.of(golden, "indexer.wq_b"));
        Rotary rotary = new Rotary(GoldenRotary.YARN_SMALL.parameters(), false);
        q = RefRun.one(rotary, q.shaped(TOKENS, HEADS, WIDTH), Operand.range(0, TOKENS));
        if (form == EntryForm.PLAIN) {
            return q;
        }
        q = RefRun.one(new Hadamard(), q);
        return form == EntryForm.HADAMARD ? q : RefRun.one(new FakeQuantize(DType.F4_E2M1, 32, WIDTH), q);
    }

    private Operand headWeights() {
        Operand w = RefRun.one(GEMM, Operand.of(golden, "indexer.x"), Operand.of(golden, "indexer.weights_proj"));
        return RefRun.one(new Scale((float) (1 / Math.sqrt(WIDTH * HEADS))), w);
    }

    private Operand keys(EntryForm form) {
        CompressorRun run = new CompressorRun(golden, "indexer", RATIO, true, form);
        return Operand.f32(run.entries(TOKENS), 1, BLOCKS, WIDTH);
    }

    @ParameterizedTest
    @CsvSource({"PLAIN, indexer.scores", "HADAMARD, indexer.scores", "HADAMARD_FP4, indexer.scores_fp4"})
    void scores(EntryForm form, String name) {
        float[] q = queries(form).floats();
        float[] w = headWeights().floats();
        float[] keys = keys(form).floats();
        float[] actual = new float[TOKENS * BLOCKS];
        Arrays.fill(actual, Float.NEGATIVE_INFINITY);
        for (int p = 0; p < TOKENS; p++) {
            float[][] heads = new float[HEADS][];
            for (int h = 0; h < HEADS; h++) {
                heads[h] = row(q, p * HEADS + h, WIDTH);
            }
            for (int j = 0; j < (p + 1) / RATIO; j++) {
                actual[p * BLOCKS + j] = IndexReference.score(heads, row(w, p, HEADS), row(keys, j, WIDTH), DType.F32);
            }
        }
        Deviation.assertAbsolute(name + " " + form, 1e-5, golden.floats(name), actual);
    }

    private static float[] row(float[] values, int i, int width) {
        return Arrays.copyOfRange(values, i * width, (i + 1) * width);
    }

    @ParameterizedTest
    @CsvSource({"PLAIN, indexer.topk_sorted", "HADAMARD, indexer.topk_sorted", "HADAMARD_FP4, indexer.topk_sorted_fp4"})
    void picks(EntryForm form, String name) {
        Operand picks = RefRun.one(
                new LightningIndex(TOP_K, RATIO),
                queries(form),
                headWeights(),
                keys(form),
                Operand.range(0, TOKENS),
                Operand.i32(new int[] {0, TOKENS}, 2),
                Operand.i32(new int[] {0}, 1, 1));
        assertArrayEquals(golden.ints(name), picks.ints(), name);
    }
}
