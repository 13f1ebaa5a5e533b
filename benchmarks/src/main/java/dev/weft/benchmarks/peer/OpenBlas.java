package dev.weft.benchmarks.peer;

import dev.weft.benchmarks.Contender;
import dev.weft.benchmarks.work.Format;
import dev.weft.benchmarks.work.GemmWork;
import dev.weft.benchmarks.work.Work;
import dev.weft.spi.nativelib.NativeBinder;
import dev.weft.spi.nativelib.NativeLibraries;
import dev.weft.spi.nativelib.Symbol;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.util.List;
import java.util.Optional;

/** OpenBLAS: F32 products. */
final class OpenBlas implements Peer.Present {
    private static final int ROW_MAJOR = 101;
    private static final int NO_TRANSPOSE = 111;
    private static final int TRANSPOSE = 112;

    interface Library {
        @Symbol("openblas_get_config")
        MemorySegment config();

        @Symbol("openblas_get_corename")
        MemorySegment core();

        @Symbol("openblas_set_num_threads")
        void setThreads(int threads);

        @Symbol("cblas_sgemm")
        void sgemm(
                int order,
                int transposeA,
                int transposeB,
                int m,
                int n,
                int k,
                float alpha,
                MemorySegment a,
                int lda,
                MemorySegment b,
                int ldb,
                float beta,
                MemorySegment c,
                int ldc);
    }

    private final Library library;
    private final String description;

    private OpenBlas(Library library, String file, int threads) {
        this.library = library;
        library.setThreads(threads);
        this.description = "%s (%s), %d thread(s)".formatted(Ggml.text(library.config()), file, threads);
    }

    static Peer find(int threads) {
        var folders = ClassPathLibrary.unpack(
                "org/bytedeco/openblas/" + ClassPathLibrary.platform(),
                List.of("libgcc_s.so.1", "libquadmath.so.0", "libgfortran.so.5", "libopenblas.so.0"));
        return switch (NativeLibraries.find(MethodHandles.lookup(), "openblas", List.of("libopenblas.so.0"), folders)) {
            case NativeLibraries.Missing missing ->
                new Absent("openblas", missing.reason() + ", or build with -Ppeers");
            case NativeLibraries.Found found ->
                new OpenBlas(
                        NativeBinder.bind(MethodHandles.lookup(), Library.class, found.symbols()),
                        found.library(),
                        threads);
        };
    }

    @Override
    public String name() {
        return "openblas";
    }

    @Override
    public String description() {
        return description;
    }

    @Override
    public Optional<Contender> enter(Work work) {
        return work instanceof GemmWork gemm && gemm.format() == Format.F32
                ? Optional.of(new Sgemm(gemm))
                : Optional.empty();
    }

    /** {@code cblas_sgemm} per copy, weights where they are. */
    private final class Sgemm implements Contender {
        private final GemmWork work;
        private final Arena arena = Arena.ofShared();
        private final MemorySegment x;
        private final List<MemorySegment> results;

        Sgemm(GemmWork work) {
            this.work = work;
            this.x = arena.allocateFrom(ValueLayout.JAVA_FLOAT, work.x());
            this.results = work.weights().stream()
                    .map(w -> arena.allocate((long) work.m() * work.n() * Float.BYTES, 64))
                    .toList();
        }

        @Override
        public String name() {
            return "openblas";
        }

        @Override
        public String detail() {
            return "kernels for " + Ggml.text(library.core());
        }

        @Override
        public void run() {
            int m = work.m();
            int n = work.n();
            int k = work.k();
            for (int c = 0; c < work.copies(); c++) {
                MemorySegment w = work.weights().get(c).data();
                library.sgemm(ROW_MAJOR, NO_TRANSPOSE, TRANSPOSE, m, n, k, 1, x, k, w, k, 0, results.get(c), n);
            }
        }

        @Override
        public float[] output(int copy) {
            return results.get(copy).toArray(ValueLayout.JAVA_FLOAT);
        }

        @Override
        public double tolerance() {
            return 1e-5;
        }

        @Override
        public void close() {
            arena.close();
        }
    }
}
