package dev.weft.backend.cuda;

import static dev.weft.backend.cuda.DriverConstants.*;

import dev.weft.spi.nativelib.NativeBinder;
import dev.weft.spi.nativelib.NativeLibraries;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.nio.file.Path;
import java.util.List;

/**
 * The CUDA driver's library, initialised.
 *
 * @param driver its functions; one that it lacks is noticed at its first call
 * @param library file or name it was opened by
 * @param searched what was looked at before it was found
 * @param version of the driver's interface, 13000 for CUDA 13.0
 * @param isEmulator whether software plays the devices, whose results are no measurement of anything
 * @param devices how many there are, 1 or more
 */
record DriverLibrary(
        Driver driver, String library, List<String> searched, int version, boolean isEmulator, int devices) {
    /** Name of the search; {@code -Dweft.cuda.path} names the library or its folder. */
    static final String NAME = "cuda";

    /** The oldest driver whose interface has everything the backend calls, see docs/cuda.md. */
    static final int OLDEST = 12000;

    private static final List<String> FILES = List.of("libcuda.so.1");

    /**
     * Where containers and WSL put it. The {@code compat} folders of toolkits are left out: their libraries refuse to work on
     * most devices, and who needs them has them in {@code LD_LIBRARY_PATH}.
     */
    private static final List<Path> FOLDERS = List.of(Path.of("/usr/local/nvidia/lib64"), Path.of("/usr/lib/wsl/lib"));

    /** Only the emulator exports it. */
    private static final String EMULATOR = "weftEmulatorConfigure";

    /** Outcome of {@link #open}. */
    sealed interface Result {}

    /** @param library ready for use */
    record Opened(DriverLibrary library) implements Result {}

    /** @param reason in one sentence, with the remedy */
    record Absent(String reason) implements Result {}

    /** Finds and initialises the driver. Never throws for one that is absent, broken or without devices. */
    static Result open() {
        return switch (NativeLibraries.find(MethodHandles.lookup(), NAME, FILES, FOLDERS)) {
            case NativeLibraries.Missing missing ->
                new Absent("no libcuda.so.1, part of NVIDIA's driver: " + missing.reason());
            case NativeLibraries.Found found -> {
                try {
                    yield initialise(found);
                } catch (UnsatisfiedLinkError e) {
                    yield new Absent("CUDA driver " + found.library() + ": " + e.getMessage());
                }
            }
        };
    }

    private static Result initialise(NativeLibraries.Found found) {
        Driver driver = NativeBinder.bind(MethodHandles.lookup(), Driver.class, found.symbols());
        String subject = "CUDA driver " + found.library() + ": ";
        int code = driver.cuInit(0);
        if (code != CUDA_SUCCESS) {
            return new Absent(subject + Health.describe(driver, code, "cuInit"));
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(ValueLayout.JAVA_INT);
            code = driver.cuDriverGetVersion(out);
            if (code != CUDA_SUCCESS) {
                return new Absent(subject + Health.describe(driver, code, "cuDriverGetVersion"));
            }
            int version = out.get(ValueLayout.JAVA_INT, 0);
            if (version < OLDEST) {
                return new Absent(subject + "found a driver for CUDA " + text(version) + ", expected " + text(OLDEST)
                        + " or newer; update the driver");
            }
            code = driver.cuDeviceGetCount(out);
            if (code != CUDA_SUCCESS) {
                return new Absent(subject + Health.describe(driver, code, "cuDeviceGetCount"));
            }
            int devices = out.get(ValueLayout.JAVA_INT, 0);
            if (devices == 0) {
                return new Absent(subject + "it lists no device; " + CudaErrors.remedy(CUDA_ERROR_NO_DEVICE));
            }
            boolean emulator = found.symbols().find(EMULATOR).isPresent();
            return new Opened(new DriverLibrary(driver, found.library(), found.searched(), version, emulator, devices));
        }
    }

    /** A version as people write it, {@code 13.0}. */
    static String text(int version) {
        return version / 1000 + "." + version % 1000 / 10;
    }

    /** The version as people write it. */
    String versionText() {
        return (isEmulator ? "EMULATOR of CUDA " : "CUDA ") + text(version);
    }
}
