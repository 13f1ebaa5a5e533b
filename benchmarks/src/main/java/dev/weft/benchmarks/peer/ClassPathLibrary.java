package dev.weft.benchmarks.peer;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.SymbolLookup;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;

/** Native libraries that lie as resources in jars of the class path, as JavaCPP and ONNX Runtime ship them. */
final class ClassPathLibrary {
    private ClassPathLibrary() {}

    /** The platform as JavaCPP names it. */
    static String platform() {
        String arch = System.getProperty("os.arch", "").toLowerCase(Locale.ROOT);
        return "linux-" + (arch.equals("amd64") ? "x86_64" : arch.equals("aarch64") ? "arm64" : arch);
    }

    /**
     * Unpacks libraries into a new folder and opens all but the last, so that the last finds what it needs.
     *
     * @param resources folder of the resources
     * @param files file names, each after those it needs
     * @return the folder; empty if the class path has no such resources
     */
    static List<Path> unpack(String resources, List<String> files) {
        ClassLoader loader = ClassPathLibrary.class.getClassLoader();
        if (files.stream().anyMatch(f -> loader.getResource(resources + "/" + f) == null)) {
            return List.of();
        }
        try {
            Path folder = Files.createTempDirectory("weft-peer-");
            folder.toFile().deleteOnExit();
            for (String file : files) {
                Path target = folder.resolve(file);
                try (InputStream in = loader.getResourceAsStream(resources + "/" + file)) {
                    Files.copy(in, target);
                }
                target.toFile().deleteOnExit();
            }
            for (String file : files.subList(0, files.size() - 1)) {
                SymbolLookup.libraryLookup(folder.resolve(file), Arena.global());
            }
            return List.of(folder);
        } catch (IOException e) {
            throw new UncheckedIOException("unpacking " + resources, e);
        }
    }
}
