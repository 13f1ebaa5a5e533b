package dev.weft.backend.cpu;

import dev.weft.natives.NativeLibrary;
import dev.weft.spi.nativelib.NativeBinder;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * An instruction-set level of the native kernels that this processor can run.
 *
 * @param library the native kernels
 * @param isa number of the level in it
 * @param name name of the level
 */
record NativeLevel(WeftLibrary library, int isa, String name) {
    /** What a native library offers here. */
    sealed interface Levels {}

    /** Levels this processor can run; never empty. */
    record Usable(List<NativeLevel> bestFirst) implements Levels {}

    /** The library cannot be used, and why. */
    record Unusable(String reason) implements Levels {}

    static Levels usable(NativeLibrary.Result result) {
        return switch (result) {
            case NativeLibrary.Absent absent -> new Unusable(absent.reason());
            case NativeLibrary.Loaded loaded -> usable(loaded);
        };
    }

    private static Levels usable(NativeLibrary.Loaded loaded) {
        try {
            WeftLibrary library = NativeBinder.bind(MethodHandles.lookup(), WeftLibrary.class, loaded.lookup());
            int version = library.abiVersion();
            if (version != WeftLibrary.ABI_VERSION) {
                return new Unusable("native kernels in " + loaded.file() + " have interface version " + version
                        + ", expected " + WeftLibrary.ABI_VERSION + "; use the library of this release");
            }
            List<NativeLevel> levels = new ArrayList<>();
            for (int isa = library.isaCount() - 1; isa >= 0; isa--) {
                if (library.isaUsable(isa) != 0) {
                    levels.add(new NativeLevel(
                            library, isa, text(library.isaName(isa)).orElseThrow()));
                }
            }
            return levels.isEmpty()
                    ? new Unusable("native kernels in " + loaded.file() + " have no level for this processor")
                    : new Usable(levels);
        } catch (LinkageError e) {
            return new Unusable("native kernels in " + loaded.file() + " cannot be called: " + e.getMessage());
        }
    }

    /** A C string, empty for a null pointer. */
    static Optional<String> text(MemorySegment string) {
        return string.address() == 0
                ? Optional.empty()
                : Optional.of(string.reinterpret(Long.MAX_VALUE).getString(0));
    }
}
