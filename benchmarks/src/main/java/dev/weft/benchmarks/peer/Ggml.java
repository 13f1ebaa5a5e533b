package dev.weft.benchmarks.peer;

import dev.weft.benchmarks.Contender;
import dev.weft.benchmarks.work.AttentionWork;
import dev.weft.benchmarks.work.ExpertWork;
import dev.weft.benchmarks.work.Format;
import dev.weft.benchmarks.work.GemmWork;
import dev.weft.benchmarks.work.Work;
import dev.weft.spi.nativelib.NativeBinder;
import dev.weft.spi.nativelib.NativeLibraries;
import dev.weft.spi.nativelib.Symbol;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * ggml's CPU backend. Its kernels are a plugin chosen for the processor; its fast path for quantised weights lies behind
 * buffer types of their own, which repack at upload.
 */
final class Ggml implements Peer.Present {
    private static final String PROPERTY = "weft.bench.ggml";

    private static final int LOG_WARNING = 3;
    private static final int LOG_ERROR = 4;

    /** {@code struct ggml_init_params}, passed by value. */
    private static final MemoryLayout INIT = MemoryLayout.structLayout(
            ValueLayout.JAVA_LONG, ValueLayout.ADDRESS, ValueLayout.JAVA_INT, MemoryLayout.paddingLayout(4));

    /** Functions that only the backend plugin has, asked for by name at run time. */
    interface CpuFunctions {
        @Symbol("ggml_backend_set_n_threads")
        void setThreads(MemorySegment backend, int threads);

        @Symbol("ggml_backend_dev_get_extra_bufts")
        MemorySegment extraBufferTypes(MemorySegment device);
    }

    private final GgmlLibrary library;
    private final MethodHandle init;
    private final MemorySegment device;
    private final MemorySegment backend;
    private final List<MemorySegment> bufferTypes;
    private final String description;

    private Ggml(GgmlLibrary library, SymbolLookup symbols, MemorySegment device, int threads, String file) {
        this.library = library;
        this.init = Linker.nativeLinker()
                .downcallHandle(symbols.findOrThrow("ggml_init"), FunctionDescriptor.of(ValueLayout.ADDRESS, INIT));
        this.device = device;
        this.backend = library.openDevice(device, MemorySegment.NULL);
        CpuFunctions cpu = NativeBinder.bind(MethodHandles.lookup(), CpuFunctions.class, this::procAddress);
        cpu.setThreads(backend, threads);
        this.bufferTypes = bufferTypes(cpu);
        this.description = "ggml %s (%s), %s, %d thread(s)"
                .formatted(
                        text(library.version()),
                        file,
                        text(library.deviceDescription(device)).strip(),
                        threads);
    }

    static Peer find(int threads) {
        String given = System.getProperty(PROPERTY, "").strip();
        if (!given.isEmpty()) {
            System.setProperty("weft.ggml.path", given);
        }
        switch (NativeLibraries.find(
                MethodHandles.lookup(), "ggml", List.of("libggml.so.0", "libggml.so"), List.of())) {
            case NativeLibraries.Missing missing -> {
                return new Absent(
                        "ggml",
                        "searched " + String.join(", ", missing.searched()) + "; set -D" + PROPERTY
                                + " to libggml.so.0 (Debian package libggml0)");
            }
            case NativeLibraries.Found found -> {
                GgmlLibrary library = NativeBinder.bind(MethodHandles.lookup(), GgmlLibrary.class, found.symbols());
                silence(library);
                MemorySegment device = cpuDevice(library, Path.of(found.library()));
                return device.equals(MemorySegment.NULL)
                        ? new Absent("ggml", found.library() + " found no CPU backend (libggml-cpu-*.so)")
                        : new Ggml(library, found.symbols(), device, threads, found.library());
            }
        }
    }

    /** Keeps ggml from reporting every repacked tensor. */
    private static void silence(GgmlLibrary library) {
        try {
            MethodHandle print = MethodHandles.lookup()
                    .findStatic(
                            Ggml.class,
                            "log",
                            MethodType.methodType(void.class, int.class, MemorySegment.class, MemorySegment.class));
            FunctionDescriptor type =
                    FunctionDescriptor.ofVoid(ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.ADDRESS);
            library.setLog(Linker.nativeLinker().upcallStub(print, type, Arena.global()), MemorySegment.NULL);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Called by ggml. */
    private static void log(int level, MemorySegment text, MemorySegment data) {
        if (level == LOG_WARNING || level == LOG_ERROR) {
            System.err.print(text(text));
        }
    }

    /** The backends next to the library, and those of the library's own search. */
    private static MemorySegment cpuDevice(GgmlLibrary library, Path file) {
        Path folder = file.resolveSibling("ggml").resolve("backends0");
        if (Files.isDirectory(folder)) {
            try (Arena arena = Arena.ofConfined()) {
                library.loadBackends(arena.allocateFrom(folder.toString()));
            }
        } else {
            library.loadBackends();
        }
        return library.deviceByType(GgmlLibrary.DEVICE_CPU);
    }

    private Optional<MemorySegment> procAddress(String name) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment found = library.procAddress(library.registryOf(device), arena.allocateFrom(name));
            return Optional.of(found).filter(f -> !f.equals(MemorySegment.NULL));
        }
    }

    /** Special buffer types first, then the plain one. */
    private List<MemorySegment> bufferTypes(CpuFunctions cpu) {
        List<MemorySegment> types = new ArrayList<>();
        MemorySegment list = cpu.extraBufferTypes(device).reinterpret(Long.MAX_VALUE);
        for (long i = 0; !list.getAtIndex(ValueLayout.ADDRESS, i).equals(MemorySegment.NULL); i++) {
            types.add(list.getAtIndex(ValueLayout.ADDRESS, i));
        }
        types.add(library.bufferTypeOf(device));
        return types;
    }

    static String text(MemorySegment c) {
        return c.equals(MemorySegment.NULL) ? "?" : c.reinterpret(4096).getString(0);
    }

    GgmlLibrary library() {
        return library;
    }

    MemorySegment device() {
        return device;
    }

    MemorySegment backend() {
        return backend;
    }

    /** Buffer types for weights, fastest first. */
    List<MemorySegment> weightBufferTypes() {
        return bufferTypes;
    }

    /** A context for descriptions of this many tensors and one graph with as many nodes and leaves; data is allocated apart. */
    MemorySegment context(int tensors) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment parameters = arena.allocate(INIT);
            long bytes = tensors * library.tensorOverhead() + library.graphOverhead(tensors, 0);
            parameters.set(ValueLayout.JAVA_LONG, 0, bytes + 4096);
            parameters.set(ValueLayout.JAVA_INT, 16, 1); // no_alloc
            return (MemorySegment) init.invokeExact(parameters);
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }

    @Override
    public String name() {
        return "ggml";
    }

    @Override
    public String description() {
        return description;
    }

    @Override
    public Optional<Contender> enter(Work work) {
        return switch (work) {
            case GemmWork gemm when gemm.format() == Format.F32 -> Optional.empty(); // no special path for plain F32
            case GemmWork gemm -> Optional.of(GgmlWorks.gemm(this, gemm));
            case ExpertWork experts -> Optional.of(GgmlWorks.experts(this, experts));
            case AttentionWork attention -> Optional.of(GgmlWorks.attention(this, attention));
        };
    }
}
