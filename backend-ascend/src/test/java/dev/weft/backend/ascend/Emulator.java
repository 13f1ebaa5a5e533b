package dev.weft.backend.ascend;

import static org.assertj.core.api.Assertions.assertThat;

import dev.weft.backend.ascend.abi.CannHome;
import dev.weft.spi.BackendConfig;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Assumptions;

/**
 * The CANN emulator in this process. It is set up between two lives of the runtime: each begins with the first opened
 * backend and ends with the last closed one, and at its end every leak is a fault.
 */
final class Emulator implements AutoCloseable {
    private static final Map<String, String> DEFAULTS = Map.of(
            "soc", "Ascend950DT_9591",
            "devices", "1",
            "memory", "0",
            "seed", "1",
            "delay", "30",
            "jitter", "0",
            "short_quotients", "0",
            "fail", "",
            "hccl_timeout", "10");

    private final MethodHandle configure;
    private final MethodHandle faults;
    private final MethodHandle count;

    private Emulator(Path library) {
        SymbolLookup symbols = SymbolLookup.libraryLookup(library, Arena.global());
        this.configure = Linker.nativeLinker()
                .downcallHandle(
                        symbols.find("weftEmulatorConfigure").orElseThrow(),
                        FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.ADDRESS));
        this.faults = Linker.nativeLinker()
                .downcallHandle(
                        symbols.find("weftEmulatorFaults").orElseThrow(), FunctionDescriptor.of(ValueLayout.ADDRESS));
        this.count = Linker.nativeLinker()
                .downcallHandle(
                        symbols.find("weftEmulatorCount").orElseThrow(),
                        FunctionDescriptor.of(ValueLayout.JAVA_LONG, ValueLayout.ADDRESS));
    }

    /** Its runtime library; the test is skipped where it was not built. */
    static Path library() {
        Path folder = Path.of(System.getProperty(CannHome.PROPERTY, "-"), "lib64");
        Path older = folder.resolve("libascendcl.so");
        Path library = Files.exists(older) ? older : folder.resolve("libacl_rt.so");
        Assumptions.assumeTrue(
                Files.exists(library),
                () -> "the CANN emulator was not built (" + library + " is missing); see BuildEmulator");
        return library;
    }

    /** The emulator with its default settings; the test is skipped where it was not built. */
    static Emulator start() {
        Emulator emulator = new Emulator(library());
        emulator.faults();
        DEFAULTS.forEach(emulator::configure);
        return emulator;
    }

    /** Changes a setting for the next life of the runtime. */
    Emulator with(String key, String value) {
        configure(key, value);
        return this;
    }

    private void configure(String key, String value) {
        try (Arena arena = Arena.ofConfined()) {
            int code = (int) configure.invokeExact(arena.allocateFrom(key), arena.allocateFrom(value));
            assertThat(code).as("setting " + key + " to '" + value + "'").isZero();
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    /** A backend on the emulator. */
    AscendBackend open() {
        return open(BackendConfig.DEFAULT);
    }

    AscendBackend open(BackendConfig config) {
        return (AscendBackend) new AscendProvider().open(config);
    }

    /** Faults since the last call, one a line; empty if there were none. */
    String faults() {
        try {
            MemorySegment text = (MemorySegment) faults.invokeExact();
            return text.reinterpret(1 << 20).getString(0);
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    /** How much there is of {@code what} now; see the emulator's README. */
    long count(String what) {
        try (Arena arena = Arena.ofConfined()) {
            long n = (long) count.invokeExact(arena.allocateFrom(what));
            assertThat(n).as(what).isNotNegative();
            return n;
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    /** Restores default settings. @throws AssertionError if there were faults nobody asked for */
    @Override
    public void close() {
        DEFAULTS.forEach(this::configure);
        assertThat(faults()).as("faults that the emulator found").isEmpty();
    }
}
