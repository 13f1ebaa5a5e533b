package dev.weft.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/** The cuBLASLt of the CUDA emulator, beside {@link Emulator} and like it. */
final class CublasLtEmulator implements AutoCloseable {
    private final EmulatedLibrary library =
            new EmulatedLibrary(Emulator.library().resolveSibling("libcublasLt.so.13"), "weftCublasLt");
    private final MethodHandle calls = library.number("weftCublasLtCalls", ValueLayout.ADDRESS);

    CublasLtEmulator() {
        reset();
        faults();
    }

    private void reset() {
        with("fail", "").with("version", "130101").with("refuse", "");
    }

    /** Changes a setting, and counts calls from here on. */
    CublasLtEmulator with(String key, String value) {
        library.configure(key, value);
        return this;
    }

    /** Calls of a function since a setting was changed. */
    long calls(String function) {
        try (Arena arena = Arena.ofConfined()) {
            return (long) calls.invokeExact(arena.allocateFrom(function));
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    /** Faults since the last call and what is open, one a line; empty if it is all well. */
    String faults() {
        return library.faults();
    }

    /** Restores default settings. @throws AssertionError if there were faults nobody asked for, or something is open */
    @Override
    public void close() {
        reset();
        assertThat(faults()).as("faults that the emulated cuBLASLt found").isEmpty();
    }
}
