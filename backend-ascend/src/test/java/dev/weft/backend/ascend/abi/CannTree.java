package dev.weft.backend.ascend.abi;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/**
 * A folder laid out like an installation. Its libraries are links to libraries that this process has anyway, so that
 * functions of the C library stand for CANN's.
 */
record CannTree(Path root) {
    static final Path LIBC = mapped("libc.so");
    static final Path LIBM = mapped("libm.so");

    private static Path mapped(String name) {
        try (Stream<String> maps = Files.lines(Path.of("/proc/self/maps"))) {
            return maps.map(l -> l.substring(l.lastIndexOf(' ') + 1))
                    .filter(p -> p.startsWith("/") && p.contains("/" + name))
                    .map(Path::of)
                    .findFirst()
                    .orElseThrow(() -> new AssertionError("this process has no " + name));
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    /** Puts a library at a place under the root. */
    CannTree library(String place, Path target) {
        try {
            Path file = root.resolve(place);
            Files.createDirectories(file.getParent());
            Files.createSymbolicLink(file, target);
            return this;
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    /** Writes a text file under the root. */
    CannTree file(String place, String text) {
        try {
            Path file = root.resolve(place);
            Files.createDirectories(file.getParent());
            Files.writeString(file, text);
            return this;
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    /** Removes all links, which the deletion of temporary folders would complain about. */
    static void unlink(Path folder) {
        try (Stream<Path> walk = Files.walk(folder)) {
            for (Path link : walk.filter(Files::isSymbolicLink).toList()) {
                Files.delete(link);
            }
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    /** The installation as the property would find it. */
    CannHome home(String... vendorPaths) {
        CannHome.Result result = new CannSearch(
                        p -> p.equals(CannHome.PROPERTY) ? root.toString() : null,
                        e -> e.equals("ASCEND_CUSTOM_OPP_PATH") ? String.join(":", vendorPaths) : null)
                .run();
        assertThat(result).isInstanceOf(CannHome.Found.class);
        return ((CannHome.Found) result).home();
    }
}
