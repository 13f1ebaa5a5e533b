package dev.weft.backend.ascend.abi;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * An installation of CANN: where its libraries and headers are and of which family it is. Nothing is loaded.
 *
 * @param root as given or found
 * @param origin what named the root, as in {@code ASCEND_HOME_PATH}
 * @param family form of its operator libraries
 * @param libraryFolders existing folders with libraries, in order
 * @param includeFolders existing folders with headers of the C interface
 * @param version from the installation's own files, empty if none tells
 * @param vendors packages of further operators, first the most preferred
 */
public record CannHome(
        Path root,
        String origin,
        CannFamily family,
        List<Path> libraryFolders,
        List<Path> includeFolders,
        Optional<CannVersion> version,
        List<Vendor> vendors) {
    /** System property that names the root. */
    public static final String PROPERTY = "weft.ascend.home";

    private static final Set<String> STUB_FOLDERS = Set.of("stub", "stubs", "devlib");

    public CannHome {
        libraryFolders = List.copyOf(libraryFolders);
        includeFolders = List.copyOf(includeFolders);
        vendors = List.copyOf(vendors);
    }

    /**
     * A package of operators that is built apart from CANN.
     *
     * @param name its folder's name, as in {@code custom_transformer}
     * @param library its operator library
     * @param includeFolder its headers; may be absent
     */
    public record Vendor(String name, Path library, Path includeFolder) {}

    /** Outcome of a search. */
    public sealed interface Result {}

    /** An installation. */
    public record Found(CannHome home) implements Result {}

    /** None; {@code reason} says where was looked and what to set. */
    public record Absent(String reason) implements Result {}

    /** Searches as the system property, the environment and the usual folders say. */
    public static Result locate() {
        return new CannSearch(System::getProperty, System::getenv).run();
    }

    /** The file of a library, empty if the installation has none that can be loaded. */
    public Optional<Path> library(String file) {
        return library(libraryFolders, file);
    }

    static Optional<Path> library(List<Path> folders, String file) {
        return folders.stream()
                .map(folder -> folder.resolve(file))
                .filter(path -> Files.exists(path) && !isStub(path))
                .findFirst();
    }

    /**
     * Whether a library is one of the link-only stubs, which load and then fail every call with 100039. Links are
     * followed, since installations may link a stub into the library folder.
     */
    static boolean isStub(Path library) {
        Path real;
        try {
            real = library.toRealPath();
        } catch (IOException e) {
            real = library;
        }
        for (Path part : real) {
            if (STUB_FOLDERS.contains(part.toString())) {
                return true;
            }
        }
        return false;
    }
}
