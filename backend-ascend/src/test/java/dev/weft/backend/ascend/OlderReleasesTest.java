package dev.weft.backend.ascend;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** CANN 8, whose operators are in one library: fewer functions, the same results. */
@Tag("long")
class OlderReleasesTest {
    private static final String SOC = "Ascend910_9382";

    private static Path release(String folder) {
        return Emulator.library().getParent().getParent().resolveSibling(folder);
    }

    @Test
    void cann85() throws IOException, InterruptedException {
        String printed = ModelSizesProgram.run(
                release("cann8"),
                "8.5.0",
                "",
                SOC,
                "aclnnMatmul",
                "aclnnGroupedMatmulV5",
                "aclnnFusedMatmul",
                "HcclSend");
        assertThat(printed)
                .containsPattern("aclnnMatmul is bound in .*/cann8/lib64/libopapi.so")
                .containsPattern("aclnnGroupedMatmulV5 is bound in .*/cann8/lib64/libopapi.so")
                .containsPattern("aclnnFusedMatmul is missing: .*libopapi.so has no such symbol")
                .containsPattern("HcclSend is bound in .*/cann8/lib64/libhccl.so")
                .contains("DISPATCH runs as moeDispatch/aclnnMoeInitRoutingV3: right");
    }

    @Test
    void cann81() throws IOException, InterruptedException {
        String printed = ModelSizesProgram.run(
                release("cann81"), "8.1.0", "", SOC, "aclnnGroupedMatmulV5", "aclnnGroupedMatmulV4");
        assertThat(printed)
                .containsPattern("aclnnGroupedMatmulV5 is missing: .*libopapi.so has no such symbol")
                .containsPattern("aclnnGroupedMatmulV4 is bound in .*/cann81/lib64/libopapi.so")
                .contains(
                        "GEMM runs as gemm/aclnnMatmul: right",
                        "FP4_EXPERTS runs as expertGemm/composite: right",
                        "GROUPED_GEMM runs as groupedGemm/composite: right",
                        "DISPATCH runs as moeDispatch/composite: right");
    }
}
