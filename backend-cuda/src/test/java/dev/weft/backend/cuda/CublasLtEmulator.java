package dev.weft.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/** The cuBLASLt of the CUDA emulator, beside {@link Emulator} and like it. */
final class CublasLtEmulator implements AutoCloseable {
    private final MethodHandle configure;
    private final MethodHandle calls;
    private final MethodHandle faults;

    CublasLtEmulator() {
        SymbolLookup symbols =
                SymbolLookup.libraryLookup(Emulator.library().resolveSibling("libcublasLt.so.13"), Arena.global());
        Linker linker = Linker.nativeLinker();
        this.configure = linker.downcallHandle(
                symbols.find("weftCublasLtConfigure").orElseThrow(),
                FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.ADDRESS));
        this.calls = linker.downcallHandle(
                symbols.find("weftCublasLtCalls").orElseThrow(),
                FunctionDescriptor.of(ValueLayout.JAVA_LONG, ValueLayout.ADDRESS));
        this.faults = linker.downcallHandle(
                symbols.find("weftCublasLtFaults").orElseThrow(), FunctionDescriptor.of(ValueLayout.ADDRESS));
        reset();
        faults();
    }

    private void reset() {
        with("fail", "").with("version", "130101").with("refuse", "");
    }

    /** Changes a setting, and counts calls from here on. */
    CublasLtEmulator with(String key, String value) {
        try (Arena arena = Arena.ofConfined()) {
            int code = (int) configure.invokeExact(arena.allocateFrom(key), arena.allocateFrom(value));
            assertThat(code).as("setting " + key + " to '" + value + "'").isZero();
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
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
        try {
            MemorySegment text = (MemorySegment) faults.invokeExact();
            return text.reinterpret(1 << 20).getString(0);
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    /** Restores default settings. @throws AssertionError if there were faults nobody asked for, or something is open */
    @Override
    public void close() {
        reset();
        assertThat(faults()).as("faults that the emulated cuBLASLt found").isEmpty();
    }
}
