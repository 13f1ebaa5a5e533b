package dev.weft.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.UnsupportedOpException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Which of several images a device gets, and what is said where none fits. */
class ImagesTest {
    private static final int DRIVER = 13000;
    private static final RuntimeCompiler NONE = new RuntimeCompiler(
            Optional.of(new KernelSources(Map.of(), "0123456789abcdef")), new ImageCache(Optional.empty()), DRIVER);

    @TempDir
    private Path folder;

    private void put(String target, String text) throws IOException {
        put("gemm", target, text);
    }

    private void put(String module, String target, String text) throws IOException {
        String ending = target.startsWith("compute") ? ".ptx" : ".cubin";
        Files.writeString(folder.resolve(module + "." + target + ending), text);
    }

    private Images images(int sm) {
        return new Images(folder.toString(), sm, DRIVER, NONE);
    }

    @ParameterizedTest
    @CsvSource(delimiter = ';', textBlock = """
        80;  sm_80,sm_89,sm_90a,compute_80;        sm_80
        86;  sm_80,sm_89,sm_90a,compute_80;        sm_80
        89;  sm_80,sm_89,sm_90a,compute_80;        sm_89
        90;  sm_80,sm_90,sm_90a,compute_80;        sm_90a
        90;  sm_80,sm_89,sm_90,compute_80;         sm_90
        100; sm_90a,sm_100f,sm_100a,sm_120f;       sm_100a
        103; sm_90a,sm_100a,sm_100f,sm_120f;       sm_100f
        103; sm_100a,sm_100,compute_80;            sm_100
        121; sm_100f,sm_120f,sm_120a,compute_80;   sm_120f
        75;  sm_80,compute_80;                     compute_80
        130; sm_90a,sm_120f,compute_80;            compute_80
        """)
    void theBestOneThatRuns(int sm, String there, String expected) throws IOException {
        for (String target : there.split(",")) {
            put(target, target);
        }
        assertThat(images(sm).of("gemm").bytes()).asString().isEqualTo(expected);
    }

    /** A Hopper without its own images runs, and is told what it lacks; other chips have nothing of their own. */
    @ParameterizedTest
    @CsvSource(delimiter = ';', textBlock = """
        90;  sm_90a;     ''
        90;  sm_90;      slower kernels multiply many tokens: products of warpgroups need images for sm_90a, which gemm_wgmma, gemm_together_wgmma, gemm_wgmma_quantized, gemm_fp8, limits lack
        90;  compute_80; slower kernels multiply many tokens: products of warpgroups need images for sm_90a, which gemm_wgmma, gemm_together_wgmma, gemm_wgmma_quantized, gemm_fp8, limits lack
        80;  compute_80; ''
        89;  sm_80;      ''
        100; compute_80; ''
        120; sm_120f;    ''
        """)
    void whatRunsSlowerForWantOfAnImageIsSaid(int sm, String target, String lacking) throws IOException {
        for (String module :
                new String[] {"plain", "gemm_wgmma", "gemm_together_wgmma", "gemm_wgmma_quantized", "gemm_fp8", "limits"
                }) {
            put(module, target, "");
        }
        assertThat(images(sm).lacking()).isEqualTo(lacking);
        assertThat(images(sm).describe()).contains("plain." + target).endsWith(lacking);
    }

    @Test
    void oneModuleWithoutItsImageIsNamed() throws IOException {
        put("gemm_wgmma", "sm_90a", "");
        put("gemm_together_wgmma", "compute_80", "");
        put("gemm_wgmma_quantized", "sm_90a", "");
        put("gemm_fp8", "sm_90a", "");
        put("limits", "sm_90a", "");
        assertThat(images(90).lacking()).endsWith("for sm_90a, which gemm_together_wgmma lacks");
    }

    @Test
    void imagesOfOtherDevicesDoNotHelp() throws IOException {
        for (String target : new String[] {"sm_80", "sm_89", "sm_100f", "sm_91"}) {
            put(target, target);
        }
        assertThatThrownBy(() -> images(90).of("gemm"))
                .isInstanceOf(UnsupportedOpException.class)
                .hasMessageContainingAll(
                        "'gemm'",
                        "sm_90",
                        folder.toString(),
                        "sm_90a, sm_90f, sm_90;",
                        "gemm.compute_80.ptx is not there",
                        "-Dweft.cuda.images");
    }

    @Test
    void ptxNeedsADriverAsNewAsItsToolkit() throws IOException {
        put("compute_80", "// Cuda compilation tools, release 13.2, V13.2.51\n.version 9.2\n");
        assertThat(new Images(folder.toString(), 90, 13020, NONE).of("gemm").origin())
                .endsWith("gemm.compute_80.ptx");
        assertThatThrownBy(() -> images(90).of("gemm"))
                .isInstanceOf(UnsupportedOpException.class)
                .hasMessageContainingAll("needs a driver for CUDA 13.2", "found 13.0");
    }

    @Test
    void anotherModulesImagesAreNotTaken() throws IOException {
        put("sm_90a", "");
        assertThatThrownBy(() -> images(90).of("norm")).hasMessageContaining("'norm'");
    }

    @Test
    void imagesOfOtherSourcesAreRefused() throws IOException {
        put("sm_90a", "");
        Path note = folder.resolve(ImageOrigin.FILE);
        Files.writeString(note, "commit=abc\nnvcc=13.0.88\nsources=0123456789abcdef\n");
        assertThat(images(90).of("gemm").origin()).endsWith("gemm.sm_90a.cubin");
        assertThat(images(90).made())
                .map(ImageOrigin::toString)
                .hasValue("commit abc, nvcc 13.0.88, kernel sources 0123456789ab");
        Files.writeString(note, "commit=abc\nnvcc=13.0.88\nsources=fedcba9876543210\n");
        assertThatThrownBy(() -> images(90).of("gemm"))
                .isInstanceOf(UnsupportedOpException.class)
                .hasMessageContainingAll(
                        folder.toString(), "found kernel sources fedcba987654", "expected 0123456789ab");
    }

    /** The build puts the texts into this library; the quick loops of a developer may leave them out. */
    @Test
    void theLibraryHasTheTextsOfItsKernels() {
        KernelSources sources = KernelSources.load().orElseThrow();
        assertThat(sources.hash()).matches("[0-9a-f]{64}");
        assertThat(sources.module("norm")).contains("WEFT_KERNEL");
        assertThat(sources.headers()).containsKey("weft/cuda/call.cuh");
        assertThatThrownBy(() -> sources.module("nothing"))
                .isInstanceOf(UnsupportedOpException.class)
                .hasMessageContaining("'nothing'");
    }
}
