package dev.weft.cli;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Assumptions;

/** The CANN emulator that building backend-ascend made, as the installation of this process until it is closed. */
final class EmulatedCann implements AutoCloseable {
    private static final String PROPERTY = "weft.ascend.home";
    private static final String DELAY = "30";
    private static final Path BUILT = Path.of("..", "backend-ascend", "target", "cann-emulator", "cann");

    private final String before = System.getProperty(PROPERTY);
    private final Path home =
            Path.of(before == null ? BUILT.toAbsolutePath().normalize().toString() : before);

    /** The test is skipped where there is no emulator. */
    EmulatedCann() {
        Assumptions.assumeTrue(
                Files.exists(library("libacl_rt.so")),
                () -> "the CANN emulator is not in " + home + "; building backend-ascend builds it");
        System.setProperty(PROPERTY, home.toString());
    }

    private Path library(String file) {
        return home.resolve("lib64").resolve(file);
    }

    /**
     * Puts a damaged copy in its place.
     *
     * @param folder where the copy is made
     * @param absent library that it lacks
     * @param header file of the folder aclnnop in which {@code from} is replaced by {@code to}
     */
    void damage(Path folder, String absent, String header, String from, String to) throws IOException {
        Files.createDirectories(folder.resolve("lib64"));
        try (var files = Files.list(home.resolve("lib64"))) {
            for (Path file : files.toList()) {
                String name = file.getFileName().toString();
                if (!name.equals(absent)) {
                    Files.createSymbolicLink(folder.resolve("lib64").resolve(name), file);
                }
            }
        }
        try (var files = Files.walk(home.resolve("include"))) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                Path copy = folder.resolve(home.relativize(file));
                Files.createDirectories(copy.getParent());
                String text = Files.readString(file);
                Files.writeString(copy, file.endsWith(Path.of("aclnnop", header)) ? text.replace(from, to) : text);
            }
        }
        System.setProperty(PROPERTY, folder.toString());
    }

    /** Sets the emulator up for its next life, see its README. */
    void configure(String key, String value) {
        try (Arena arena = Arena.ofConfined()) {
            int code = (int) Linker.nativeLinker()
                    .downcallHandle(
                            SymbolLookup.libraryLookup(library("libacl_rt.so"), Arena.global())
                                    .find("weftEmulatorConfigure")
                                    .orElseThrow(),
                            FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.ADDRESS))
                    .invoke(arena.allocateFrom(key), arena.allocateFrom(value));
            if (code != 0) {
                throw new AssertionError("setting " + key + " to '" + value + "' answered " + code);
            }
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    @Override
    public void close() {
        configure("fail", "");
        configure("delay", DELAY);
        if (before == null) {
            System.clearProperty(PROPERTY);
        } else {
            System.setProperty(PROPERTY, before);
        }
    }
}
