package dev.weft.natives;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.natives.NativeLibrary.Absent;
import dev.weft.natives.NativeLibrary.Loaded;
import dev.weft.natives.NativeLibrary.Opener;
import java.io.IOException;
import java.lang.foreign.SymbolLookup;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class NativeLibraryTest {
    private static final SymbolLookup NOTHING = name -> Optional.empty();
    private static final Opener OPENER = file -> NOTHING;

    private final byte[] content = "not really a library".getBytes(StandardCharsets.UTF_8);
    private final Bundle bundle = new Bundle("linux-x86_64", null, "libtest.so", Bundle.hash(content), () -> content);

    @TempDir
    Path folder;

    @Test
    void loadGivesALibraryOrAReason() {
        NativeLibrary.Result result = NativeLibrary.load();
        assertThat(NativeLibrary.load()).isSameAs(result);
        switch (result) {
            case Loaded loaded -> {
                assertThat(loaded.file()).isRegularFile();
                assertThat(loaded.platform()).startsWith("linux-");
            }
            case Absent absent -> assertThat(absent.reason()).isNotBlank();
        }
    }

    @Test
    void overrideNoneSwitchesOff() {
        assertThat(load("none", bundle, privateRoot("cache")))
                .isEqualTo(new Absent("switched off by -Dweft.native.library=none"));
        assertThat(folder).isEmptyDirectory();
    }

    @Test
    void overrideOpensTheFileNamed() throws IOException {
        Path file = Files.write(folder.resolve("mine.so"), content);
        assertThat(load(file.toString(), bundle)).isEqualTo(new Loaded(NOTHING, file, "linux-x86_64"));
    }

    @Test
    void overrideWithoutFileTellsWhichFile() {
        Path file = folder.resolve("nowhere.so");
        assertThat(reason(load(file.toString(), bundle))).contains("no such file: " + file);
        assertThat(reason(load("\0", bundle))).contains("not a file name");
    }

    @Test
    void overrideThatDoesNotOpenIsAReasonNotACrash() throws IOException {
        Path file = Files.write(folder.resolve("broken.so"), content);
        Opener failing = path -> {
            throw new IllegalArgumentException("no ELF header");
        };
        assertThat(reason(NativeLibrary.load(file.toString(), bundle, List.of(), failing)))
                .contains("cannot open the library given by", "no ELF header");
    }

    @Test
    void absentBundleKeepsItsReason() {
        assertThat(load(null, Bundle.absent("linux-x86_64", "no compiler"), privateRoot("cache")))
                .isEqualTo(new Absent("no compiler"));
    }

    @Test
    void platformWithoutResourcesSaysSo() throws IOException {
        assertThat(Bundle.ofResources("plan9-mips").absence()).contains("no native kernels for plan9-mips");
    }

    @Test
    void libraryIsExtractedUnderItsHashAndReused() throws IOException {
        Path file = file(load(null, bundle, privateRoot("cache")));
        assertThat(file).hasBinaryContent(content);
        assertThat(file.getParent()).hasFileName(bundle.sha256().substring(0, 32));
        Bundle unreadable = new Bundle(bundle.platform(), null, bundle.name(), bundle.sha256(), () -> {
            throw new IOException("read twice");
        });
        assertThat(file(load(null, unreadable, privateRoot("cache")))).isEqualTo(file);
    }

    @Test
    void damagedCacheFileIsReplaced() throws IOException {
        Path file = file(load(null, bundle, privateRoot("cache")));
        Files.writeString(file, "damaged");
        assertThat(file(load(null, bundle, privateRoot("cache"))))
                .isEqualTo(file)
                .hasBinaryContent(content);
        try (var files = Files.list(file.getParent())) {
            assertThat(files).containsExactly(file);
        }
    }

    @Test
    void damagedResourceIsRefused() {
        Bundle damaged = new Bundle("linux-x86_64", null, "libtest.so", "0".repeat(64), () -> content);
        assertThat(reason(load(null, damaged, privateRoot("cache")))).contains("damaged");
    }

    @Test
    void unusableCacheFolderFallsThroughToTheNext() throws IOException {
        CacheRoot blocked =
                new CacheRoot(Files.createFile(folder.resolve("file")).resolve("below"), false);
        Path file = file(load(null, bundle, blocked, privateRoot("second")));
        assertThat(file).startsWith(folder.resolve("second"));
        assertThat(reason(load(null, bundle, blocked))).contains(blocked.path().toString());
    }

    @Test
    void openingThatFailsFallsThroughToTheNext() {
        Path first = folder.resolve("first");
        for (Throwable failure : List.of(new IllegalCallerException("denied"), new UnsatisfiedLinkError("noexec"))) {
            Opener opener = path -> {
                if (path.startsWith(first)) {
                    throw NativeLibraryTest.<RuntimeException>sneaky(failure);
                }
                return NOTHING;
            };
            List<CacheRoot> roots = List.of(privateRoot("first"), privateRoot("second"));
            assertThat(file(NativeLibrary.load(null, bundle, roots, opener))).startsWith(folder.resolve("second"));
        }
    }

    @Test
    void sharedFolderIsPrivateOrRefused() throws IOException {
        CacheRoot root = new CacheRoot(folder.resolve("weft-me"), true);
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(root.prepare())))
                .isEqualTo("rwx------");
        assertThat(root.prepare()).isEqualTo(root.path());

        Files.setPosixFilePermissions(root.path(), PosixFilePermissions.fromString("rwxrwxrwx"));
        assertThatThrownBy(root::prepare).isInstanceOf(IOException.class).hasMessageContaining("written by others");

        Path target = Files.createDirectory(folder.resolve("target"));
        CacheRoot link = new CacheRoot(Files.createSymbolicLink(folder.resolve("link"), target), true);
        assertThatThrownBy(link::prepare).isInstanceOf(IOException.class).hasMessageContaining("not a folder");
    }

    @Test
    void cacheFoldersAreTriedInTheDocumentedOrder() {
        Properties system = new Properties();
        system.putAll(Map.of("weft.cache.dir", "/p", "user.home", "/home/u", "java.io.tmpdir", "/tmp"));
        system.put("user.name", "a/../b");
        assertThat(CacheRoot.candidates(system, Map.of("WEFT_CACHE_DIR", "/e")))
                .extracting(root -> root.path().toString())
                .containsExactly("/p", "/e", "/home/u/.cache/weft", "/tmp/weft-a_.._b");
        assertThat(CacheRoot.candidates(system, Map.of("XDG_CACHE_HOME", "/x")))
                .extracting(root -> root.path().toString())
                .containsExactly("/p", "/x/weft", "/tmp/weft-a_.._b");
    }

    @Test
    void platformsAreSpelledAsInTheBuild() {
        assertThat(NativeLibrary.platform("Linux", "amd64")).isEqualTo("linux-x86_64");
        assertThat(NativeLibrary.platform("Linux", "aarch64")).isEqualTo("linux-arm64");
        assertThat(NativeLibrary.platform("Mac OS X", "aarch64")).isEqualTo("macosx-arm64");
    }

    private CacheRoot privateRoot(String name) {
        return new CacheRoot(folder.resolve(name), false);
    }

    private static NativeLibrary.Result load(String override, Bundle bundle, CacheRoot... roots) {
        return NativeLibrary.load(override, bundle, List.of(roots), OPENER);
    }

    private static Path file(NativeLibrary.Result result) {
        return ((Loaded) result).file();
    }

    private static String reason(NativeLibrary.Result result) {
        return ((Absent) result).reason();
    }

    @SuppressWarnings("unchecked")
    private static <T extends Throwable> T sneaky(Throwable failure) throws T {
        throw (T) failure;
    }
}
