package dev.weft.backend.ascend.abi;

import java.io.File;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Looks for an installation of CANN: the property decides alone if set; else the variables that CANN's own
 * {@code set_env.sh} exports, then its usual folders.
 */
final class CannSearch {
    private static final String VENDOR_PATHS = "ASCEND_CUSTOM_OPP_PATH";
    private static final List<String> VARIABLES = List.of("ASCEND_HOME_PATH", "ASCEND_TOOLKIT_HOME");
    private static final List<String> FOLDERS =
            List.of("/usr/local/Ascend/cann", "/usr/local/Ascend/ascend-toolkit/latest");

    private static final List<String> RUNTIME = List.of("libacl_rt.so", "libascendcl.so");
    private static final List<String> INCLUDES = List.of("acl", "aclnn", "aclnnop", "hccl", "hcomm");
    private static final String OPERATORS_OF_CANN_8 = "opp/built-in/op_impl/ai_core/tbe/op_api";

    private final UnaryOperator<@Nullable String> property;
    private final UnaryOperator<@Nullable String> environment;
    private final List<String> searched = new ArrayList<>();

    /** With the given properties and environment; both answer {@code null} for what is not set. */
    CannSearch(UnaryOperator<@Nullable String> property, UnaryOperator<@Nullable String> environment) {
        this.property = property;
        this.environment = environment;
    }

    CannHome.Result run() {
        String given = property.apply(CannHome.PROPERTY);
        Optional<CannHome> found = given == null || given.isBlank()
                ? usual()
                // an explicit choice is not replaced by another installation
                : at("-D" + CannHome.PROPERTY, given);
        return found.<CannHome.Result>map(CannHome.Found::new)
                .orElseGet(() -> new CannHome.Absent("CANN not found: " + String.join("; ", searched)
                        + "; source its set_env.sh before starting Java, or set -D" + CannHome.PROPERTY
                        + " to the folder with its lib64 and include"));
    }

    private Optional<CannHome> usual() {
        for (String name : VARIABLES) {
            String value = environment.apply(name);
            if (value == null || value.isBlank()) {
                searched.add(name + " is not set");
                continue;
            }
            Optional<CannHome> home = at(name, value);
            if (home.isPresent()) {
                return home;
            }
        }
        return FOLDERS.stream().flatMap(folder -> at("folder", folder).stream()).findFirst();
    }

    private Optional<CannHome> at(String origin, String text) {
        String subject = origin + " " + text;
        Path root;
        try {
            root = Path.of(text.strip()).toAbsolutePath();
        } catch (InvalidPathException e) {
            return none(subject + " is not a path");
        }
        if (!Files.isDirectory(root)) {
            return none(subject + " is not a folder");
        }
        List<Path> libraries = libraryFolders(root);
        if (!hasAny(libraries, RUNTIME)) {
            return none(subject + " has no " + String.join(" or ", RUNTIME) + " outside stub folders");
        }
        boolean split = hasAny(libraries, CannFamily.CANN_9.operatorLibraries());
        return Optional.of(new CannHome(
                root,
                origin,
                split ? CannFamily.CANN_9 : CannFamily.CANN_8,
                libraries,
                includeFolders(root),
                CannVersion.installed(root, arch()),
                vendors(root)));
    }

    private Optional<CannHome> none(String reason) {
        searched.add(reason);
        return Optional.empty();
    }

    private static boolean hasAny(List<Path> folders, List<String> files) {
        return files.stream().anyMatch(f -> CannHome.library(folders, f).isPresent());
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
        List<Path> folders = new ArrayList<>();
        for (String base : List.of("include", arch() + "-linux/include", OPERATORS_OF_CANN_8 + "/include")) {
            for (String name : INCLUDES) {
                folders.add(root.resolve(base).resolve(name));
            }
        }
        return folders.stream().filter(Files::isDirectory).toList();
    }

    /** This machine as CANN's folders name it. */
    private static String arch() {
        String arch = System.getProperty("os.arch", "").toLowerCase(Locale.ROOT);
        return arch.equals("amd64") ? "x86_64" : arch;
    }

    /** Packages of {@code ASCEND_CUSTOM_OPP_PATH} in its order, then those inside the installation by name. */
    private List<CannHome.Vendor> vendors(Path root) {
        Set<Path> packages = new LinkedHashSet<>();
        String paths = environment.apply(VENDOR_PATHS);
        for (String path : paths == null ? new String[0] : paths.split(File.pathSeparator)) {
            if (!path.isBlank()) {
                packages.add(Path.of(path.strip()).toAbsolutePath());
            }
        }
        packages.addAll(subfolders(root.resolve("opp/vendors")));
        return packages.stream()
                .map(p -> new CannHome.Vendor(
                        String.valueOf(p.getFileName()),
                        p.resolve("op_api/lib").resolve(AbiFunction.VENDOR_LIBRARY),
                        p.resolve("op_api/include")))
                .filter(v -> Files.exists(v.library()) && !CannHome.isStub(v.library()))
                .toList();
    }

    /** Sorted; none for a folder that is absent or unreadable. */
    private static List<Path> subfolders(Path folder) {
        List<Path> entries = new ArrayList<>();
        try (DirectoryStream<Path> stream = Files.newDirectoryStream(folder)) {
            stream.forEach(entries::add);
        } catch (IOException e) {
            return List.of();
        }
        return entries.stream().sorted().toList();
    }
}
