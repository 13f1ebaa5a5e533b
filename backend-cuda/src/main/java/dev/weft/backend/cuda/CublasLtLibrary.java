package dev.weft.backend.cuda;

import dev.weft.spi.nativelib.NativeBinder;
import dev.weft.spi.nativelib.NativeLibraries;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.nio.file.Path;
import java.util.List;

/**
 * NVIDIA's library of matrix products, found and bound.
 *
 * @param functions its functions
 * @param library file or name it was opened by
 * @param version 130101 for 13.1.1
 * @param isEmulator whether it belongs to the emulated driver
 */
record CublasLtLibrary(CublasLt functions, String library, long version, boolean isEmulator) {
    /** Name of the search; {@code -Dweft.cublaslt.path} names the library or its folder. */
    static final String NAME = "cublaslt";

    private static final long OLDEST = 120_000;

    /** The first version that multiplies with a scale for each 1 x 128 and 128 x 128 block. */
    private static final long FIRST_WITH_BLOCK_SCALES = 120_900;

    /** Only the emulator's exports it. */
    private static final String EMULATOR = "weftCublasLtConfigure";

    /** Outcome of {@link #open}. */
    sealed interface Result {}

    /** @param library ready for use */
    record Opened(CublasLtLibrary library) implements Result {}

    /** @param reason in one sentence, with the remedy */
    record Absent(String reason) implements Result {}

    /** Finds a library that a driver of this version carries. Never throws for one that is absent or of no use. */
    static Result open(DriverLibrary driver, List<Path> folders) {
        List<String> files = driver.version() >= 13000
                ? List.of("libcublasLt.so.13", "libcublasLt.so.12")
                : List.of("libcublasLt.so.12");
        return switch (NativeLibraries.find(MethodHandles.lookup(), NAME, files, folders)) {
            case NativeLibraries.Missing missing ->
                new Absent("no " + files.getFirst()
                        + ", part of NVIDIA's toolkit and of the Python package nvidia-cublas: " + missing.reason());
            case NativeLibraries.Found found -> {
                try {
                    yield bind(found, driver);
                } catch (UnsatisfiedLinkError e) {
                    yield new Absent("cuBLASLt " + found.library() + ": " + e.getMessage());
                }
            }
        };
    }

    private static Result bind(NativeLibraries.Found found, DriverLibrary driver) {
        CublasLt functions = NativeBinder.bind(MethodHandles.lookup(), CublasLt.class, found.symbols());
        boolean emulator = found.symbols().find(EMULATOR).isPresent();
        CublasLtLibrary library =
                new CublasLtLibrary(functions, found.library(), functions.cublasLtGetVersion(), emulator);
        if (library.version < OLDEST || library.version / 10000 > driver.version() / 1000) {
            return new Absent("cuBLASLt " + found.library() + ": found version " + text(library.version)
                    + ", expected 12.0 or newer and no newer than the driver, which is for CUDA "
                    + DriverLibrary.text(driver.version()) + "; set -Dweft.cublaslt.path to another one");
        }
        if (emulator != driver.isEmulator()) {
            return new Absent(library.versionText() + " " + found.library()
                    + ": does not belong to this driver; set -Dweft.cublaslt.path to another one");
        }
        return new Opened(library);
    }

    /** Why a chip has no FP8 products with scales of blocks by this library, empty if it has. @param sm of the chip */
    String lackOfBlockScales(int sm) {
        if (sm != 90) {
            return "compute capability " + sm / 10.0 + ": it has block scales of 128 for 9.0 alone";
        }
        return version < FIRST_WITH_BLOCK_SCALES
                ? "version " + text(version) + ": block scales of 128 came with " + text(FIRST_WITH_BLOCK_SCALES)
                : "";
    }

    private static String text(long version) {
        return version / 10000 + "." + version % 10000 / 100 + "." + version % 100;
    }

    /** The version as people write it. */
    String versionText() {
        return (isEmulator ? "EMULATOR of cuBLASLt " : "cuBLASLt ") + text(version);
    }

    /** A status with the library's own words. */
    String describe(String call, int status) {
        return call + " returned " + status + " (" + words(functions.cublasLtGetStatusName(status)) + ": "
                + words(functions.cublasLtGetStatusString(status)) + ")";
    }

    private static String words(MemorySegment text) {
        return text.address() == 0
                ? "unknown"
                : text.reinterpret(Short.MAX_VALUE).getString(0);
    }
}
