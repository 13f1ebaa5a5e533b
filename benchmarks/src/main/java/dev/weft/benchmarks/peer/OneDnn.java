package dev.weft.benchmarks.peer;

import dev.weft.benchmarks.Contender;
import dev.weft.benchmarks.work.GemmWork;
import dev.weft.benchmarks.work.Work;
import dev.weft.spi.nativelib.NativeBinder;
import dev.weft.spi.nativelib.NativeLibraries;
import dev.weft.spi.nativelib.Symbol;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.util.List;
import java.util.Optional;

/** oneDNN: dense BF16 and F32 products with weights in the order its kernel asks for. */
final class OneDnn implements Peer.Present {
    static final int CPU = 1;
    static final int IN_ORDER = 1;
    static final int BF16 = 2;
    static final int F32 = 3;
    static final int ANY = 1;
    static final int ROW_MAJOR = 3;
    static final int TRANSPOSED = 14;
    static final int QUERY_IMPLEMENTATION = 8;
    static final int QUERY_WEIGHTS = 131;
    static final int ARG_SOURCE = 1;
    static final int ARG_DESTINATION = 17;
    static final int ARG_WEIGHTS = 33;

    /** Functions of {@code dnnl.h}; those that can fail return a status, 0 being success. */
    interface Library {
        @Symbol("dnnl_version")
        MemorySegment version();

        @Symbol("dnnl_engine_create")
        int createEngine(MemorySegment out, int kind, long index);

        @Symbol("dnnl_stream_create")
        int createStream(MemorySegment out, MemorySegment engine, int flags);

        @Symbol("dnnl_stream_wait")
        int await(MemorySegment stream);

        @Symbol("dnnl_memory_desc_create_with_tag")
        int describe(MemorySegment out, int dims, MemorySegment extents, int type, int tag);

        @Symbol("dnnl_memory_desc_get_size")
        long bytes(MemorySegment description);

        @Symbol("dnnl_memory_desc_destroy")
        int freeDescription(MemorySegment description);

        @Symbol("dnnl_memory_create")
        int createMemory(MemorySegment out, MemorySegment description, MemorySegment engine, MemorySegment handle);

        @Symbol("dnnl_memory_destroy")
        int freeMemory(MemorySegment memory);

        @Symbol("dnnl_matmul_primitive_desc_create")
        int describeMatmul(
                MemorySegment out,
                MemorySegment engine,
                MemorySegment source,
                MemorySegment weights,
                MemorySegment bias,
                MemorySegment destination,
                MemorySegment attributes);

        @Symbol("dnnl_reorder_primitive_desc_create")
        int describeReorder(
                MemorySegment out,
                MemorySegment source,
                MemorySegment sourceEngine,
                MemorySegment destination,
                MemorySegment destinationEngine,
                MemorySegment attributes);

        @Symbol("dnnl_primitive_desc_query")
        int query(MemorySegment description, int what, int index, MemorySegment out);

        @Symbol("dnnl_primitive_desc_query_md")
        MemorySegment queryMemory(MemorySegment description, int what, int index);

        @Symbol("dnnl_primitive_create")
        int createPrimitive(MemorySegment out, MemorySegment description);

        @Symbol("dnnl_primitive_desc_destroy")
        int freePrimitiveDescription(MemorySegment description);

        @Symbol("dnnl_primitive_execute")
        int execute(MemorySegment primitive, MemorySegment stream, int count, MemorySegment arguments);

        @Symbol("dnnl_primitive_destroy")
        int freePrimitive(MemorySegment primitive);
    }

    /** The thread count of the OpenMP run-time the library was built with. */
    interface OpenMp {
        @Symbol("omp_set_num_threads")
        void setThreads(int threads);
    }

    private final Library library;
    private final MemorySegment engine;
    private final MemorySegment stream;
    private final String description;

    private OneDnn(Library library, SymbolLookup symbols, String file, int threads) {
        this.library = library;
        if (symbols.find("omp_set_num_threads").isPresent()) {
            NativeBinder.bind(MethodHandles.lookup(), OpenMp.class, symbols).setThreads(threads);
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(ValueLayout.ADDRESS);
            check("engine", library.createEngine(out, CPU, 0));
            engine = out.get(ValueLayout.ADDRESS, 0);
            check("stream", library.createStream(out, engine, IN_ORDER));
            stream = out.get(ValueLayout.ADDRESS, 0);
        }
        MemorySegment v = library.version().reinterpret(3 * Integer.BYTES);
        this.description = "oneDNN %d.%d.%d (%s), %d thread(s)"
                .formatted(
                        v.getAtIndex(ValueLayout.JAVA_INT, 0),
                        v.getAtIndex(ValueLayout.JAVA_INT, 1),
                        v.getAtIndex(ValueLayout.JAVA_INT, 2),
                        file,
                        threads);
    }

    static Peer find(int threads) {
        var folders = ClassPathLibrary.unpack(
                "org/bytedeco/dnnl/" + ClassPathLibrary.platform(), List.of("libgomp.so.1", "libdnnl.so.3"));
        return switch (NativeLibraries.find(MethodHandles.lookup(), "dnnl", List.of("libdnnl.so.3"), folders)) {
            case NativeLibraries.Missing missing -> new Absent("onednn", missing.reason() + ", or build with -Ppeers");
            case NativeLibraries.Found found ->
                new OneDnn(
                        NativeBinder.bind(MethodHandles.lookup(), Library.class, found.symbols()),
                        found.symbols(),
                        found.library(),
                        threads);
        };
    }

    static void check(String what, int status) {
        if (status != 0) {
            throw new IllegalStateException("oneDNN: " + what + " failed with status " + status);
        }
    }

    Library library() {
        return library;
    }

    MemorySegment engine() {
        return engine;
    }

    MemorySegment stream() {
        return stream;
    }

    @Override
    public String name() {
        return "onednn";
    }

    @Override
    public String description() {
        return description;
    }

    @Override
    public Optional<Contender> enter(Work work) {
        return work instanceof GemmWork gemm && !gemm.format().quantised()
                ? Optional.of(new OneDnnMatmul(this, gemm))
                : Optional.empty();
    }
}
