package dev.weft.backend.cuda.kernel;

import dev.weft.op.HyperHead;
import dev.weft.op.HyperPost;
import dev.weft.op.HyperPre;
import dev.weft.op.Op;
import dev.weft.op.OpInstance;
import dev.weft.spi.KernelArguments;
import java.util.List;
import java.util.Map;

/** Hyper-connections. */
final class HyperOps {
    private static final int THREADS = 256;

    static final Map<Class<? extends Op>, List<Way>> WAYS = Map.of(
            HyperPre.class,
            List.of(Way.simple("hyperPre", e -> mix(e, "hyper_pre_simple")).attributes(HyperOps::pre)),
            HyperPost.class,
            List.of(Way.simple("hyperPost", HyperOps::post)),
            HyperHead.class,
            List.of(Way.simple("hyperHead", e -> mix(e, "hyper_head_simple")).attributes(HyperOps::head)));

    private HyperOps() {}

    private static Attributes pre(OpInstance instance) {
        HyperPre op = (HyperPre) instance.op();
        return Attributes.of(
                op.iterations(), Double.doubleToRawLongBits(op.normEps()), Double.doubleToRawLongBits(op.eps()));
    }

    private static Attributes head(OpInstance instance) {
        HyperHead op = (HyperHead) instance.op();
        return Attributes.of(Double.doubleToRawLongBits(op.normEps()), Double.doubleToRawLongBits(op.eps()));
    }

    /** One block per row, its coefficients in shared memory. */
    private static void mix(Emit e, String function) {
        KernelArguments a = e.arguments();
        e.launch("hyper", function, Grid.of(a.dim(0, 0)), THREADS, (int) a.dim(1, 0) * Float.BYTES);
    }

    private static void post(Emit e) {
        e.launch("hyper", "hyper_post_simple", Grid.covering(e.arguments().elements(4), THREADS), THREADS, 0);
    }
}
