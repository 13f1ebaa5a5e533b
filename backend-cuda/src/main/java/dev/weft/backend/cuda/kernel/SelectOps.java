package dev.weft.backend.cuda.kernel;

import dev.weft.Shape;
import dev.weft.op.Op;
import dev.weft.op.OpInstance;
import dev.weft.op.Sample;
import dev.weft.op.Softmax;
import dev.weft.op.TopK;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Softmax, top-k and sampling. */
final class SelectOps {
    private static final int THREADS = 256;
    private static final int WIDE_THREADS = 1024;

    /** Most values that a block sorts. */
    static final int MOST_SORTED = 2048;

    /** Entries of a part of a wide row; known to the kernels. */
    static final int PART = 16384;

    /** Four copies of the 2048 bins in which masses are counted. */
    private static final int SAMPLE_BYTES = 4 * 2048 * Long.BYTES;

    static final Map<Class<? extends Op>, List<Way>> WAYS = Map.of(
            Softmax.class,
            List.of(
                    Way.fast("softmax", e -> perRow(e, "select_fast", "softmax_rows", THREADS)),
                    Way.simple("softmax", e -> perRow(e, "select", "softmax_simple", THREADS))),
            TopK.class,
            List.of(
                    Way.fast("topK", SelectOps::topK)
                            .refusing((op, chip) -> many(op))
                            .scratch((op, chip) -> scratch(op))
                            .attributes(op -> Attributes.of(k(op), sorted(op))),
                    Way.simple("topK", e -> perRow(e, "select", "top_k_simple", THREADS))
                            .attributes(op -> Attributes.of(k(op)))),
            Sample.class,
            List.of(
                    Way.fast("sample", e -> perRow(e, "select_fast", "sample_rows", WIDE_THREADS, SAMPLE_BYTES)),
                    Way.simple("sample", e -> perRow(e, "select", "sample_simple", THREADS))));

    private SelectOps() {}

    /** One block per row of operand 0. */
    private static void perRow(Emit e, String module, String function, int threads) {
        perRow(e, module, function, threads, 0);
    }

    private static void perRow(Emit e, String module, String function, int threads, int sharedBytes) {
        long rows = e.arguments().elements(0) / e.arguments().dim(0, -1);
        e.launch(module, function, Grid.of(rows), threads, sharedBytes);
    }

    private static int k(OpInstance op) {
        return ((TopK) op.op()).k();
    }

    /** What is sorted: a power of two. */
    private static int sorted(OpInstance op) {
        return k(op) == 1 ? 1 : 2 * Integer.highestOneBit(k(op) - 1);
    }

    private static Optional<String> many(OpInstance op) {
        return k(op) <= MOST_SORTED
                ? Optional.empty()
                : Optional.of("topK: k " + k(op) + ": a block sorts up to " + MOST_SORTED + " values");
    }

    private static long scratch(OpInstance op) {
        Shape x = op.inputs().getFirst().shape();
        long columns = x.dim(1).maximum();
        return columns <= PART ? 0 : x.dim(0).maximum() * wideRowBytes(columns, k(op));
    }

    /** Workspace of a row that several blocks choose from. */
    static long wideRowBytes(long columns, long k) {
        return Math.ceilDiv(columns, (long) PART) * Math.min(k, PART) * Long.BYTES;
    }

    private static void topK(Emit e) {
        long rows = e.arguments().dim(0, 0);
        long parts = Math.ceilDiv(e.arguments().dim(0, 1), (long) PART);
        int sharedBytes = sorted(e.op()) * Long.BYTES;
        if (parts == 1) {
            e.launch("select_fast", "top_k_rows", Grid.of(rows), WIDE_THREADS, sharedBytes);
        } else {
            e.launch("select_fast", "top_k_parts", Grid.of(rows * parts), WIDE_THREADS, 0);
            e.launch("select_fast", "top_k_pick", Grid.of(rows), WIDE_THREADS, sharedBytes);
        }
    }
}
