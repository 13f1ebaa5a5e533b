package dev.weft.text;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;

/** Finds data that does not lie in the repository; tests that need it are skipped where it is absent. */
public final class SharedData {
    private SharedData() {}

    /** A folder of the golden data: below the system property {@code weft.golden}, else below shared/golden. */
    public static Path golden(String name) {
        String property = System.getProperty("weft.golden");
        return existing(property == null ? upwards("golden").resolve(name) : Path.of(property, name));
    }

    /** The folder of the demo model: system property {@code weft.demo}, else shared/demo-model. */
    public static Path demoModel() {
        String property = System.getProperty("weft.demo");
        return existing(property == null ? upwards("demo-model") : Path.of(property));
    }

    private static Path upwards(String name) {
        Path start = Path.of("").toAbsolutePath();
        for (Path folder = start; folder != null; folder = folder.getParent()) {
            Path shared = folder.resolve("shared").resolve(name);
            if (Files.isDirectory(shared)) {
                return shared;
            }
        }
        return start.resolve("shared").resolve(name);
    }

    private static Path existing(Path folder) {
        assumeTrue(Files.isDirectory(folder), () -> "skipped: no data at " + folder);
        return folder;
    }
}
