package dev.weft.backend.cuda.kernel;

import dev.weft.op.Op;
import dev.weft.op.OpInstance;
import dev.weft.op.SparseAttention;
import dev.weft.spi.KernelArguments;
import java.util.List;
import java.util.Map;

/** Sparse attention. */
final class AttentionOps {
    private static final int SIMPLE_THREADS = 128;

    private static final int Q = 0;

    static final Map<Class<? extends Op>, List<Way>> WAYS = Map.of(
            SparseAttention.class,
            List.of(Way.simple("sparseAttention", AttentionOps::simple).attributes(AttentionOps::attributes)));

    private AttentionOps() {}

    private static Attributes attributes(OpInstance instance) {
        SparseAttention op = (SparseAttention) instance.op();
        return Attributes.of(
                op.window(), op.ratio(), op.reach().ordinal(), Double.doubleToRawLongBits(op.scale()));
    }

    private static void simple(Emit e) {
        KernelArguments a = e.arguments();
        int bytes = Math.toIntExact(Float.BYTES * a.dim(Q, 2));
        e.launch(
                "attention",
                "sparse_attention_simple",
                Grid.of(a.dim(Q, 0), a.dim(Q, 1)),
                SIMPLE_THREADS,
                bytes);
    }
}
