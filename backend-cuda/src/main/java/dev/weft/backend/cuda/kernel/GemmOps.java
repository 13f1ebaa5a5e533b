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
            Gemm.class, ways("gemm", TensorCoreGemm.Product.SINGLE),
            GroupedGemm.class, ways("grouped_gemm", TensorCoreGemm.Product.GROUPED),
            ExpertGemm.class, ways("expert_gemm", TensorCoreGemm.Product.EXPERTS));

    private static final int THREADS = 256;
    private static final int WARP = 32;

    private GemmOps() {}

    private static List<Way> ways(String name, TensorCoreGemm.Product product) {
        Way.Body simple = e -> simple(e, name);
        return List.of(
                Way.fast(name + "/mma", e -> TensorCoreGemm.emit(e, product, simple))
                        .refusing(TensorCoreGemm::refusal),
                Way.simple(name, simple));
    }

    private static void simple(Emit e, String name) {
        KernelArguments a = e.arguments();
        long outputs = a.dim(a.count() - 1, -1);
        // a warp per element
        Grid rowsAndOutputs = Grid.of(a.elements(a.count() - 1) / outputs, Math.ceilDiv(outputs, THREADS / WARP));
        e.launch("gemm", name + "_simple", rowsAndOutputs, THREADS, 0);
    }
}
