package dev.weft.spi.nativelib;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.invoke.MethodHandles;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

@EnabledOnOs(OS.LINUX)
class NativeLibrariesTest {
    private static final String PROPERTY = "weft.nativelibtest.path";

    @AfterEach
    void clear() {
        System.clearProperty(PROPERTY);
    }

    private static NativeLibraries.Result find(String file, Path... folders) {
        return NativeLibraries.find(MethodHandles.lookup(), "nativelibtest", List.of(file), List.of(folders));
    }

    @Test
    void findsALibraryOfTheSystem() {
        assertThat(find("libm.so.6"))
                .isInstanceOfSatisfying(
                        NativeLibraries.Found.class,
                        found -> assertThat(found.symbols().find("cos")).isPresent());
    }

    @Test
    void saysWhereItSearched(@TempDir Path folder) {
        assertThat(find("libweft-none.so.1", folder)).isInstanceOfSatisfying(NativeLibraries.Missing.class, missing -> {
            assertThat(missing.searched()).contains(folder.toString(), "/usr/lib");
            assertThat(missing.reason()).contains("libweft-none.so.1", "-D" + PROPERTY);
        });
    }

    @Test
    void whatFailedBeforeASuccessIsKept(@TempDir Path first, @TempDir Path second) throws IOException {
        Path broken = Files.writeString(first.resolve("libweft-math.so"), "not a library");
        Path whole = Path.of(System.getProperty("java.home"), "lib", "libjava.so");
        Files.createSymbolicLink(second.resolve("libweft-math.so"), whole);
        assertThat(find("libweft-math.so", first, second))
                .isInstanceOfSatisfying(NativeLibraries.Found.class, found -> {
                    assertThat(found.library()).startsWith(second.toString());
                    assertThat(found.searched()).anyMatch(line -> line.startsWith(broken.toString()));
                });
    }

    @Test
    void thePropertyReplacesTheSearch(@TempDir Path folder) throws IOException {
        Path broken = Files.writeString(folder.resolve("libm.so.6"), "not a library");
        System.setProperty(PROPERTY, folder.toString());
        assertThat(find("libm.so.6"))
                .isInstanceOfSatisfying(
                        NativeLibraries.Missing.class,
                        missing -> assertThat(missing.searched())
                                .singleElement()
                                .asString()
                                .contains(broken.toString()));
    }
}
