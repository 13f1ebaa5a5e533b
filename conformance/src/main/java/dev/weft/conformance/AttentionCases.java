package dev.weft.conformance;

import dev.weft.DType;
import dev.weft.TensorType;
import dev.weft.op.LightningIndex;
import dev.weft.op.Reach;
import dev.weft.op.RingWrite;
import dev.weft.op.SparseAttention;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.stream.Stream;

/** Attention over windows and compressed entries, the index that picks them, and the ring that keeps the window. */
final class AttentionCases {
    /** Entries per page. */
    private static final int PER_PAGE = 4;

    private AttentionCases() {}

    static Stream<OpCase> all() {
        Stream.Builder<OpCase> cases = Stream.builder();
        for (DType d : PlainCases.FLOWS) {
            attention(d, cases);
            index(d, cases);
            rings(d, cases);
        }
        fullSize(cases);
        return cases.build();
    }

    /** Dimensions of the family's models, which fused operators insist on, with few rows. */
    private static void fullSize(Stream.Builder<OpCase> cases) {
        Steps mixed = Steps.of(0, 5, 126, 3, 4095, 2, 300, 1); // empty, at the window's edge, more entries than picks
        Steps prompt = Steps.of(110, 30, 0, 1); // around the ring and into a second block of keys
        for (Steps steps : List.of(mixed, prompt)) {
            int heads = steps == mixed ? 4 : 2;
            for (Reach reach : Reach.values()) {
                int ratio = reach == Reach.ALL ? 128 : 4;
                cases.add(attention(DType.BF16, reach, 128, 130, ratio, heads, 512, steps, 128 / ratio, 512)
                        .withGaps(0, 1)
                        .noted("full size"));
            }
        }
        for (int ratio : new int[] {4, 128}) {
            cases.add(index(DType.BF16, 512, ratio, 4, 128, 32, mixed, Data.random())
                    .noted("full size"));
        }
        // all heads of the family, and rows enough for a block of a device to take them all
        Steps rows = Steps.of(40, 69, 1000, 1);
        cases.add(attention(DType.BF16, Reach.ALL, 70, 70, 128, 64, 512, rows, 1, 0)
                .noted("full size, all heads"));
    }

    private static void attention(DType d, Stream.Builder<OpCase> cases) {
        Steps mixed = Steps.of(0, 5, 6, 3, 16, 1, 29, 9); // empty, mid-ring, at a block boundary, around the ring
        Steps decode = Steps.of(0, 1, 7, 1, 255, 1, 256, 1);
        for (Reach reach : Reach.values()) {
            cases.add(attention(d, reach, 8, 8, 4, 3, 33, mixed));
            cases.add(attention(d, reach, 8, 11, 4, 1, 16, mixed).withGaps(0, 1));
            cases.add(attention(d, reach, 16, 16, 128, 16, 64, decode));
            cases.add(attention(d, reach, 1, 3, 4, 2, 17, Steps.of(3, 7)));
            cases.add(attention(d, reach, 70, 70, 4, 2, 32, Steps.of(500, 2, 64, 1))
                    .noted("several key blocks"));
            cases.add(attention(d, reach, 8, 8, 4, 3, 16, Steps.of(0, 0)));
        }
        OpCase nan = attention(d, Reach.WINDOW, 4, 4, 4, 2, 16, Steps.of(0, 17));
        List<Operand> operands = new ArrayList<>(nan.operands());
        operands.set(1, Operand.of(operands.get(1).type(), Data.random().withNan()));
        cases.add(new OpCase(nan.op(), operands, false, "NaN key"));
    }

    private static OpCase attention(
            DType d, Reach reach, int window, int ring, int ratio, int heads, int width, Steps steps) {
        return attention(d, reach, window, ring, ratio, heads, width, steps, PER_PAGE, 7);
    }

    private static OpCase attention(
            DType d,
            Reach reach,
            int window,
            int ring,
            int ratio,
            int heads,
            int width,
            Steps steps,
            int perPage,
            int picks) {
        List<Operand> o = new ArrayList<>(List.of(
                Operand.random(d, steps.rows(), heads, width),
                Operand.random(d, steps.rows(), width),
                Operand.random(d, steps.rings(), ring, width),
                Operand.random(DType.F32, heads),
                steps.positions(),
                steps.starts(),
                steps.slots()));
        if (reach != Reach.WINDOW) {
            o.add(Operand.random(d, steps.pageCount(ratio, perPage), perPage, width));
            o.add(steps.pages(ratio, perPage));
        }
        if (reach == Reach.PICKED) {
            o.add(picks(steps, ratio, picks));
        }
        float scale = (float) (1 / Math.sqrt(width));
        return new OpCase(new SparseAttention(window, ratio, reach, scale), o, false, "");
    }

    /** Ascending visible entries, about two of three, then -1. */
    private static Operand picks(Steps steps, int ratio, int k) {
        int[] picks = new int[steps.rows() * k];
        Arrays.fill(picks, -1);
        SplittableRandom random = new SplittableRandom(k);
        int row = 0;
        for (int s = 0; s < steps.count(); s++) {
            for (int t = 0; t < steps.counts()[s]; t++, row++) {
                int visible = (steps.from()[s] + t + 1) / ratio;
                int n = 0;
                for (int j = 0; j < visible && n < k; j++) {
                    if (random.nextInt(3) > 0) {
                        picks[row * k + n++] = j;
                    }
                }
            }
        }
        return Operand.ints(picks, steps.rows(), k);
    }

