package dev.weft.backend.cuda.kernel;

import dev.weft.op.ExpertGemm;
import dev.weft.op.Gemm;
import dev.weft.op.GroupedGemm;
import dev.weft.op.Op;
import dev.weft.spi.KernelArguments;
import java.util.List;
import java.util.Map;

/** Matrix products. */
final class GemmOps {
    static final Map<Class<? extends Op>, List<Way>> WAYS = Map.of(
            Gemm.class, List.of(simple("gemm")),
            GroupedGemm.class, List.of(simple("grouped_gemm")),
            ExpertGemm.class, List.of(simple("expert_gemm")));

    private static final int THREADS = 256;
    private static final int WARP = 32;

    private GemmOps() {}

    private static Way simple(String name) {
        return Way.simple(name, e -> simple(e, name));
    }

    private static void simple(Emit e, String name) {
        KernelArguments a = e.arguments();
        Grid warpEach = Grid.covering(a.elements(a.count() - 1), THREADS / WARP);
        e.launch("gemm", name + "_simple", warpEach, THREADS, 0);
    }
}
