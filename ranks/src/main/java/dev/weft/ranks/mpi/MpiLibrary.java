package dev.weft.ranks.mpi;

import dev.weft.ranks.LaunchException;
import dev.weft.ranks.Launcher;
import dev.weft.spi.nativelib.NativeBinder;
import dev.weft.spi.nativelib.NativeLibraries;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;

/**
 * A loaded library of MPI.
 *
 * @param calls its functions
 * @param abi how it represents handles
 * @param file what was opened
 * @param version its name and version, as in {@code Open MPI 4.1.4}
 * @param namesFailedRanks whether it has the functions that say which ranks have failed
 */
record MpiLibrary(Mpi calls, MpiAbi abi, String file, String version, boolean namesFailedRanks) {
    private static final List<String> OPEN_MPI = List.of("libmpi.so.40", "libmpi.so");
    private static final List<String> MPICH = List.of("libmpich.so.12", "libmpi.so.12");

    /** {@code RTLD_NOW | RTLD_GLOBAL} of {@code dlfcn.h} on Linux. */
    private static final int NOW_GLOBAL = 0x102;

    /** {@code MPI_MAX_LIBRARY_VERSION_STRING} is 256 in Open MPI and 8192 in MPICH. */
    private static final int TEXT = 8192;

    /**
     * Opens the library that belongs to a launcher; {@code -Dweft.mpi.path=FILE-OR-FOLDER} replaces the search.
     *
     * @throws LaunchException if there is none, or one of an unknown convention
     */
    static MpiLibrary open(Launcher launcher) {
        leaveSignalsToTheJvm();
        List<String> files = files(launcher);
        return switch (NativeLibraries.find(MethodHandles.lookup(), "mpi", files, folders())) {
            case NativeLibraries.Missing missing ->
                throw new LaunchException("MPI for launcher " + launcher.title() + ": " + missing.reason()
                        + "; install it, on Debian as libopenmpi3 or libmpich12");
            case NativeLibraries.Found found -> bind(found.symbols(), found.library());
        };
    }

    private static List<String> files(Launcher launcher) {
        return switch (launcher) {
            case OPEN_MPI -> OPEN_MPI;
            case MPICH -> MPICH;
            default -> List.of(OPEN_MPI.getFirst(), MPICH.getFirst(), MPICH.getLast());
        };
    }

    private static List<Path> folders() {
        return List.of(
                Path.of("/opt/openmpi/lib"),
                Path.of("/opt/mpich/lib"),
                Path.of("/usr/lib64/openmpi/lib"),
                Path.of("/usr/lib64/mpich/lib"));
    }

    private static MpiLibrary bind(SymbolLookup symbols, String file) {
        makeGlobal(file);
        Mpi calls = NativeBinder.bind(MethodHandles.lookup(), Mpi.class, symbols);
        MpiAbi abi = MpiAbi.of(symbols, calls, file);
        boolean namesFailedRanks = symbols.find("MPIX_Comm_failure_ack").isPresent()
                && symbols.find("MPIX_Comm_failure_get_acked").isPresent();
        return new MpiLibrary(calls, abi, file, version(calls), namesFailedRanks);
    }

    /** Open MPI's plug-ins resolve their symbols against it, so it must be visible to all; the JVM opens it privately. */
    private static void makeGlobal(String file) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment handle = (MemorySegment) libc(
                            "dlopen",
                            FunctionDescriptor.of(ValueLayout.ADDRESS, ValueLayout.ADDRESS, ValueLayout.JAVA_INT))
                    .invokeExact(arena.allocateFrom(file), NOW_GLOBAL);
            if (handle.address() == 0) {
                throw new LaunchException(
                        file + ": opened once, but not a second time with its symbols visible to all");
            }
        } catch (Throwable e) {
            throw rethrown(e);
        }
    }

    /**
     * UCX, on which libraries of MPI build, takes over the signals of memory faults as soon as it is loaded. The JVM lives by
     * them: a null pointer in compiled code would end the process. What the user has set stays.
     */
    private static void leaveSignalsToTheJvm() {
        try (Arena arena = Arena.ofConfined()) {
            int code = (int) libc(
                            "setenv",
                            FunctionDescriptor.of(
                                    ValueLayout.JAVA_INT,
                                    ValueLayout.ADDRESS,
                                    ValueLayout.ADDRESS,
                                    ValueLayout.JAVA_INT))
                    .invokeExact(arena.allocateFrom("UCX_ERROR_SIGNALS"), arena.allocateFrom(""), 0);
            if (code != 0) {
                throw new LaunchException("setenv UCX_ERROR_SIGNALS: failed; set it to nothing before the start");
            }
        } catch (Throwable e) {
            throw rethrown(e);
        }
    }

    private static MethodHandle libc(String name, FunctionDescriptor type) {
        MemorySegment function = Linker.nativeLinker()
                .defaultLookup()
                .find(name)
                .orElseThrow(() -> new LaunchException(name + ": the C library has no such function; MPI needs Linux"));
        return Linker.nativeLinker().downcallHandle(function, type);
    }

    private static RuntimeException rethrown(Throwable e) {
        switch (e) {
            case RuntimeException r -> throw r;
            case Error error -> throw error;
            default -> throw new IllegalStateException(e);
        }
    }

    /** As in {@code Open MPI 4.1.4}: MPICH answers with many lines, Open MPI with more than the version. */
    private static String version(Mpi calls) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment text = arena.allocate(TEXT);
            MemorySegment length = arena.allocate(ValueLayout.JAVA_INT);
            calls.MPI_Get_library_version(text, length);
            String all = string(text, length);
            return all.lines()
                    .findFirst()
                    .map(line -> line.replaceFirst("^Open MPI v", "Open MPI ")
                            .replaceFirst("^MPICH Version:\\s*", "MPICH ")
                            .replaceFirst(",.*", "")
                            .strip())
                    .orElse("MPI");
        }
    }

    /** What an error code says. */
    String error(int code) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment text = arena.allocate(TEXT);
            MemorySegment length = arena.allocate(ValueLayout.JAVA_INT);
            calls.MPI_Error_string(code, text, length);
            return string(text, length).strip().replaceAll("\\s*\\n\\s*", "; ");
        }
    }

    private static String string(MemorySegment text, MemorySegment length) {
        int bytes = Math.clamp(length.get(ValueLayout.JAVA_INT, 0), 0, TEXT);
        return new String(text.asSlice(0, bytes).toArray(ValueLayout.JAVA_BYTE), StandardCharsets.UTF_8);
    }
}
