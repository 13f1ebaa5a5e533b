package dev.weft.conformance.toy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.weft.BackendUnavailableException;
import dev.weft.runtime.Weft;
import dev.weft.spi.Backend;
import dev.weft.spi.BackendConfig;
import dev.weft.spi.BackendProvider;
import dev.weft.spi.Backends;
import dev.weft.spi.Probe;
import dev.weft.spi.SpiVersion;
import java.io.IOException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** One broken backend does not hide the others, whichever way it is broken. */
class ServiceLoadingTest {
    @TempDir
    Path folder;

    /** A provider as a broken or odd backend would ship it. */
    abstract static class Odd implements BackendProvider {
        @Override
        public String name() {
            return getClass().getSimpleName().toLowerCase(java.util.Locale.ROOT);
        }

        @Override
        public SpiVersion spiVersion() {
            return SpiVersion.CURRENT;
        }

        @Override
        public Probe probe() {
            return new Probe.Available(50, "9");
        }

        @Override
        public Backend open(BackendConfig config) {
            throw new IllegalStateException("opened an odd backend");
        }
    }

    /** Fails to construct. */
    public static final class ThrowsInConstructor extends Odd {
        public ThrowsInConstructor() {
            throw new IllegalStateException("constructor says no");
        }
    }

    /** Fails to link. */
    public static final class ThrowsInProbe extends Odd {
        @Override
        public Probe probe() {
            throw new UnsatisfiedLinkError("no driver library");
        }
    }

    /** Built for a later interface. */
    public static final class TooNew extends Odd {
        @Override
        public SpiVersion spiVersion() {
            return new SpiVersion(SpiVersion.CURRENT.major() + 1, 0);
        }
    }

    /** Fails before its version is known. */
    public static final class ThrowsInVersion extends Odd {
        @Override
        public SpiVersion spiVersion() {
            throw new AbstractMethodError("spiVersion");
        }
    }

    /** Absent for an ordinary reason. */
    public static final class NotHere extends Odd {
        @Override
        public Probe probe() {
            return new Probe.Absent("no device; plug one in");
        }
    }

    /** Says it is there, then cannot be opened. */
    public static final class ThrowsInOpen extends Odd {}

    /** Has a name no device id can hold. */
    public static final class BadName extends Odd {
        @Override
        public String name() {
            return "Bad Name";
        }
    }

    /** Takes the toy's name with a lower priority. */
    public static final class Impostor extends Odd {
        @Override
        public String name() {
            return "toy";
        }

        @Override
        public Probe probe() {
            return new Probe.Available(-5, "0");
        }
    }

    private <T> T withServices(List<String> names, Supplier<T> body) throws IOException {
        Path services = folder.resolve("META-INF/services");
        Files.createDirectories(services);
        Files.write(services.resolve(BackendProvider.class.getName()), names);
        ClassLoader before = Thread.currentThread().getContextClassLoader();
        try (URLClassLoader loader = new URLClassLoader(
                new URL[] {folder.toUri().toURL()}, getClass().getClassLoader())) {
            Thread.currentThread().setContextClassLoader(loader);
            return body.get();
        } finally {
            Thread.currentThread().setContextClassLoader(before);
        }
    }

    private static List<String> services() {
        return List.of(
                "dev.weft.DoesNotExist",
                LeakException.class.getName(),
                ThrowsInConstructor.class.getName(),
                ThrowsInProbe.class.getName(),
                TooNew.class.getName(),
                ThrowsInVersion.class.getName(),
                NotHere.class.getName(),
                ThrowsInOpen.class.getName(),
                BadName.class.getName(),
                Impostor.class.getName(),
                ToyProvider.class.getName());
    }

    @Test
    void brokenProvidersAreListedWithTheirReasonsAndTheGoodOneWorks() throws IOException {
        Backends backends = withServices(services(), () -> Backends.load(BackendConfig.DEFAULT));
        try (Weft weft = Weft.of(backends)) {
            assertThat(weft.device("toy:0").info().tier()).isEqualTo("emulator");
            assertThat(weft.deviceInfos().stream().map(d -> d.id().toString())).contains("toy:0", "toy:1");
            Map<String, Probe> found = weft.backends().stream()
                    .collect(Collectors.toMap(Backends.Status::name, Backends.Status::probe, (a, b) -> a));
            assertThat(found.get("toy")).isInstanceOf(Probe.Available.class);
            assertAbsent(found, ThrowsInConstructor.class.getName(), "constructor says no");
            assertAbsent(found, "throwsinprobe", "no driver library");
            assertAbsent(found, "toonew", "matching versions");
            assertAbsent(found, "throwsinversion", "spiVersion");
            assertAbsent(found, "nothere", "plug one in");
            assertAbsent(found, "Bad Name", "[a-z]");
            assertAbsent(found, Impostor.class.getName(), "taken by " + ToyProvider.class.getName());
            assertAbsent(found, "provider 1", "dev.weft.DoesNotExist");
            assertAbsent(found, "provider 2", "LeakException");
        }
    }

    private static void assertAbsent(Map<String, Probe> found, String name, String reason) {
        assertThat(found.get(name)).as(name).isInstanceOf(Probe.Absent.class);
        assertThat(((Probe.Absent) found.get(name)).reason()).contains(reason);
    }

    @Test
    void aDeviceOfAnAbsentBackendIsRefusedWithTheReason() throws IOException {
        try (Weft weft = Weft.of(withServices(services(), () -> Backends.load(BackendConfig.DEFAULT)))) {
            assertThatThrownBy(() -> weft.device("nothere:0"))
                    .isInstanceOf(BackendUnavailableException.class)
                    .hasMessageContainingAll("nothere:0", "plug one in");
            assertThatThrownBy(() -> weft.device("cuda:9"))
                    .isInstanceOf(BackendUnavailableException.class)
                    .hasMessageContainingAll("cuda:9", "no such backend", "toy");
            assertThatThrownBy(() -> weft.device("toy:5"))
                    .isInstanceOf(BackendUnavailableException.class)
                    .hasMessageContainingAll("toy:5", "toy:0");
            assertThatThrownBy(() -> weft.device("toy"))
                    .isInstanceOf(BackendUnavailableException.class)
                    .hasMessageContaining("backend:number");
        }
    }

    @Test
    void noBackendAtAllSaysWhatToAdd() throws IOException {
        try (Weft weft = Weft.of(Backends.of(BackendConfig.DEFAULT, List.of()))) {
            assertThat(weft.deviceInfos()).isEmpty();
            assertThatThrownBy(weft::best)
                    .isInstanceOf(BackendUnavailableException.class)
                    .hasMessageContaining("weft-backend-cpu");
        }
    }
}
