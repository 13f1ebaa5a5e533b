package dev.weft.backend.ascend;

import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;

/**
 * Where CANN is installed. The property {@value #PROPERTY} decides alone if set; else the variables that CANN's own
 * {@code set_env.sh} exports, then its usual folders (CANN 9, CANN 8).
 */
sealed interface CannHome {
    /** System property that names the root folder. */
    String PROPERTY = "weft.ascend.home";

    /** The root folder of an installation with a {@code lib64} folder. */
    record Found(Path root) implements CannHome {}

    /** No installation. @param reason what was looked at and what to do */
    record Absent(String reason) implements CannHome {}

    /** Looks on this machine. */
    static CannHome find() {
        return find(System.getProperty(PROPERTY, "").strip(), System::getenv);
    }

    /** Looks with the given value of {@link #PROPERTY}, empty for none, and environment. */
    static CannHome find(String property, UnaryOperator<String> environment) {
        if (!property.isEmpty()) {
            return isRoot(property)
                    ? new Found(Path.of(property))
                    : new Absent("-D" + PROPERTY + "=" + property + " is no CANN installation: it has no folder lib64");
        }
        List<String> looked = new ArrayList<>();
        for (String name : List.of("ASCEND_HOME_PATH", "ASCEND_TOOLKIT_HOME")) {
            String value = environment.apply(name);
            if (value == null || value.isBlank()) {
                looked.add(name + " (not set)");
            } else if (isRoot(value)) {
                return new Found(Path.of(value));
            } else {
                looked.add(name + "=" + value + " (no folder lib64)");
            }
        }
        for (String folder : List.of("/usr/local/Ascend/cann", "/usr/local/Ascend/ascend-toolkit/latest")) {
            if (isRoot(folder)) {
                return new Found(Path.of(folder));
            }
            looked.add(folder);
        }
        return new Absent("CANN not found: looked at " + String.join(", ", looked)
                + "; source its set_env.sh before starting Java, or set -D" + PROPERTY + " to its root folder");
    }

    private static boolean isRoot(String folder) {
        try {
            return Files.isDirectory(Path.of(folder, "lib64"));
        } catch (InvalidPathException e) {
            return false;
        }
    }
}
