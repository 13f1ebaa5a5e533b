package dev.weft.benchmarks.peer;

import dev.weft.benchmarks.Contender;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/** A ggml graph with one result per copy, its tensors, and its memory. */
final class GgmlGraph implements Contender {
    /** Activations become INT8 per 32, or F16: some thousandths of error; a wrong weight gives some tenths. */
    private static final double TOLERANCE = 2e-2;

    /** Tensors of a copy at most, and of what the copies share. */
    private static final int TENSORS_PER_COPY = 8;

    private final Ggml ggml;
    private final GgmlLibrary library;
    private final MemorySegment bufferType;
    private final MemorySegment weights;
    private final MemorySegment values;
    private final List<MemorySegment> results = new ArrayList<>();
    private final List<MemorySegment> buffers = new ArrayList<>();
    private final int capacity;
    private final long resultSize;
    private MemorySegment graph = MemorySegment.NULL;

    private GgmlGraph(Ggml ggml, MemorySegment bufferType, int copies, long resultSize) {
        this.ggml = ggml;
        this.library = ggml.library();
        this.bufferType = bufferType;
        this.capacity = TENSORS_PER_COPY * (copies + 1);
        this.weights = ggml.context(capacity);
        this.values = ggml.context(capacity);
        this.resultSize = resultSize;
    }

    /** What a graph computes. */
    interface Definition {
        /** Numbers of one result. */
        long resultSize();

        /** Describes the tensors of {@code copies} copies and names every copy's {@link #result}. */
        void describe(GgmlGraph graph, int copies);
    }

    /** Builds the graph with weights in the first buffer type that has a kernel for it. */
    static GgmlGraph build(Ggml ggml, int copies, Definition definition) {
        for (MemorySegment type : ggml.weightBufferTypes()) {
            try (GgmlGraph probe = new GgmlGraph(ggml, type, 1, definition.resultSize())) {
                definition.describe(probe, 1);
                if (!probe.allocate() || !probe.isSupported()) {
                    continue;
                }
            }
            GgmlGraph whole = new GgmlGraph(ggml, type, copies, definition.resultSize());
            definition.describe(whole, copies);
            if (!whole.allocate()) {
                whole.close();
                throw new IllegalStateException("ggml: no memory for weights in " + whole.detail());
            }
            return whole;
        }
        throw new IllegalStateException("ggml: no kernel for " + definition);
    }

    /** Describes a weight; it gets memory of the graph's buffer type. Extents fastest first. */
    MemorySegment weight(int type, long ne0, long ne1, long ne2) {
        return library.tensor(weights, type, ne0, ne1, ne2, 1);
    }

    /** Describes an input. Extents fastest first. */
    MemorySegment input(int type, long ne0, long ne1, long ne2) {
        return library.tensor(values, type, ne0, ne1, ne2, 1);
    }

    /** The context of nodes. */
    MemorySegment values() {
        return values;
    }

    /** Names the result of the next copy. */
    void result(MemorySegment node) {
        results.add(node);
    }

    private boolean allocate() {
        return allocate(weights, bufferType)
                && allocate(values, ggml.weightBufferTypes().getLast())
                && expand();
    }

    private boolean allocate(MemorySegment context, MemorySegment type) {
        MemorySegment buffer = library.allocateTensors(context, type);
        if (buffer.equals(MemorySegment.NULL)) {
            return library.firstTensor(context).equals(MemorySegment.NULL); // nothing to allocate is no failure
        }
        if (context.equals(weights)) {
            library.setUsage(buffer, GgmlLibrary.USAGE_WEIGHTS);
        }
        buffers.add(buffer);
        return true;
    }

    private boolean expand() {
        graph = library.graph(values, capacity, 0);
        results.forEach(r -> library.expand(graph, r));
        return true;
    }

    private boolean isSupported() {
        return (library.supportsOp(ggml.device(), results.getFirst()) & 0xFF) != 0;
    }

    /** Uploads a whole tensor, which repacks it where the buffer type says so. */
    void fill(MemorySegment tensor, long bytes, Consumer<MemorySegment> writer) {
        try (Arena arena = Arena.ofShared()) {
            MemorySegment host = arena.allocate(bytes, 64);
            writer.accept(host);
            library.write(tensor, host, 0, bytes);
        }
    }

    /** Uploads floats. */
    void fill(MemorySegment tensor, float[] data) {
        fill(tensor, (long) data.length * Float.BYTES, s -> s.copyFrom(MemorySegment.ofArray(data)));
    }

    /** Uploads integers. */
    void fill(MemorySegment tensor, int[] data) {
        fill(tensor, (long) data.length * Integer.BYTES, s -> s.copyFrom(MemorySegment.ofArray(data)));
    }

    @Override
    public String name() {
        return "ggml";
    }

    @Override
    public String detail() {
        boolean weighted = !library.firstTensor(weights).equals(MemorySegment.NULL);
        return weighted ? "weights in " + Ggml.text(library.bufferTypeName(bufferType)) : "F16 cache";
    }

    @Override
    public void run() {
        int status = library.compute(ggml.backend(), graph);
        if (status != 0) {
            throw new IllegalStateException("ggml: graph failed with status " + status);
        }
    }

    @Override
    public float[] output(int copy) {
        float[] out = new float[Math.toIntExact(resultSize)];
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment host = arena.allocate(resultSize * Float.BYTES, 64);
            library.read(results.get(copy), host, 0, host.byteSize());
            MemorySegment.copy(host, ValueLayout.JAVA_FLOAT, 0, out, 0, out.length);
        }
        return out;
    }

    @Override
    public double tolerance() {
        return TOLERANCE;
    }

    @Override
    public void close() {
        buffers.forEach(library::freeBuffer);
        library.freeContext(values);
        library.freeContext(weights);
    }
}
