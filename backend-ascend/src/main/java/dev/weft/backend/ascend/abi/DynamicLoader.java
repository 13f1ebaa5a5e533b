package dev.weft.backend.ascend.abi;

import dev.weft.BackendUnavailableException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;

/**
 * Opens shared libraries by path with {@code dlopen} itself: {@link SymbolLookup#libraryLookup} neither tells why a
 * library does not open nor makes its symbols visible to libraries that are opened later.
 */
final class DynamicLoader {
    private static final int RTLD_LAZY = 1; // dlfcn.h of Linux
    private static final int RTLD_GLOBAL = 0x100;
    private static final long MAX_MESSAGE = 4096;

    private final MethodHandle open;
    private final MethodHandle error;

    private DynamicLoader(MethodHandle open, MethodHandle error) {
        this.open = open;
        this.error = error;
    }

    /** Why a library did not open, in the system's words. */
    static final class LoadException extends Exception {
        private static final long serialVersionUID = 1L;

        LoadException(String message) {
            super(message);
        }
    }

    /**
     * The system's loader.
     *
     * @throws BackendUnavailableException if native access is denied, or the system has no {@code dlopen}
     */
    static DynamicLoader system() {
        try {
            return new DynamicLoader(
                    system(
                            "dlopen",
                            FunctionDescriptor.of(ValueLayout.ADDRESS, ValueLayout.ADDRESS, ValueLayout.JAVA_INT)),
                    system("dlerror", FunctionDescriptor.of(ValueLayout.ADDRESS)));
        } catch (IllegalCallerException e) {
            throw denied(e);
        }
    }

    private static MethodHandle system(String name, FunctionDescriptor descriptor) {
        Linker linker = Linker.nativeLinker();
        MemorySegment address = linker.defaultLookup()
                .find(name)
                .orElseThrow(() -> new BackendUnavailableException("the system has no " + name + ": CANN needs Linux"));
        return linker.downcallHandle(address, descriptor);
    }

    /** A function at an address. */
    static MethodHandle link(MemorySegment address, FunctionDescriptor descriptor) {
        try {
            return Linker.nativeLinker().downcallHandle(address, descriptor);
        } catch (IllegalCallerException e) {
            throw denied(e);
        }
    }

    private static BackendUnavailableException denied(IllegalCallerException cause) {
        Module module = DynamicLoader.class.getModule();
        return new BackendUnavailableException(
                "CANN: native access is denied (" + cause.getMessage() + "); allow it with --enable-native-access="
                        + (module.isNamed() ? module.getName() : "ALL-UNNAMED"),
                cause);
    }

    /**
     * Opens a library for the rest of the program.
     *
     * @param global whether libraries opened later may use its symbols without naming it
     * @throws LoadException with the system's reason
     */
    SymbolLookup open(Path file, boolean global) throws LoadException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment handle = (MemorySegment)
                    open.invokeExact(arena.allocateFrom(file.toString()), global ? RTLD_LAZY | RTLD_GLOBAL : RTLD_LAZY);
            if (handle.address() == 0) {
                throw new LoadException(message());
            }
        } catch (LoadException | RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
        return SymbolLookup.libraryLookup(file, Arena.global());
    }

    private String message() throws Throwable {
        MemorySegment text = (MemorySegment) error.invokeExact();
        return text.address() == 0
                ? "no reason given"
                : text.reinterpret(MAX_MESSAGE).getString(0);
    }
}
