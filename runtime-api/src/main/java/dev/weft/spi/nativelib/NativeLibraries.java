package dev.weft.spi.nativelib;

import java.io.File;
import java.lang.foreign.Arena;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;

/**
 * Finds shared libraries of vendors.
 *
 * <p>Folders in order: {@code java.library.path}, {@code LD_LIBRARY_PATH}, those the caller adds, the system's usual
 * ones; at last the system loader is asked by name. {@code -Dweft.<name>.path=FILE-OR-FOLDER} replaces the search.
 */
public final class NativeLibraries {
    private static final MethodType BY_FILE = MethodType.methodType(SymbolLookup.class, Path.class, Arena.class);
    private static final MethodType BY_NAME = MethodType.methodType(SymbolLookup.class, String.class, Arena.class);

    private final MethodHandles.Lookup caller;
    private final String name;
    private final List<String> searched = new ArrayList<>();

    private NativeLibraries(MethodHandles.Lookup caller, String name) {
        this.caller = caller;
        this.name = name;
    }

    /** Outcome of a search. */
    public sealed interface Result {}

    /**
     * The library is open for the rest of the program.
     *
     * @param symbols its functions
     * @param library file or name that was opened
     * @param searched what was tried before it, as in {@link Missing}
     */
    public record Found(SymbolLookup symbols, String library, List<String> searched) implements Result {
        public Found {
            searched = List.copyOf(searched);
        }
    }

    /**
     * No file could be opened.
     *
     * @param name name of the search
     * @param searched folders without the file, and files that did not open with the reason
     */
    public record Missing(String name, List<String> searched) implements Result {
        public Missing {
            searched = List.copyOf(searched);
        }

        /** One sentence for probe messages. */
        public String reason() {
            return name + " not found: searched " + String.join(", ", searched) + "; set -Dweft." + name
                    + ".path to the file or its folder";
        }
    }

    /**
     * Opens the first library found.
     *
     * @param caller whose module needs native access
     * @param name short name, as in the property {@code weft.<name>.path}
     * @param files file names in order of preference, as in {@code libcudart.so.12}
     * @param folders where the vendor installs it
     */
    public static Result find(MethodHandles.Lookup caller, String name, List<String> files, List<Path> folders) {
        NativeLibraries search = new NativeLibraries(caller, name);
        String given = System.getProperty("weft." + name + ".path", "").strip();
        if (!given.isEmpty()) {
            return search.inPlace(given, files);
        }
        Set<Path> all = new LinkedHashSet<>(paths(System.getProperty("java.library.path")));
        all.addAll(paths(System.getenv("LD_LIBRARY_PATH")));
        all.addAll(folders);
        all.addAll(usual());
        for (Path folder : all) {
            if (search.inFolder(folder, files) instanceof Found found) {
                return found;
            }
        }
        return search.byName(files);
    }

    private static List<Path> paths(String list) {
        return list == null
                ? List.of()
                : Arrays.stream(list.split(File.pathSeparator))
                        .filter(p -> !p.isBlank())
                        .map(Path::of)
                        .toList();
    }

    private static List<Path> usual() {
        String arch = System.getProperty("os.arch", "").toLowerCase(Locale.ROOT).replace("amd64", "x86_64");
        String multiarch = arch + "-linux-gnu";
        return List.of(
                Path.of("/usr/local/lib"),
                Path.of("/usr/lib", multiarch),
                Path.of("/lib", multiarch),
                Path.of("/usr/lib64"),
                Path.of("/usr/lib"));
    }

    private Result inPlace(String given, List<String> files) {
        try {
            Path path = Path.of(given).toAbsolutePath();
            return Files.isDirectory(path) ? inFolder(path, files) : open(path);
        } catch (InvalidPathException e) {
            searched.add("'" + given + "' (not a file name)");
            return new Missing(name, searched);
        }
    }

    private Result inFolder(Path folder, List<String> files) {
        boolean any = false;
        for (String file : files) {
            Path path = folder.resolve(file);
            if (Files.exists(path)) {
                any = true;
                if (open(path) instanceof Found found) {
                    return found;
                }
            }
        }
        if (!any) {
            searched.add(folder.toString());
        }
        return new Missing(name, searched);
    }

    private Result byName(List<String> files) {
        for (String file : files) {
            try {
                return new Found(lookup(BY_NAME, file), file, searched);
            } catch (RuntimeException | LinkageError e) {
                searched.add("system loader: " + e.getMessage());
            }
        }
        return new Missing(name, searched);
    }

    private Result open(Path file) {
        try {
            return new Found(lookup(BY_FILE, file.toAbsolutePath()), file.toString(), searched);
        } catch (RuntimeException | LinkageError e) {
            searched.add(file + " (" + e.getMessage() + ")");
            return new Missing(name, searched);
        }
    }

    /** {@code libraryLookup} looks at its caller; found through the user's lookup that is a class of their module. */
    private SymbolLookup lookup(MethodType type, Object library) {
        try {
            MethodHandle open = caller.findStatic(SymbolLookup.class, "libraryLookup", type);
            return (SymbolLookup) open.invoke(library, Arena.global());
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }
}
