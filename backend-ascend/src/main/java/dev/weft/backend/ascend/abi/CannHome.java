package dev.weft.backend.ascend.abi;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * An installation of CANN: where its libraries and headers are and of which family it is. Nothing is loaded.
 *
 * @param root as given or found
 * @param origin what named the root, as in {@code ASCEND_HOME_PATH}
 * @param family form of its operator libraries
 * @param libraryFolders existing folders with libraries, in order; never one of link-only stubs
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

    private static final String VENDOR_PATHS = "ASCEND_CUSTOM_OPP_PATH";
    private static final List<String> RUNTIME = List.of("libacl_rt.so", "libascendcl.so");
    private static final List<String> INCLUDES = List.of("acl", "aclnn", "aclnnop", "hccl", "hcomm");
    private static final String OPERATORS_OF_CANN_8 = "opp/built-in/op_impl/ai_core/tbe/op_api";

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
        return locate(System::getProperty, System::getenv);
    }

    /** As {@link #locate()} with other properties and environment; both answer {@code null} for what is not set. */
    static Result locate(UnaryOperator<@Nullable String> property, UnaryOperator<@Nullable String> environment) {
        String given = property.apply(PROPERTY);
        Map<String, String> candidates = new LinkedHashMap<>();
        if (given != null && !given.isBlank()) {
            candidates.put("-D" + PROPERTY, given); // an explicit choice is not replaced by another installation
        } else {
            for (String name : List.of("ASCEND_HOME_PATH", "ASCEND_TOOLKIT_HOME")) {
                String value = environment.apply(name);
                if (value != null && !value.isBlank()) {
                    candidates.put(name, value);
                }
            }
            candidates.put("usual folder", "/usr/local/Ascend/cann");
            candidates.put("usual folder of CANN 8", "/usr/local/Ascend/ascend-toolkit/latest");
        }
        List<String> searched = new ArrayList<>();
        for (Map.Entry<String, String> candidate : candidates.entrySet()) {
            Result result = at(candidate.getKey(), candidate.getValue(), environment.apply(VENDOR_PATHS));
            if (result instanceof Found) {
                return result;
            }
            searched.add(((Absent) result).reason());
        }
        return new Absent("CANN not found: " + String.join("; ", searched) + "; install it and source its set_env.sh,"
                + " or set -D" + PROPERTY + " to the folder with lib64 and include");
    }

    private static Result at(String origin, String text, @Nullable String vendorPaths) {
        String subject = origin + " " + text;
        Path root;
        try {
            root = Path.of(text.strip()).toAbsolutePath();
        } catch (InvalidPathException e) {
            return new Absent(subject + " is not a path");
        }
        if (!Files.isDirectory(root)) {
            return new Absent(subject + " is not a folder");
        }
        List<Path> libraries = libraryFolders(root);
        if (library(libraries, RUNTIME).isEmpty()) {
            return new Absent(subject + " has no " + String.join(" or ", RUNTIME) + " outside stub folders");
        }
        CannFamily family =
                library(libraries, CannFamily.CANN_9.operatorLibraries()).isPresent()
                        ? CannFamily.CANN_9
                        : CannFamily.CANN_8;
        return new Found(new CannHome(
                root,
                origin,
                family,
                libraries,
                includeFolders(root),
                version(root),
                vendors(root, vendorPaths == null ? "" : vendorPaths)));
    }

    /** The file of a library, empty if the installation has none outside stub folders. */
    public Optional<Path> library(String file) {
        return library(libraryFolders, List.of(file));
    }

    private static Optional<Path> library(List<Path> folders, List<String> files) {
        return files.stream()
                .flatMap(file -> folders.stream().map(folder -> folder.resolve(file)))
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
            if (part.toString().equals("stub")
                    || part.toString().equals("stubs")
                    || part.toString().equals("devlib")) {
                return true;
            }
        }
        return false;
    }

    private static List<Path> libraryFolders(Path root) {
        String arch = arch();
        return Stream.of(
                        "lib64",
                        arch + "-linux/lib64",
                        "runtime/lib64",
                        "fwkacllib/lib64",
                        "hccl/lib64",
                        "opp/lib64",
                        OPERATORS_OF_CANN_8 + "/lib/linux/" + arch)
                .map(root::resolve)
                .filter(Files::isDirectory)
                .toList();
    }

    private static List<Path> includeFolders(Path root) {
        Set<Path> folders = new LinkedHashSet<>();
        for (String base : List.of("include", arch() + "-linux/include", OPERATORS_OF_CANN_8 + "/include")) {
            for (String name : INCLUDES) {
                folders.add(root.resolve(base).resolve(name));
            }
        }
        return folders.stream().filter(Files::isDirectory).toList();
    }

    private static String arch() {
        String arch = System.getProperty("os.arch", "").toLowerCase(Locale.ROOT);
        return arch.equals("amd64") ? "x86_64" : arch;
    }

    /** Version from the files of the installer, else from the folder's name after links. */
    private static Optional<CannVersion> version(Path root) {
        String arch = arch();
        for (String file : List.of(
                arch + "-linux/ascend_toolkit_install.info",
                arch + "-linux/ascend_nnrt_install.info",
                "ascend_toolkit_install.info",
                "version.info",
                "version.cfg")) {
            Optional<CannVersion> found = versionLine(root.resolve(file));
            if (found.isPresent()) {
                return found;
            }
        }
        try {
            return CannVersion.find(String.valueOf(root.toRealPath().getFileName()));
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    private static Optional<CannVersion> versionLine(Path file) {
        if (!Files.isRegularFile(file)) {
            return Optional.empty();
        }
        try (Stream<String> lines = Files.lines(file, StandardCharsets.ISO_8859_1)) {
            return lines.filter(l -> l.toLowerCase(Locale.ROOT).matches("\\s*(\\w*_)?version\\s*=.*"))
                    .flatMap(l -> CannVersion.find(l).stream())
                    .findFirst();
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    /** Packages of {@code ASCEND_CUSTOM_OPP_PATH} in its order, then those inside the installation by name. */
    private static List<Vendor> vendors(Path root, String paths) {
        Set<Path> packages = new LinkedHashSet<>();
        for (String path : paths.split(File.pathSeparator)) {
            if (!path.isBlank()) {
                packages.add(Path.of(path.strip()).toAbsolutePath());
            }
        }
        Path installed = root.resolve("opp/vendors");
        if (Files.isDirectory(installed)) {
            try (DirectoryStream<Path> entries = Files.newDirectoryStream(installed)) {
                List<Path> sorted = new ArrayList<>();
                entries.forEach(sorted::add);
                sorted.stream().sorted().forEach(packages::add);
            } catch (IOException e) {
                // an unreadable folder of vendors is as good as none
            }
        }
        return packages.stream()
                .map(p -> new Vendor(
                        String.valueOf(p.getFileName()),
                        p.resolve("op_api/lib").resolve(AbiFunction.VENDOR_LIBRARY),
                        p.resolve("op_api/include")))
                .filter(v -> Files.exists(v.library()) && !isStub(v.library()))
                .toList();
    }
}
