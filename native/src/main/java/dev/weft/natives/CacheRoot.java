package dev.weft.natives;

import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.nio.file.attribute.UserPrincipal;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Properties;
import org.jspecify.annotations.Nullable;

/**
 * A folder that may hold extracted libraries.
 *
 * @param path the folder
 * @param shared whether others can write beside it, so that somebody else could have put it there
 */
record CacheRoot(Path path, boolean shared) {

    /** The folders to try, best first. */
    static List<CacheRoot> candidates(Properties system, Map<String, String> environment) {
        List<CacheRoot> roots = new ArrayList<>();
        add(roots, false, system.getProperty("weft.cache.dir"));
        add(roots, false, environment.get("WEFT_CACHE_DIR"));
        String xdg = environment.get("XDG_CACHE_HOME");
        if (xdg != null && xdg.startsWith("/")) {
            add(roots, false, xdg, "weft");
        } else {
            add(roots, false, system.getProperty("user.home"), ".cache", "weft");
        }
        String user = system.getProperty("user.name", "").replaceAll("[^A-Za-z0-9._-]", "_");
        add(roots, true, system.getProperty("java.io.tmpdir"), "weft-" + user);
        return List.copyOf(roots);
    }

    private static void add(List<CacheRoot> roots, boolean shared, @Nullable String first, String... more) {
        if (first != null && !first.isBlank()) {
            roots.add(new CacheRoot(Path.of(first, more).toAbsolutePath(), shared));
        }
    }

    /** Creates the folder if need be and returns it; in a shared place refuses one that somebody else could change. */
    Path prepare() throws IOException {
        if (!shared) {
            return Files.createDirectories(path);
        }
        try {
            Files.createDirectory(
                    path, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
        } catch (FileAlreadyExistsException e) {
            PosixFileAttributes found =
                    Files.readAttributes(path, PosixFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
            if (!found.isDirectory()) {
                throw new IOException(path + " is not a folder", e);
            }
            if (!found.owner().equals(currentUser(Objects.requireNonNull(path.getParent())))) {
                throw new IOException(path + " belongs to somebody else: " + found.owner(), e);
            }
            if (found.permissions().contains(PosixFilePermission.GROUP_WRITE)
                    || found.permissions().contains(PosixFilePermission.OTHERS_WRITE)) {
                throw new IOException(path + " can be written by others", e);
            }
        }
        return path;
    }

    /** The owner of a file that we make: right even where user.name is not, as in many containers. */
    private static UserPrincipal currentUser(Path folder) throws IOException {
        Path probe = Files.createTempFile(folder, "weft", ".tmp");
        try {
            return Files.getOwner(probe);
        } finally {
            Files.delete(probe);
        }
    }
}