    private static void index(DType d, Stream.Builder<OpCase> cases) {
        Steps mixed = Steps.of(0, 5, 62, 3, 131, 1, 120, 9);
        cases.add(index(d, 7, 4, 3, 33, mixed, Data.random()).withGaps(0, 1));
        cases.add(index(d, 16, 4, 16, 128, mixed, Data.random()));
        cases.add(index(d, 1, 4, 1, 16, mixed, Data.random()));
        cases.add(index(d, 64, 4, 2, 32, mixed, Data.random()).noted("more picks than entries"));
        cases.add(index(d, 3, 128, 2, 16, Steps.of(1023, 2, 127, 1), Data.random()));
        cases.add(index(d, 7, 4, 2, 16, mixed, Data.constant(0.5)).noted("ties"));
        cases.add(index(d, 7, 4, 2, 128, mixed, Data.constant(0.5)).noted("ties"));
        Steps far = Steps.of(4 * 17000, 1, 4 * 16100, 2, 40, 1);
        cases.add(index(d, 20, 4, 2, 128, far, Data.random()).noted("many entries"));
        cases.add(index(d, 20, 4, 2, 128, far, Data.constant(0.5)).noted("many ties"));
        cases.add(index(d, 7, 4, 2, 16, Steps.of(0, 0), Data.random()));
    }

    private static OpCase index(DType d, int topK, int ratio, int heads, int width, Steps steps, Data keys) {
        return index(d, topK, ratio, heads, width, PER_PAGE, steps, keys);
    }

    private static OpCase index(
            DType d, int topK, int ratio, int heads, int width, int perPage, Steps steps, Data keys) {
        return OpCase.of(
                new LightningIndex(topK, ratio),
                Operand.random(d, steps.rows(), heads, width),
                Operand.random(d, steps.rows(), heads),
                Operand.of(TensorType.of(d, steps.pageCount(ratio, perPage), perPage, width), keys),
                steps.positions(),
                steps.starts(),
                steps.pages(ratio, perPage));
    }

    /** Decoding of as many sequences as rows, a few of them much longer than the others. */
    static List<BatchInvariance.Case> alone(int rows) {
        int[] from = new int[rows];
        Arrays.setAll(from, i -> i * 7 % 50);
        from[0] = 2203; // with ratio 4 some 620 keys: more blocks of 64 than a device merges at once
        from[1] = 77;
        from[rows / 2] = 900;
        from[rows - 1] = 2202;
        int[] counts = new int[rows];
        Arrays.fill(counts, 1);
        Steps steps = new Steps(from, counts);
        List<BatchInvariance.Case> cases = new ArrayList<>();
        for (DType d : PlainCases.FLOWS) {
            OpCase all = attention(d, Reach.ALL, 70, 70, 4, 18, 64, steps);
            cases.add(new BatchInvariance.Case(all, Set.of(0, 1, 4, 6, 8), Set.of(5)));
            OpCase index = index(d, 16, 4, 16, 128, steps, Data.random());
            cases.add(new BatchInvariance.Case(index, Set.of(0, 1, 3, 5), Set.of(4)));
        }
        OpCase picked = attention(DType.BF16, Reach.PICKED, 70, 70, 4, 18, 64, steps, PER_PAGE, 256);
        cases.add(new BatchInvariance.Case(picked, Set.of(0, 1, 4, 6, 8, 9), Set.of(5)));
        // all keys count alike, and what is left of their sum shows in which order a device adds
        OpCase ordered = attention(DType.BF16, Reach.ALL, 70, 70, 4, 18, 64, steps);
        List<Operand> operands = new ArrayList<>(ordered.operands());
        operands.set(0, Operand.of(operands.getFirst().type(), Data.constant(0)));
        for (int keys : new int[] {1, 2, 7}) {
            operands.set(keys, Operand.of(operands.get(keys).type(), Data.cancelling()));
        }
        OpCase cancelling = new OpCase(ordered.op(), operands, false, "values that cancel out");
        cases.add(new BatchInvariance.Case(cancelling, Set.of(0, 1, 4, 6, 8), Set.of(5)));
        return cases;
    }

    private static void rings(DType d, Stream.Builder<OpCase> cases) {
        for (int width : new int[] {1, 17, 130}) {
            cases.add(ring(d, 8, width, Steps.of(0, 5, 6, 3, 16, 1, 29, 9)).withGaps(1));
        }
        cases.add(ring(d, 3, 16, Steps.of(1, 33)).noted("more rows than the ring"));
        cases.add(ring(d, 8, 16, Steps.of(0, 0)));
    }

    private static OpCase ring(DType d, int capacity, int width, Steps steps) {
        return OpCase.of(
                new RingWrite(),
                Operand.random(d, steps.rings(), capacity, width),
                Operand.of(TensorType.of(d, steps.rows(), width), Data.random().withNan()),
                steps.positions(),
                steps.starts(),
                steps.slots());
    }
}
