package dev.weft.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.spi.BackendConfig;
import dev.weft.spi.Backends;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Assumptions;

/** The CUDA emulator in this process, set up anew for each test. What it finds wrong is a fault. */
final class Emulator implements AutoCloseable {
    /** Folder of {@code libcuda.so.1}. */
    private static final String PATH = "weft.cuda.path";

    private static final Map<String, String> DEFAULTS = Map.of(
            "sm", "90",
            "devices", "1",
            "memory", Long.toString(1L << 30),
            "driver", "13000",
            "seed", "1",
            "delay", "0",
            "fail", "",
            "stub", "0",
            "static", "0");

    private final EmulatedLibrary library;
    private final MethodHandle bytesToHost;
    private final MethodHandle prefetched;

    private Emulator(Path file) {
        this.library = new EmulatedLibrary(file, "weftEmulator");
        this.bytesToHost = library.number("weftEmulatorBytesToHost");
        this.prefetched = library.number("weftEmulatorPrefetched");
    }

    /** Its library; the test is skipped where it was not built. */
    static Path library() {
        Path library = Path.of(System.getProperty(PATH, "-"), "libcuda.so.1");
        Assumptions.assumeTrue(
                Files.exists(library),
                () -> "the CUDA emulator was not built (" + library + " is missing); see BuildEmulator");
        return library;
    }

    /** The emulator with its default settings; the test is skipped where it was not built. */
    static Emulator start() {
        Emulator emulator = new Emulator(library());
        DEFAULTS.forEach(emulator.library::configure);
        emulator.faults();
        return emulator;
    }

    /** Changes a setting. */
    Emulator with(String key, String value) {
        library.configure(key, value);
        return this;
    }

    /** A backend on the emulator. */
    CudaBackend open() {
        return open(BackendConfig.DEFAULT);
    }

    CudaBackend open(BackendConfig config) {
        return (CudaBackend) new CudaProvider().open(config);
    }

    /** A registry with this backend alone. */
    static Backends backends() {
        return Backends.of(BackendConfig.DEFAULT, List.of(new CudaProvider()));
    }

    /** Faults since the last call, one a line; empty if there were none. */
    String faults() {
        return library.faults();
    }

    /** Bytes that streams have copied from devices to the host since the last call. */
    long bytesToHost() {
        return take(bytesToHost);
    }

    /** Bytes of the bulk prefetches of kernels since the last call. */
    long prefetched() {
        return take(prefetched);
    }

    private static long take(MethodHandle number) {
        try {
            return (long) number.invokeExact();
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    /** Restores default settings. @throws AssertionError if there were faults nobody asked for */
    @Override
    public void close() {
        DEFAULTS.forEach(library::configure);
        assertThat(faults()).as("faults that the emulator found").isEmpty();
    }
}
