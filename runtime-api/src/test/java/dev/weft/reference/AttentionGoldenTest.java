package dev.weft.reference;

import dev.weft.DType;
import dev.weft.op.Reach;
import dev.weft.op.SparseAttention;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

/** Attention over arbitrary key lists with holes. */
class AttentionGoldenTest {
    private static final int ROWS = 20;
    private static final int HEADS = 3;
    private static final int WIDTH = 64;
    private static final int KEYS = 50;
    private static final int LIST = 17;
    private static final int PER_PAGE = 8;
    private static final float SCALE = 0.125f;

    private final GoldenTensors golden = GoldenTensors.ops();

    @Test
    void keyLists() {
        float[] q = golden.floats("sparse_attn.q");
        float[] sink = golden.floats("sparse_attn.sink");
        float[] actual = new float[q.length];
        for (int row = 0; row < ROWS * HEADS; row++) {
            int from = row * WIDTH;
            float[][] keys = keys(row / HEADS);
            float[] query = Arrays.copyOfRange(q, from, from + WIDTH);
            float[] y = AttentionReference.attend(query, keys, sink[row % HEADS], SCALE, DType.F32);
            System.arraycopy(y, 0, actual, from, WIDTH);
        }
        Deviation.assertAbsolute("sparse_attn", 2e-6, golden.floats("sparse_attn.out"), actual);
    }

    private int[] list(int row) {
        return Arrays.copyOfRange(golden.ints("sparse_attn.idx"), row * LIST, (row + 1) * LIST);
    }

    private float[] key(int j) {
        return Arrays.copyOfRange(golden.floats("sparse_attn.kv"), j * WIDTH, (j + 1) * WIDTH);
    }

    private float[][] keys(int row) {
        return Arrays.stream(list(row)).filter(j -> j >= 0).mapToObj(this::key).toArray(float[][]::new);
    }

    /**
     * The same through the operator: the first key of a list is the row's own latent in a window of one, the others are
     * picks from a cache whose pages are in reverse order.
     */
    @Test
    void picks() {
        int pages = Math.ceilDiv(KEYS, PER_PAGE);
        float[] cache = new float[pages * PER_PAGE * WIDTH];
        for (int j = 0; j < KEYS; j++) {
            int entry = (pages - 1 - j / PER_PAGE) * PER_PAGE + j % PER_PAGE;
            System.arraycopy(key(j), 0, cache, entry * WIDTH, WIDTH);
        }
        int[] pageList = new int[pages];
        Arrays.setAll(pageList, p -> pages - 1 - p);
        float[] own = new float[ROWS * WIDTH];
        int[] picks = new int[ROWS * LIST];
        for (int i = 0; i < ROWS; i++) {
            int[] list = list(i);
            int first = 0;
            while (list[first] < 0) {
                first++;
            }
            System.arraycopy(key(list[first]), 0, own, i * WIDTH, WIDTH);
            list[first] = -1;
            System.arraycopy(list, 0, picks, i * LIST, LIST);
        }
        Operand y = RefRun.one(
                new SparseAttention(1, 4, Reach.PICKED, SCALE),
                Operand.of(golden, "sparse_attn.q"),
                Operand.f32(own, ROWS, WIDTH),
                Operand.f32(new float[WIDTH], 1, 1, WIDTH),
                Operand.of(golden, "sparse_attn.sink"),
                Operand.range(0, ROWS),
                Operand.i32(new int[] {0, ROWS}, 2),
                Operand.i32(new int[] {0}, 1),
                Operand.f32(cache, pages, PER_PAGE, WIDTH),
                Operand.i32(pageList, 1, pages),
                Operand.i32(picks, ROWS, LIST));
        Deviation.assertAbsolute("sparse_attn picks", 2e-6, golden.floats("sparse_attn.out"), y.floats());
    }
}
