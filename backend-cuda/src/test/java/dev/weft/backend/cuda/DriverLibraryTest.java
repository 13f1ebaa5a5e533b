package dev.weft.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.BackendUnavailableException;
import dev.weft.spi.BackendConfig;
import dev.weft.spi.Probe;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What is said where there is no driver, or one of no use. */
class DriverLibraryTest {
    private static final String PATH = "weft.cuda.path";

    /** Why the backend is absent; opening it says the same. */
    private static String reason() {
        CudaProvider provider = new CudaProvider();
        assertThat(provider.probe()).isInstanceOf(Probe.Absent.class);
        String reason = ((Probe.Absent) provider.probe()).reason();
        assertThatThrownBy(() -> provider.open(BackendConfig.DEFAULT))
                .isInstanceOf(BackendUnavailableException.class)
                .hasMessageContainingAll("backend cuda", reason);
        return reason;
    }

    private static String reasonAt(String path) {
        String before = System.getProperty(PATH);
        System.setProperty(PATH, path);
        try {
            return reason();
        } finally {
            if (before == null) {
                System.clearProperty(PATH);
            } else {
                System.setProperty(PATH, before);
            }
        }
    }

    @Test
    void aFolderWithoutTheLibrary(@TempDir Path folder) {
        assertThat(reasonAt(folder.toString()))
                .contains("no libcuda.so.1, part of NVIDIA's driver", folder.toString(), "-Dweft.cuda.path");
    }

    @Test
    void aFileThatIsNoLibrary(@TempDir Path folder) throws IOException {
        Path file = Files.writeString(folder.resolve("libcuda.so.1"), "no library");
        assertThat(reasonAt(folder.toString())).contains(file.toString());
    }

    @Test
    void aLibraryWithoutTheFunctions() {
        Path other = Path.of(System.mapLibraryName("none"));
        Path java = Path.of(System.getProperty("java.home"), "lib", System.mapLibraryName("zip"));
        assertThat(reasonAt(Files.exists(java) ? java.toString() : other.toString()))
                .contains("cuInit", java.toString());
    }

    @ParameterizedTest
    @CsvSource(delimiter = ';', textBlock = """
                    stub; 1;              cuInit returned 34; stub for linking
                    devices; 0;           CUDA_ERROR_NO_DEVICE; nvidia-smi must list
                    driver; 11040;        found a driver for CUDA 11.4; update the driver
                    fail; cuInit:1:803;   cuInit returned 803; reboot
                    fail; cuInit:1:802;   cuInit returned 802; fabric manager
                    fail; cuDriverGetVersion:1:1; cuDriverGetVersion returned 1; invalid argument
                    fail; cuDeviceGetCount:1:100; cuDeviceGetCount returned 100; nvidia-smi must list
                    """)
    void aDriverOfNoUse(String key, String value, String found, String remedy) {
        try (Emulator emulator = Emulator.start()) {
            emulator.with(key, value);
            // each probe is a call: the failure is set up anew for the reason that is looked at
            assertThat(((Probe.Absent) new CudaProvider().probe()).reason()).contains(found, remedy, "libcuda.so.1");
        }
    }

    @Test
    void theEmulatorIsNeverTheBestDevice() {
        try (Emulator emulator = Emulator.start()) {
            assertThat(new CudaProvider().probe()).isInstanceOfSatisfying(Probe.Available.class, a -> {
                assertThat(a.priority()).isLessThan(10);
                assertThat(a.version()).isEqualTo("EMULATOR of CUDA 13.0");
            });
        }
    }
}
