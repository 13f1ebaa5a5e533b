package dev.weft.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.UnsupportedOpException;
import dev.weft.runtime.Weft;
import dev.weft.spi.BackendConfig;
import dev.weft.spi.Backends;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Kernels compiled where they run, by an NVRTC that looks at programs and gives the emulator's images. */
class NvrtcTest {
    private static final String PATH = "weft.nvrtc.path";
    private static final int DRIVER = 13000;

    @TempDir
    private Path cache;

    @TempDir
    private Path empty;

    private Emulator emulator;
    private MethodHandle compilations;

    @BeforeEach
    void start() {
        emulator = Emulator.start();
        Path library = Emulator.library().resolveSibling("libnvrtc.so.13");
        System.setProperty(PATH, library.toString());
        compilations = Linker.nativeLinker()
                .downcallHandle(
                        SymbolLookup.libraryLookup(library, Arena.global())
                                .find("weftNvrtcCompilations")
                                .orElseThrow(),
                        FunctionDescriptor.of(ValueLayout.JAVA_INT));
    }

    @AfterEach
    void stop() {
        System.clearProperty(PATH);
        if (emulator != null) {
            emulator.close();
        }
    }

    private int compilations() {
        try {
            return (int) compilations.invokeExact();
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    private static KernelSources sources() {
        return KernelSources.load().orElseThrow();
    }

    private RuntimeCompiler compiler(KernelSources sources, int driver) {
        return new RuntimeCompiler(Optional.of(sources), new ImageCache(Optional.of(cache)), driver);
    }

    private List<Path> kept() throws IOException {
        try (Stream<Path> files = Files.list(cache)) {
            return files.toList();
        }
    }

    /** A device in a folder without images runs; opened again, it compiles nothing; of a damaged file only that. */
    @Test
    void aDeviceWithoutImagesCompilesOnce() throws IOException {
        BackendConfig config = BackendConfig.DEFAULT
                .with(CudaOptions.IMAGES, empty.toString())
                .with(CudaOptions.CACHE, cache.toString());
        int before = compilations();
        List<float[]> expected = List.of(Network.expected(Network.input(3, 0)));
        runs(config, expected);
        int compiled = compilations() - before;
        assertThat(compiled).isPositive();
        assertThat(kept()).hasSize(compiled).allMatch(f -> f.toString().endsWith(".cubin"));
        runs(config, expected);
        assertThat(compilations() - before).isEqualTo(compiled);
        Path damaged = kept().getFirst();
        byte[] bytes = Files.readAllBytes(damaged);
        bytes[bytes.length / 2] ^= 1;
        Files.write(damaged, bytes);
        runs(config, expected);
        assertThat(compilations() - before).isEqualTo(compiled + 1);
        assertThat(kept()).hasSize(compiled);
    }

    private static void runs(BackendConfig config, List<float[]> expected) {
        try (Weft weft = Weft.of(Backends.of(config, List.of(new CudaProvider())))) {
            assertThat(Network.run(weft.device("cuda:0"), 3))
                    .usingRecursiveComparison()
                    .isEqualTo(expected);
        }
    }

    /** Listing devices must not take the minutes of compiling for them. */
    @Test
    void whatWouldBeCompiledIsNamedWithoutCompiling() {
        int before = compilations();
        Images images = new Images(empty.toString(), 90, DRIVER, compiler(sources(), DRIVER));
        assertThat(images.describe()).isEqualTo("images for sm_90: as plain for sm_90a by NVRTC 13.0");
        assertThat(images.source("gemm_wgmma").hasOwnFeatures()).isTrue();
        assertThat(compilations()).isEqualTo(before);
        assertThat(images.of("plain").source()).isEqualTo(images.source("plain"));
        assertThat(compilations()).isEqualTo(before + 1);
    }

    /** An image in PTX takes the place of one that did not compile, and is known not to be of this chip alone. */
    @Test
    void whatDoesNotCompileIsNotPromisedAgain() throws IOException {
        KernelSources broken = new KernelSources(Map.of("kernels/odd.cu", "\n#include <stdint.h>\n"), "1234");
        Files.writeString(empty.resolve("odd.compute_80.ptx"), "");
        Images images = new Images(empty.toString(), 90, DRIVER, compiler(broken, DRIVER));
        assertThat(images.source("odd").hasOwnFeatures()).isTrue();
        assertThat(images.of("odd").source().hasOwnFeatures()).isFalse();
        assertThat(images.source("odd").origin()).endsWith("odd.compute_80.ptx");
    }

    @Test
    void imagesComeBeforeCompilation() throws IOException {
        BackendConfig config = BackendConfig.DEFAULT.with(CudaOptions.CACHE, cache.toString());
        int before = compilations();
        runs(config, List.of(Network.expected(Network.input(3, 0))));
        assertThat(compilations()).isEqualTo(before);
        assertThat(kept()).isEmpty();
    }

    /** What NVRTC has no folder for would only show on a machine that has NVRTC. */
    @Test
    void everyKernelFileIncludesOnlyWhatIsHandedOver() {
        KernelSources sources = sources();
        List<String> modules = sources.files().keySet().stream()
                .filter(name -> name.startsWith("kernels/"))
                .map(name -> name.substring("kernels/".length(), name.length() - ".cu".length()))
                .toList();
        assertThat(modules).contains("norm", "gemm_wgmma");
        RuntimeCompiler compiler = compiler(sources, DRIVER);
        assertThat(modules)
                .allSatisfy(m -> assertThat(compiler.compile(m, 90))
                        .isInstanceOfSatisfying(
                                RuntimeCompiler.Compiled.class,
                                c -> assertThat(c.origin()).isEqualTo(m + " for sm_90a by NVRTC 13.0")));
    }

    @Test
    void theCompilersWordsAreTold() {
        KernelSources broken = new KernelSources(Map.of("kernels/odd.cu", "\n#include <stdint.h>\n"), "1234");
        assertThat(compiler(broken, DRIVER).compile("odd", 90))
                .isInstanceOfSatisfying(
                        RuntimeCompiler.Refused.class,
                        r -> assertThat(r.reason())
                                .contains("'odd'", "sm_90a", "6 (NVRTC_ERROR_COMPILATION)", "odd.cu(2)", "<stdint.h>"));
        Images images = new Images(empty.toString(), 90, DRIVER, compiler(broken, DRIVER));
        assertThatThrownBy(() -> images.of("odd"))
                .isInstanceOf(UnsupportedOpException.class)
                .hasMessageContainingAll("'odd'", "looked for cubins of sm_90a", "<stdint.h>", "odd.compute_80.ptx");
    }

    @Test
    void chipsAndDriversThatItIsNotForAreNamed() {
        assertThat(compiler(sources(), DRIVER).compile("norm", 130))
                .isInstanceOfSatisfying(
                        RuntimeCompiler.Refused.class,
                        r -> assertThat(r.reason()).contains("13.0", "not for 130"));
        assertThat(compiler(sources(), 12080).compile("norm", 90))
                .isInstanceOfSatisfying(
                        RuntimeCompiler.Refused.class,
                        r -> assertThat(r.reason()).contains("found version 13.0", "driver, which is for CUDA 12.8"));
    }

    @Test
    void withoutTheLibraryTheReasonSaysWhereItWasSearched() {
        System.setProperty(PATH, empty.toString());
        assertThat(compiler(sources(), DRIVER).compile("norm", 90))
                .isInstanceOfSatisfying(
                        RuntimeCompiler.Refused.class,
                        r -> assertThat(r.reason()).contains("no NVRTC", empty.toString(), "-Dweft.nvrtc.path"));
    }
}
