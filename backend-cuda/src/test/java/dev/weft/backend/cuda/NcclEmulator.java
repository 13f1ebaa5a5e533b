package dev.weft.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.util.List;

/** The NCCL of the CUDA emulator, beside {@link Emulator} and like it. */
final class NcclEmulator implements AutoCloseable {
    private final MethodHandle configure;
    private final MethodHandle faults;

    NcclEmulator() {
        SymbolLookup symbols =
                SymbolLookup.libraryLookup(Emulator.library().resolveSibling("libnccl.so.2"), Arena.global());
        this.configure = Linker.nativeLinker()
                .downcallHandle(
                        symbols.find("weftNcclConfigure").orElseThrow(),
                        FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.ADDRESS));
        this.faults = Linker.nativeLinker()
                .downcallHandle(
                        symbols.find("weftNcclFaults").orElseThrow(), FunctionDescriptor.of(ValueLayout.ADDRESS));
        reset();
        faults();
    }

    private void reset() {
        with("delay", "0").with("fail", "").with("hang", "").with("version", "22703");
    }

    /** Changes a setting. */
    NcclEmulator with(String key, String value) {
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

    /** Faults since the last call and groups that are open; none if it is all well. */
    List<String> faults() {
        try {
            MemorySegment text = (MemorySegment) faults.invokeExact();
            return text.reinterpret(1 << 20).getString(0).lines().toList();
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    /** Restores default settings. @throws AssertionError if there were faults nobody asked for */
    @Override
    public void close() {
        reset();
        assertThat(faults()).as("faults that the emulated NCCL found").isEmpty();
    }
}
