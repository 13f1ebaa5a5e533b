package dev.weft.natives;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.SymbolLookup;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.StringJoiner;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Finds and opens the library of native CPU kernels.
 *
 * <p>{@code -Dweft.native.library=FILE} opens that file and no other, {@code -Dweft.native.library=none} none at all.
 * Without it the library inside this jar is copied to a cache folder named after its content and opened there. Folders
 * tried, in order: {@code -Dweft.cache.dir}, {@code WEFT_CACHE_DIR}, {@code $XDG_CACHE_HOME/weft} or
 * {@code ~/.cache/weft}, and one below {@code java.io.tmpdir} that belongs to this user alone.
 *
 * <p>A library that is missing, damaged or refused by the system never stops the program: the result says why.
 */
public final class NativeLibrary {
    /** The system property that names a library file, or {@code none}. */
    public static final String OVERRIDE = "weft.native.library";

    private static final Logger LOG = LoggerFactory.getLogger(NativeLibrary.class);

    private NativeLibrary() {}

    /** What {@link #load()} found. */
    public sealed interface Result {}

    /**
     * The library is open for the rest of the program.
     *
     * @param lookup finds its functions
     * @param file the file that was opened
     * @param platform operating system and architecture, {@code linux-x86_64} or {@code linux-arm64}
     */
    public record Loaded(SymbolLookup lookup, Path file, String platform) implements Result {}

    /**
     * There is no usable library.
     *
     * @param reason one sentence for a person: what was tried and what to do
     */
    public record Absent(String reason) implements Result {}

    /** Opens the library on first use; later calls return the same result. */
    public static Result load() {
        return Cached.RESULT;
    }

    private static final class Cached {
        static final Result RESULT = find();

        private static Result find() {
            String platform = platform(System.getProperty("os.name", ""), System.getProperty("os.arch", ""));
            try {
                Result result = load(
                        System.getProperty(OVERRIDE),
                        Bundle.ofResources(platform),
                        CacheRoot.candidates(System.getProperties(), System.getenv()),
                        Cached::open);
                LOG.debug("native kernels: {}", result);
                return result;
            } catch (IOException | RuntimeException | LinkageError e) {
                LOG.debug("native kernels failed", e);
                return new Absent("cannot load the native kernels for " + platform + ": " + e);
            }
        }

        // IllegalCallerException, a RuntimeException, means that native access is denied to this module.
        private static SymbolLookup open(Path file) {
            return SymbolLookup.libraryLookup(file, Arena.global());
        }
    }

    /** Opens a library file; a test can put something else in its place. */
    @FunctionalInterface
    interface Opener {
        SymbolLookup open(Path file) throws IOException;
    }

    static Result load(@Nullable String override, Bundle bundle, List<CacheRoot> roots, Opener opener) {
        if (override != null && !override.isBlank()) {
            return loadOverride(override.strip(), bundle.platform(), opener);
        }
        if (bundle.absence() != null) {
            return new Absent(bundle.absence());
        }
        List<String> failures = new ArrayList<>();
        for (CacheRoot root : roots) {
            try {
                Path file = bundle.extractTo(root.prepare());
                return new Loaded(opener.open(file), file, bundle.platform());
            } catch (IOException | RuntimeException | LinkageError e) {
                LOG.debug("native kernels not usable from {}", root.path(), e);
                failures.add(root.path() + ": " + e);
            }
        }
        StringJoiner reason =
                new StringJoiner("; ", "the native kernels for " + bundle.platform() + " could not be opened (", ")");
        failures.forEach(reason::add);
        return new Absent(reason + "; set -Dweft.cache.dir to a writable folder and allow native access with"
                + " --enable-native-access=ALL-UNNAMED (class path) or =dev.weft.natives (module path)");
    }

    private static Result loadOverride(String override, String platform, Opener opener) {
        String given = "-D" + OVERRIDE + "=" + override;
        if (override.equals("none")) {
            return new Absent("switched off by " + given);
        }
        try {
            Path file = Path.of(override).toAbsolutePath();
            if (!Files.isRegularFile(file)) {
                return new Absent("no such file: " + file + " (given by " + given + ")");
            }
            return new Loaded(opener.open(file), file, platform);
        } catch (InvalidPathException e) {
            return new Absent("not a file name: " + given);
        } catch (IOException | RuntimeException | LinkageError e) {
            return new Absent("cannot open the library given by " + given + ": " + e);
        }
    }

    /** Spelled as the build program spells it. */
    static String platform(String osName, String osArch) {
        String arch = Map.of("amd64", "x86_64", "x86_64", "x86_64", "aarch64", "arm64", "arm64", "arm64")
                .getOrDefault(osArch, osArch);
        String os = osName.toLowerCase(Locale.ROOT).replace(" ", "");
        return os + "-" + arch;
    }
}
