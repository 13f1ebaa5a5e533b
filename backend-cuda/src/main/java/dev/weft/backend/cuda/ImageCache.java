package dev.weft.backend.cuda;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Optional;
import java.util.UUID;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Images that were compiled on this machine, one file each, with a hash in front: a file that was damaged or half written is
 * as good as none. Processes may share the folder. A folder that cannot be written costs another compilation, no more.
 *
 * @param folder where they are, empty for nowhere
 */
record ImageCache(Optional<Path> folder) {
    private static final Logger LOG = LoggerFactory.getLogger(ImageCache.class);
    private static final int HASH_BYTES = 32;

    /**
     * The cache that is set.
     *
     * @param setting a folder; {@code off} for none; empty for {@code weft/cuda} in the user's cache folder
     */
    static ImageCache of(String setting) {
        if (setting.equals("off")) {
            return new ImageCache(Optional.empty());
        }
        if (!setting.isEmpty()) {
            return new ImageCache(Optional.of(Path.of(setting)));
        }
        String caches = System.getenv("XDG_CACHE_HOME");
        Path home = caches == null || caches.isEmpty()
                ? Path.of(System.getProperty("user.home", "."), ".cache")
                : Path.of(caches);
        return new ImageCache(Optional.of(home.resolve("weft").resolve("cuda")));
    }

    private static byte[] hash(byte[] bytes) {
        try {
            return MessageDigest.getInstance("SHA-256").digest(bytes);
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }

    /** Where an image is. @param key all that it depends on */
    Optional<Path> file(String module, String key) {
        String name = HexFormat.of().formatHex(hash(key.getBytes(StandardCharsets.UTF_8)));
        return folder.map(f -> f.resolve(module + "." + name + ".cubin"));
    }

    /** An image; empty if there is none or it is damaged. */
    Optional<byte[]> read(String module, String key) {
        Path file = file(module, key).orElse(null);
        if (file == null) {
            return Optional.empty();
        }
        try {
            byte[] bytes = Files.readAllBytes(file);
            if (bytes.length > HASH_BYTES) {
                byte[] image = Arrays.copyOfRange(bytes, HASH_BYTES, bytes.length);
                if (Arrays.equals(hash(image), Arrays.copyOf(bytes, HASH_BYTES))) {
                    return Optional.of(image);
                }
            }
            LOG.warn("{}: damaged, is compiled again", file);
        } catch (NoSuchFileException e) {
            // not yet compiled
        } catch (IOException e) {
            LOG.warn("{}: cannot be read, is compiled again: {}", file, e.toString());
        }
        return Optional.empty();
    }

    /** Keeps an image: under a name of its own first, so that nobody sees half of it. */
    void write(String module, String key, byte[] image) {
        Path file = file(module, key).orElse(null);
        if (file == null) {
            return;
        }
        try {
            Files.createDirectories(file.toAbsolutePath().getParent());
            // a temporary file would be for this user's eyes only
            Path part = file.resolveSibling(file.getFileName() + "." + UUID.randomUUID() + ".part");
            try {
                try (FileChannel out =
                        FileChannel.open(part, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
                    for (ByteBuffer bytes : new ByteBuffer[] {ByteBuffer.wrap(hash(image)), ByteBuffer.wrap(image)}) {
                        while (bytes.hasRemaining()) {
                            out.write(bytes);
                        }
                    }
                    out.force(true);
                }
                Files.move(part, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            } finally {
                Files.deleteIfExists(part);
            }
        } catch (IOException e) {
            LOG.warn("{}: cannot be kept, is compiled again next time: {}", file, e.toString());
        }
    }
}
