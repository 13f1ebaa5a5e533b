package dev.weft.benchmarks.peer;

import dev.weft.benchmarks.Contender;
import dev.weft.benchmarks.work.Format;
import dev.weft.benchmarks.work.GemmWork;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;

/** A matmul primitive run once per copy; weights are reordered beforehand, results have the activations' type. */
final class OneDnnMatmul implements Contender {
    private final OneDnn dnn;
    private final OneDnn.Library library;
    private final GemmWork work;
    private final Arena arena = Arena.ofShared();
    private final List<MemorySegment> memories = new ArrayList<>();
    private final List<MemorySegment> descriptions = new ArrayList<>();
    private final List<MemorySegment> arguments = new ArrayList<>();
    private final List<MemorySegment> results = new ArrayList<>();
    private final MemorySegment primitive;
    private final String implementation;

    OneDnnMatmul(OneDnn dnn, GemmWork work) {
        this.dnn = dnn;
        this.library = dnn.library();
        this.work = work;
        MemorySegment source = describe(work.m(), work.k(), OneDnn.ROW_MAJOR);
        MemorySegment destination = describe(work.m(), work.n(), OneDnn.ROW_MAJOR);
        MemorySegment any = describe(work.k(), work.n(), OneDnn.ANY);
        MemorySegment matmul = create(
                "matmul",
                out -> library.describeMatmul(
                        out, dnn.engine(), source, any, MemorySegment.NULL, destination, MemorySegment.NULL));
        this.primitive = create("primitive", out -> library.createPrimitive(out, matmul));
        this.implementation = Ggml.text(
                create("implementation name", out -> library.query(matmul, OneDnn.QUERY_IMPLEMENTATION, 0, out)));
        MemorySegment packed = library.queryMemory(matmul, OneDnn.QUERY_WEIGHTS, 0);
        MemorySegment x = memory(source, plain(work.x()));
        for (int c = 0; c < work.copies(); c++) {
            MemorySegment w = pack(work.weights().get(c).data(), packed);
            MemorySegment y = arena.allocate(library.bytes(destination), 64);
            results.add(y);
            arguments.add(arguments(
                    OneDnn.ARG_SOURCE, x, OneDnn.ARG_WEIGHTS, w, OneDnn.ARG_DESTINATION, memory(destination, y)));
        }
        library.freePrimitiveDescription(matmul);
    }

    private interface Creation {
        int into(MemorySegment out);
    }

    private MemorySegment create(String what, Creation creation) {
        MemorySegment out = arena.allocate(ValueLayout.ADDRESS);
        OneDnn.check(what, creation.into(out));
        return out.get(ValueLayout.ADDRESS, 0);
    }

    private int type() {
        return work.format() == Format.BF16 ? OneDnn.BF16 : OneDnn.F32;
    }

    private MemorySegment describe(long rows, long columns, int tag) {
        MemorySegment extents = arena.allocateFrom(ValueLayout.JAVA_LONG, rows, columns);
        MemorySegment d = create("description", out -> library.describe(out, 2, extents, type(), tag));
        descriptions.add(d);
        return d;
    }

    private MemorySegment memory(MemorySegment description, MemorySegment data) {
        MemorySegment m = create("memory", out -> library.createMemory(out, description, dnn.engine(), data));
        memories.add(m);
        return m;
    }

    /** Weights {@code [n, k]} are the transpose of the matrix {@code [k, n]} that the primitive wants. */
    private MemorySegment pack(MemorySegment weights, MemorySegment packed) {
        MemorySegment given = describe(work.k(), work.n(), OneDnn.TRANSPOSED);
        MemorySegment target = memory(packed, arena.allocate(library.bytes(packed), 64));
        MemorySegment description = create(
                "reorder",
                out -> library.describeReorder(out, given, dnn.engine(), packed, dnn.engine(), MemorySegment.NULL));
        MemorySegment reorder = create("reorder", out -> library.createPrimitive(out, description));
        MemorySegment from = memory(given, weights);
        execute(reorder, 2, arguments(OneDnn.ARG_SOURCE, from, OneDnn.ARG_DESTINATION, target));
        OneDnn.check("wait", library.await(dnn.stream()));
        library.freePrimitive(reorder);
        library.freePrimitiveDescription(description);
        return target;
    }

    /** {@code dnnl_exec_arg_t[]} of alternating argument numbers and memories. */
    private MemorySegment arguments(Object... pairs) {
        MemorySegment out = arena.allocate(16L * (pairs.length / 2), 8);
        for (int i = 0; i < pairs.length / 2; i++) {
            out.set(ValueLayout.JAVA_INT, 16L * i, (Integer) pairs[2 * i]);
            out.set(ValueLayout.ADDRESS, 16L * i + 8, (MemorySegment) pairs[2 * i + 1]);
        }
        return out;
    }

    private void execute(MemorySegment primitive, int count, MemorySegment arguments) {
        OneDnn.check("execute", library.execute(primitive, dnn.stream(), count, arguments));
    }

    private MemorySegment plain(float[] x) {
        if (work.format() == Format.F32) {
            return arena.allocateFrom(ValueLayout.JAVA_FLOAT, x);
        }
        MemorySegment out = arena.allocate((long) x.length * Short.BYTES, 64);
        for (int i = 0; i < x.length; i++) {
            out.setAtIndex(ValueLayout.JAVA_SHORT, i, (short) (Float.floatToRawIntBits(x[i]) >>> 16));
        }
        return out;
    }

    @Override
    public String name() {
        return "onednn";
    }

    @Override
    public String detail() {
        return implementation;
    }

    @Override
    public void run() {
        for (MemorySegment a : arguments) {
            execute(primitive, 3, a);
        }
        OneDnn.check("wait", library.await(dnn.stream()));
    }

    @Override
    public float[] output(int copy) {
        if (work.format() == Format.F32) {
            return results.get(copy).toArray(ValueLayout.JAVA_FLOAT);
        }
        short[] bits = results.get(copy).toArray(ValueLayout.JAVA_SHORT);
        float[] out = new float[bits.length];
        for (int i = 0; i < bits.length; i++) {
            out[i] = Float.intBitsToFloat(bits[i] << 16);
        }
        return out;
    }

    @Override
    public double tolerance() {
        return work.format() == Format.F32 ? 1e-5 : 4e-3;
    }

    @Override
    public void close() {
        memories.forEach(library::freeMemory);
        library.freePrimitive(primitive);
        descriptions.forEach(library::freeDescription);
        arena.close();
    }
}
