package dev.weft.natives;

import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Properties;
import org.jspecify.annotations.Nullable;

/**
 * The library as the build packed it.
 *
 * @param platform operating system and architecture
 * @param absence why there is no library, or null if there is one
 * @param name file name of the library
 * @param sha256 hash of its content in hexadecimal, taken when it was built
 * @param content reads it
 */
record Bundle(String platform, @Nullable String absence, String name, String sha256, Content content) {
    private static final String FOLDER = "/META-INF/weft/native/";

    @FunctionalInterface
    interface Content {
        byte[] read() throws IOException;
    }

    static Bundle absent(String platform, String reason) {
        return new Bundle(platform, reason, "", "", () -> new byte[0]);
    }

    static Bundle ofResources(String platform) throws IOException {
        String folder = FOLDER + platform + "/";
        Properties properties = new Properties();
        try (InputStream in = NativeLibrary.class.getResourceAsStream(folder + "native.properties")) {
            if (in == null) {
                return absent(platform, "this build of Weft has no native kernels for " + platform);
            }
            properties.load(new InputStreamReader(in, StandardCharsets.UTF_8));
        }
        if (!"built".equals(properties.getProperty("status"))) {
            return absent(platform, properties.getProperty("reason", "not built"));
        }
        String name = properties.getProperty("library", "");
        String sha256 = properties.getProperty("sha256", "");
        if (!name.matches("[A-Za-z0-9_]+\\.so") || !sha256.matches("[0-9a-f]{64}")) {
            return absent(platform, "damaged native.properties for " + platform);
        }
        return new Bundle(platform, null, name, sha256, () -> {
            try (InputStream in = NativeLibrary.class.getResourceAsStream(folder + name)) {
                if (in == null) {
                    throw new IOException(folder + name + " is missing");
                }
                return in.readAllBytes();
            }
        });
    }

    /** Returns the library in a folder below {@code root}, after making sure that it has the right content. */
    Path extractTo(Path root) throws IOException {
        Path folder = root.resolve("native").resolve(sha256.substring(0, 32));
        Path file = folder.resolve(name);
        if (Files.isRegularFile(file) && hash(Files.readAllBytes(file)).equals(sha256)) {
            return file;
        }
        byte[] bytes = content.read();
        if (!hash(bytes).equals(sha256)) {
            throw new IOException("the library inside Weft is damaged: its hash is not " + sha256);
        }
        Files.createDirectories(folder);
        Path temporary = Files.createTempFile(folder, name, ".tmp");
        try {
            Files.write(temporary, bytes);
            // Other processes see the old file or the whole new one; one that has the old open keeps it.
            Files.move(temporary, file, StandardCopyOption.ATOMIC_MOVE);
        } finally {
            Files.deleteIfExists(temporary);
        }
        if (!hash(Files.readAllBytes(file)).equals(sha256)) {
            throw new IOException(file + " did not keep its content");
        }
        return file;
    }

    static String hash(byte[] bytes) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e); // every Java has it
        }
    }
}
