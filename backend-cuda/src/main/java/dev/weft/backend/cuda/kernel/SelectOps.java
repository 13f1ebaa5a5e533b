package dev.weft.backend.cuda.kernel;

import dev.weft.op.Op;
import dev.weft.op.Sample;
import dev.weft.op.Softmax;
import dev.weft.op.TopK;
import java.util.List;
import java.util.Map;

/** Softmax, top-k and sampling. */
final class SelectOps {
    private static final int THREADS = 256;

    static final Map<Class<? extends Op>, List<Way>> WAYS = Map.of(
            Softmax.class,
            List.of(Way.simple("softmax", e -> perRow(e, "softmax_simple"))),
            TopK.class,
            List.of(Way.simple("topK", SelectOps::topK)
                    .attributes(op -> Attributes.of(((TopK) op.op()).k()))),
            Sample.class,
            List.of(Way.simple("sample", e -> perRow(e, "sample_simple"))));

    private SelectOps() {}

    /** One block per row of operand 0. */
    private static void perRow(Emit e, String function) {
        long rows = e.arguments().elements(0) / e.arguments().dim(0, -1);
        e.launch("select", function, Grid.of(rows), THREADS, 0);
    }

    private static void topK(Emit e) {
        e.launch("select", "top_k_simple", Grid.covering(e.arguments().elements(0), THREADS), THREADS, 0);
    }
}
