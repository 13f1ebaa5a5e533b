package dev.weft.reference;

import dev.weft.DType;
import dev.weft.op.Compress;
import dev.weft.op.EntryForm;
import dev.weft.op.Gemm;
import dev.weft.op.RingWrite;
import java.util.Arrays;

/** A compressor over golden rows: projections, entries and rings, in as many steps as wanted. */
final class CompressorRun {
    private static final int WIDTH = 128;
    private static final int PER_PAGE = 4;
    private static final int SLOT = 1;

    private final Compress op;
    private final Operand k;
    private final Operand z;
    private final Operand ape;
    private final Operand norm;
    private final int tokens;

    CompressorRun(GoldenTensors golden, String prefix, int ratio, boolean overlap, EntryForm form) {
        op = new Compress(ratio, overlap, GoldenRotary.YARN_SMALL.parameters(), 1e-6f, form);
        Gemm gemm = new Gemm(DType.F32);
        Operand x = Operand.of(golden, prefix + ".x");
        k = RefRun.one(gemm, x, Operand.of(golden, prefix + ".wkv"));
        z = RefRun.one(gemm, x, Operand.of(golden, prefix + ".wgate"));
        ape = Operand.of(golden, prefix + ".ape");
        norm = Operand.of(golden, prefix + ".norm");
        tokens = Math.toIntExact(golden.shape(prefix + ".x")[0]);
    }

    int tokens() {
        return tokens;
    }

    /** Entries after steps that end at the given tokens; pages are handed out from the back. */
    float[] entries(int... ends) {
        int count = tokens / op.ratio();
        int pages = Math.ceilDiv(count, PER_PAGE);
        Operand cache = Operand.f32(new float[pages * PER_PAGE * WIDTH], pages, PER_PAGE, WIDTH);
        int[] pageList = new int[pages];
        Arrays.setAll(pageList, p -> pages - 1 - p);
        int capacity = op.coff() * op.ratio();
        Operand kRing = ring(capacity);
        Operand zRing = ring(capacity);
        int from = 0;
        for (int to : ends) {
            Operand positions = Operand.range(from, to);
            Operand starts = Operand.i32(new int[] {0, to - from}, 2);
            Operand slots = Operand.i32(new int[] {SLOT}, 1);
            Operand kRows = k.rows(from, to);
            Operand zRows = z.rows(from, to);
            Operand pageTable = Operand.i32(pageList, 1, pages);
            RefRun.one(op, kRows, zRows, ape, norm, kRing, zRing, cache, positions, starts, slots, pageTable);
            RefRun.one(new RingWrite(), kRing, kRows, positions, starts, slots);
            RefRun.one(new RingWrite(), zRing, zRows, positions, starts, slots);
            from = to;
        }
        return inOrder(cache.floats(), pageList, count);
    }

    /** Slots other than the sequence's hold NaN: reading them shows. */
    private Operand ring(int capacity) {
        float[] rows = new float[(SLOT + 1) * capacity * op.coff() * WIDTH];
        Arrays.fill(rows, Float.NaN);
        return Operand.f32(rows, SLOT + 1, capacity, (long) op.coff() * WIDTH);
    }

    private static float[] inOrder(float[] cache, int[] pages, int count) {
        float[] out = new float[count * WIDTH];
        for (int j = 0; j < count; j++) {
            int entry = pages[j / PER_PAGE] * PER_PAGE + j % PER_PAGE;
            System.arraycopy(cache, entry * WIDTH, out, j * WIDTH, WIDTH);
        }
        return out;
    }
}
