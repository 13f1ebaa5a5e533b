package dev.weft.conformance;

import dev.weft.DType;
import dev.weft.op.Compress;
import dev.weft.op.EntryForm;
import dev.weft.op.LightningIndex;
import dev.weft.op.Op;
import dev.weft.op.Reach;
import dev.weft.op.RotaryParameters;
import dev.weft.op.SparseAttention;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;

/**
 * The operators whose work grows with the context, at one million tokens: queries at sampled positions over a cache of
 * random entries, whose pages lie in random order, with the page sizes, window and numbers of picks of the published models.
 * Apart from {@link OpCases}, because each needs some hundred megabytes.
 */
public final class LongContext {
    private static final int CONTEXT = 1 << 20;
    private static final int PAGE_TOKENS = 128;
    private static final int PAGES = CONTEXT / PAGE_TOKENS;
    private static final int WINDOW = 128;
    private static final int HEADS = 2;

    /** Half full, at the end of a page, and the last of all. */
    private static final int[] POSITIONS = {CONTEXT / 2 + 5, CONTEXT - PAGE_TOKENS - 1, CONTEXT - 1};

    /** The rotary parameters of compressed layers of the published models. */
    private static final RotaryParameters YARN = new RotaryParameters(64, 160000, 16, 65536, 32, 1);

    private LongContext() {}

    /** All cases. */
    public static Stream<OpCase> cases() {
        return Stream.of(
                index(512), index(1024), attention(Reach.PICKED, 512, 64), attention(Reach.ALL, 0, 512), entry());
    }

    /** The lightning indexer: a quarter of a million keys for each query. */
    private static OpCase index(int picks) {
        int width = 128;
        List<Operand> o = new ArrayList<>(List.of(
                Operand.random(DType.BF16, POSITIONS.length, HEADS, width),
                Operand.random(DType.BF16, POSITIONS.length, HEADS),
                cache(4, width)));
        o.addAll(List.of(positions(), starts(), pages()));
        return named(new LightningIndex(picks, 4), o);
    }

    /** Attention over the window and the picked entries of ratio 4, or all 8192 entries of ratio 128. */
    private static OpCase attention(Reach reach, int picks, int width) {
        int ratio = reach == Reach.PICKED ? 4 : 128;
        int rows = POSITIONS.length;
        List<Operand> o = new ArrayList<>(List.of(
                Operand.random(DType.BF16, rows, HEADS, width),
                Operand.random(DType.BF16, rows, width),
                Operand.random(DType.BF16, rows, WINDOW, width),
                Operand.random(DType.F32, HEADS),
                positions(),
                starts(),
                slots(),
                cache(ratio, width),
                pages()));
        if (reach == Reach.PICKED) {
            o.add(picks(picks, ratio));
        }
        return named(new SparseAttention(WINDOW, ratio, reach, (float) (1 / Math.sqrt(width))), o);
    }

    /** The last entry of ratio 128, whose rotary angles are the largest there are. */
    private static OpCase entry() {
        int width = 128;
        int ratio = 128;
        int rows = POSITIONS.length;
        Compress op = new Compress(ratio, false, YARN, 1e-6f, EntryForm.PLAIN);
        return named(
                op,
                List.of(
                        Operand.random(DType.F32, rows, width),
                        Operand.random(DType.F32, rows, width),
                        Operand.random(DType.F32, ratio, width),
                        Operand.random(DType.BF16, width),
                        Operand.random(DType.F32, rows, ratio, width),
                        Operand.random(DType.F32, rows, ratio, width),
                        cache(ratio, width),
                        positions(),
                        starts(),
                        slots(),
                        pages()));
    }

    private static OpCase named(Op op, List<Operand> operands) {
        return new OpCase(op, operands, false, "one million tokens");
    }

    private static Operand cache(int ratio, int width) {
        return Operand.random(DType.BF16, PAGES + 1, PAGE_TOKENS / ratio, width);
    }

    private static Operand positions() {
        return Operand.ints(POSITIONS, POSITIONS.length);
    }

    /** One row of each sequence. */
    private static Operand starts() {
        int[] starts = new int[POSITIONS.length + 1];
        Arrays.setAll(starts, i -> i);
        return Operand.ints(starts, starts.length);
    }

    private static Operand slots() {
        int[] slots = new int[POSITIONS.length];
        Arrays.setAll(slots, i -> slots.length - 1 - i);
        return Operand.ints(slots, slots.length);
    }

    /** Every sequence in an order of its own, of the same pages: together they take the room of one. */
    private static Operand pages() {
        SplittableRandom random = new SplittableRandom(PAGES);
        int[] table = new int[POSITIONS.length * PAGES];
        for (int s = 0; s < POSITIONS.length; s++) {
            int[] order = new int[PAGES + 1];
            for (int i = 0; i < order.length; i++) {
                int j = random.nextInt(i + 1);
                order[i] = order[j];
                order[j] = i;
            }
            System.arraycopy(order, 0, table, s * PAGES, PAGES);
        }
        return Operand.ints(table, POSITIONS.length, PAGES);
    }

    /** Ascending entries over the whole context, the first and the last visible ones among them. */
    private static Operand picks(int count, int ratio) {
        int[] picks = new int[POSITIONS.length * count];
        for (int s = 0; s < POSITIONS.length; s++) {
            long last = (POSITIONS[s] + 1) / ratio - 1;
            for (int i = 0; i < count; i++) {
                picks[s * count + i] = (int) (last * i / (count - 1));
            }
        }
        return Operand.ints(picks, POSITIONS.length, count);
    }
}
