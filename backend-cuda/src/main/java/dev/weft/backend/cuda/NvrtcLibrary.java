package dev.weft.backend.cuda;

import dev.weft.UnsupportedOpException;
import dev.weft.spi.nativelib.NativeBinder;
import dev.weft.spi.nativelib.NativeLibraries;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;

/**
 * NVIDIA's compiler as a library, found and bound.
 *
 * @param nvrtc its functions
 * @param library file or name it was opened by
 * @param version 13000 for 13.0
 * @param archs compute capabilities times ten that it compiles for
 */
record NvrtcLibrary(Nvrtc nvrtc, String library, int version, List<Integer> archs) {
    /** Name of the search; {@code -Dweft.nvrtc.path} names the library or its folder. */
    static final String NAME = "nvrtc";

    private static final int OK = 0;
    private static final int OLDEST = 12000;

    /** A log is shown that far: one error brings many. */
    private static final int SHOWN = 2000;

    /** Outcome of {@link #open}. */
    sealed interface Result {}

    /** @param library ready for use */
    record Opened(NvrtcLibrary library) implements Result {}

    /** @param reason in one sentence, with the remedy */
    record Absent(String reason) implements Result {}

    /** Finds a library whose images a driver of this version loads. Never throws for one that is absent or of no use. */
    static Result open(int driverVersion, List<Path> folders) {
        List<String> files = driverVersion >= 13000
                ? List.of("libnvrtc.so.13", "libnvrtc.so.12")
                : List.of("libnvrtc.so.12");
        return switch (NativeLibraries.find(MethodHandles.lookup(), NAME, files, folders)) {
            case NativeLibraries.Missing missing -> new Absent("no NVRTC: " + missing.reason());
            case NativeLibraries.Found found -> {
                try {
                    yield bind(found, driverVersion);
                } catch (UnsatisfiedLinkError | UnsupportedOpException e) {
                    yield new Absent("NVRTC " + found.library() + ": " + e.getMessage());
                }
            }
        };
    }

    private static Result bind(NativeLibraries.Found found, int driverVersion) {
        Nvrtc nvrtc = NativeBinder.bind(MethodHandles.lookup(), Nvrtc.class, found.symbols());
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(ValueLayout.JAVA_INT, 2);
            require(nvrtc, nvrtc.nvrtcVersion(out, out.asSlice(Integer.BYTES)), "nvrtcVersion");
            int version = 1000 * out.getAtIndex(ValueLayout.JAVA_INT, 0) + 10 * out.getAtIndex(ValueLayout.JAVA_INT, 1);
            if (version < OLDEST || version / 1000 > driverVersion / 1000) {
                return new Absent("NVRTC " + found.library() + ": found version " + DriverLibrary.text(version)
                        + ", expected 12.0 or newer and no newer than the driver, which is for CUDA "
                        + DriverLibrary.text(driverVersion));
            }
            require(nvrtc, nvrtc.nvrtcGetNumSupportedArchs(out), "nvrtcGetNumSupportedArchs");
            MemorySegment archs = arena.allocate(ValueLayout.JAVA_INT, out.get(ValueLayout.JAVA_INT, 0));
            require(nvrtc, nvrtc.nvrtcGetSupportedArchs(archs), "nvrtcGetSupportedArchs");
            return new Opened(new NvrtcLibrary(
                    nvrtc,
                    found.library(),
                    version,
                    Arrays.stream(archs.toArray(ValueLayout.JAVA_INT)).boxed().toList()));
        }
    }

    private static void require(Nvrtc nvrtc, int code, String call) {
        if (code != OK) {
            throw new UnsupportedOpException(call + " returned " + describe(nvrtc, code));
        }
    }

    private static String describe(Nvrtc nvrtc, int code) {
        MemorySegment text = nvrtc.nvrtcGetErrorString(code);
        return code
                + (text.address() == 0
                        ? ""
                        : " (" + text.reinterpret(Short.MAX_VALUE).getString(0) + ")");
    }

    /**
     * Compiles a module.
     *
     * @return the cubin
     * @throws UnsupportedOpException if it does not compile, with the compiler's words
     */
    byte[] compile(String module, KernelSources sources, List<String> options) {
        try (Arena arena = Arena.ofConfined()) {
            var headers = sources.headers();
            MemorySegment program = arena.allocate(ValueLayout.ADDRESS);
            int code = nvrtc.nvrtcCreateProgram(
                    program,
                    arena.allocateFrom(sources.module(module)),
                    arena.allocateFrom(module + ".cu"),
                    headers.size(),
                    texts(arena, headers.values()),
                    texts(arena, headers.keySet()));
            require(nvrtc, code, "nvrtcCreateProgram(" + module + ")");
            long handle = program.get(ValueLayout.JAVA_LONG, 0);
            try {
                code = nvrtc.nvrtcCompileProgram(handle, options.size(), texts(arena, options));
                if (code != OK) {
                    throw new UnsupportedOpException("NVRTC " + library + ": kernels '" + module + "' with "
                            + String.join(" ", options) + ": " + describe(nvrtc, code) + ": " + log(handle, arena));
                }
                return cubin(handle, arena);
            } finally {
                nvrtc.nvrtcDestroyProgram(program);
            }
        }
    }

    private static MemorySegment texts(Arena arena, Collection<String> texts) {
        MemorySegment array = arena.allocate(ValueLayout.ADDRESS, texts.size());
        int i = 0;
        for (String text : texts) {
            array.setAtIndex(ValueLayout.ADDRESS, i++, arena.allocateFrom(text));
        }
        return array;
    }

    private String log(long program, Arena arena) {
        MemorySegment bytes = arena.allocate(ValueLayout.JAVA_LONG);
        require(nvrtc, nvrtc.nvrtcGetProgramLogSize(program, bytes), "nvrtcGetProgramLogSize");
        MemorySegment text = arena.allocate(Math.max(1, bytes.get(ValueLayout.JAVA_LONG, 0)));
        require(nvrtc, nvrtc.nvrtcGetProgramLog(program, text), "nvrtcGetProgramLog");
        String log = text.getString(0).strip();
        return log.substring(0, Math.min(SHOWN, log.length()));
    }

    private byte[] cubin(long program, Arena arena) {
        MemorySegment bytes = arena.allocate(ValueLayout.JAVA_LONG);
        require(nvrtc, nvrtc.nvrtcGetCUBINSize(program, bytes), "nvrtcGetCUBINSize");
        MemorySegment image = arena.allocate(bytes.get(ValueLayout.JAVA_LONG, 0));
        require(nvrtc, nvrtc.nvrtcGetCUBIN(program, image), "nvrtcGetCUBIN");
        return image.toArray(ValueLayout.JAVA_BYTE);
    }
}
