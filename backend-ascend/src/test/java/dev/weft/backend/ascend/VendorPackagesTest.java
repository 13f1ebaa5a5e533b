package dev.weft.backend.ascend;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * CANN 9.0, which lacks the operators of DeepSeek-V4, with packages that bring them: inside the installation and named by the
 * environment, with CANN's parameters and with others. Each installation in a process of its own, as for users.
 */
@Tag("long")
class VendorPackagesTest {
    private static final String SOC_950 = "Ascend950DT_9591";
    private static final String SOC_A3 = "Ascend910_9382";
    private static final String RELEASE = "9.0.0";

    @TempDir
    private Path root;

    private final List<Path> links = new ArrayList<>();
    private Path built;

    /** An installation of CANN 9.0 without packages. */
    @BeforeEach
    void install() throws IOException {
        built = Emulator.library().getParent().getParent().resolveSibling("packages");
        Path release = built.resolveSibling("cann90");
        link("lib64", release.resolve("lib64"));
        link("include", release.resolve("include"));
        Files.createDirectories(root.resolve("opp/vendors"));
    }

    private Path inside(String name) throws IOException {
        return link("opp/vendors/" + name, built.resolve(name));
    }

    private Path link(String name, Path target) throws IOException {
        Path link = Files.createSymbolicLink(root.resolve(name), target);
        links.add(link);
        return link;
    }

    @AfterEach
    void uninstall() throws IOException {
        for (Path link : links) {
            Files.delete(link);
        }
    }

    @Test
    void withoutPackagesEveryOperatorHasItsComposite() throws IOException, InterruptedException {
        String printed = ModelSizesProgram.run(root, RELEASE, "", SOC_950, "aclnnMhcPost", "aclnnHcPre");
        assertThat(printed)
                .contains("aclnnMhcPost is missing: ", "libopapi_transformer.so has no such symbol")
                .containsPattern("aclnnHcPre is missing: .*ASCEND_CUSTOM_OPP_PATH or .*/opp/vendors")
                .contains(
                        "HYPER_POST runs as hyperPost/composite: right",
                        "ATTENTION runs as sparseAttention/composite: right",
                        "ROTARY runs as rotary/composite: right",
                        "FP8_GEMM runs as gemm/aclnnQuantMatmulV5: right");
    }

    @Test
    void aPackageInsideTheInstallationBringsOperators() throws IOException, InterruptedException {
        Path library = inside("ops_transformer").resolve("op_api/lib/libcust_opapi.so");
        String printed =
                ModelSizesProgram.run(root, RELEASE, "", SOC_A3, "aclnnSparseFlashMla", "aclnnMatmul", "aclnnHcPost");
        assertThat(printed)
                .contains("aclnnSparseFlashMla is bound in " + library + ", agrees with ")
                .containsPattern("aclnnMatmul is bound in .*/lib64/libopapi_nn.so")
                .contains("aclnnHcPost is missing: " + library + " has no such symbol")
                .contains(
                        "HYPER_POST runs as hyperPost/aclnnMhcPost: right",
                        "ATTENTION runs as sparseAttention/aclnnSparseFlashMla: right",
                        "INDEX runs as lightningIndex/aclnnLightningIndexerV2: right",
                        "HYPER_PRE runs as hyperPre/composite: right");
    }

    @Test
    void aPackageOfTheEnvironmentMayRepeatNamesOfCanns() throws IOException, InterruptedException {
        inside("ops_transformer");
        Path named = built.resolve("custom_transformer");
        Path library = named.resolve("op_api/lib/libcust_opapi.so");
        String printed = ModelSizesProgram.run(
                root,
                RELEASE,
                named.toString(),
                SOC_950,
                "aclnnInplacePartialRotaryMul",
                "aclnnSwigluGroupQuant",
                "aclnnSwigluGroupQuant@vendor",
                "aclnnCompressor",
                "aclnnCompressor@vendor",
                "aclnnHcPre");
        assertThat(printed)
                .as("the same parameters: it stands in for CANN's")
                .contains("aclnnInplacePartialRotaryMul is bound in " + library)
                .contains("ROTARY runs as rotary/aclnnInplacePartialRotaryMul: right")
                .as("other parameters: two functions, each from its own library")
                .containsPattern("aclnnSwigluGroupQuant is bound in .*/lib64/libopapi_nn.so")
                .contains("aclnnSwigluGroupQuant@vendor is bound in " + library)
                .as("other parameters, and CANN has none")
                .containsPattern(
                        "aclnnCompressor is mismatch: .*aclnn_compressor.h.*; the table has '.*', the header '")
                .contains("aclnnCompressor@vendor is bound in " + library)
                .as("the package's only")
                .contains("aclnnHcPre is bound in " + library)
                .contains(
                        "HYPER_POST runs as hyperPost/aclnnMhcPost: right",
                        "HASHED_GATE runs as moeGate/aclnnMoeGatingTopKV2: right");
    }

    /** One of its functions called as CANN's would be a fault of the emulator, on real hardware a corrupted memory. */
    @Test
    void anotherRevisionIsRefusedByNameAndNeverCalled() throws IOException, InterruptedException {
        Path named = built.resolve("other_revisions");
        String printed = ModelSizesProgram.run(
                root,
                RELEASE,
                named.toString(),
                SOC_A3,
                "aclnnMhcPreSinkhorn",
                "aclnnSparseFlashMla",
                "aclnnLightningIndexerV2",
                "aclnnCompressor",
                "aclnnQuantLightningIndexerV2",
                "aclnnQuantLightningIndexerV2Metadata");
        assertThat(printed.lines().filter(l -> l.contains(" is mismatch: ")))
                .as(printed)
                .hasSize(6);
        assertThat(printed)
                .containsPattern("aclnnMhcPreSinkhorn is mismatch: .*int32_t hcMult")
                .contains(
                        "HYPER_PRE runs as hyperPre/composite: right",
                        "ATTENTION runs as sparseAttention/composite: right",
                        "INDEX runs as lightningIndex/composite: right");
    }
}
