package dev.weft.backend.cuda;

import dev.weft.UnsupportedOpException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * The texts of the kernels ({@code native/cuda}), as they lie in this library: for NVRTC, and to know whether images were made
 * from them.
 *
 * @param files texts by name, {@code kernels/norm.cu} and {@code include/weft/cuda/call.cuh}
 * @param hash of names and texts, SHA-256 in hexadecimal digits
 */
record KernelSources(Map<String, String> files, String hash) {
    private static final String RESOURCES = "/META-INF/weft/cuda/source/";
    private static final String HEADERS = "include/";

    /** Read once. */
    private static final class OfThisLibrary {
        private static final Optional<KernelSources> SOURCES = readAll();
    }

    /** Those of this library; empty if it was built without. */
    static Optional<KernelSources> load() {
        return OfThisLibrary.SOURCES;
    }

    private static Optional<KernelSources> readAll() {
        Optional<String> index = read("index");
        Optional<String> hash = read("hash");
        if (index.isEmpty() || hash.isEmpty()) {
            return Optional.empty();
        }
        Map<String, String> files = new LinkedHashMap<>();
        index.get().lines().forEach(name -> files.put(name, read(name).orElseThrow()));
        return Optional.of(new KernelSources(files, hash.get()));
    }

    private static Optional<String> read(String name) {
        try (InputStream in = KernelSources.class.getResourceAsStream(RESOURCES + name)) {
            return in == null ? Optional.empty() : Optional.of(new String(in.readAllBytes(), StandardCharsets.UTF_8));
        } catch (IOException e) {
            throw new UncheckedIOException("kernel source " + name + ": " + e.getMessage(), e);
        }
    }

    /** Whether there is a text of a module. */
    boolean has(String module) {
        return files.containsKey(file(module));
    }

    private static String file(String module) {
        return "kernels/" + module + ".cu";
    }

    /** The text of a module. @throws UnsupportedOpException if there is none */
    String module(String name) {
        String text = files.get(file(name));
        if (text == null) {
            throw new UnsupportedOpException("kernels '" + name + "': this library has no text of them");
        }
        return text;
    }

    /** All headers, by the names under which they are included. */
    Map<String, String> headers() {
        Map<String, String> headers = new LinkedHashMap<>();
        files.forEach((name, text) -> {
            if (name.startsWith(HEADERS)) {
                headers.put(name.substring(HEADERS.length()), text);
            }
        });
        return headers;
    }
}
