package dev.weft.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;

/** What tests ask of a library of the emulator beyond what the backend calls: settings and faults. */
final class EmulatedLibrary {
    private static final int MOST_TEXT_BYTES = 1 << 20;

    private final SymbolLookup symbols;
    private final MethodHandle configure;
    private final MethodHandle faults;

    /** @param prefix of the names of its functions for tests */
    EmulatedLibrary(Path library, String prefix) {
        this.symbols = SymbolLookup.libraryLookup(library, Arena.global());
        this.configure = function(
                prefix + "Configure",
                FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.ADDRESS));
        this.faults = function(prefix + "Faults", FunctionDescriptor.of(ValueLayout.ADDRESS));
    }

    private MethodHandle function(String name, FunctionDescriptor type) {
        return Linker.nativeLinker().downcallHandle(symbols.find(name).orElseThrow(), type);
    }

    /** A function that gives a number. */
    MethodHandle number(String name, ValueLayout... arguments) {
        return function(name, FunctionDescriptor.of(ValueLayout.JAVA_LONG, arguments));
    }

    /** Changes a setting. */
    void configure(String key, String value) {
        try (Arena arena = Arena.ofConfined()) {
            int code = (int) configure.invokeExact(arena.allocateFrom(key), arena.allocateFrom(value));
            assertThat(code).as("setting " + key + " to '" + value + "'").isZero();
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
            return text.reinterpret(MOST_TEXT_BYTES).getString(0);
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }
}
