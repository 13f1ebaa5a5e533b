package dev.weft.benchmarks;

import dev.weft.benchmarks.work.Format;
import dev.weft.benchmarks.work.GemmWork;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/** Linear layers of V4-Flash's experts; one operation is a run over distinct weights: more than 150 MB of them up to 8 rows, 8 G operations above. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
public class GemmBenchmark {
    /** Weight format. */
    @Param({"MXFP4", "FP8", "BF16", "F32"})
    public Format format = Format.MXFP4;

    /** Rows of activations. */
    @Param({"1", "8", "64", "512"})
    public int m = 1;

    /** Input features. */
    @Param("4096")
    public int k = 4096;

    /** Output features. */
    @Param("2048")
    public int n = 2048;

    /** Distinct matrices, 0 for as many as the measurement needs. */
    @Param("0")
    public int copies = 0;

    private final Bench bench = new Bench();

    /** Makes data and loads it. */
    @Setup
    public void open() {
        bench.open(copies == 0 ? new GemmWork(format, m, k, n) : new GemmWork(format, m, k, n, copies));
    }

    /** All copies once. */
    @Benchmark
    public void run() {
        bench.run();
    }

    /** Lets go of the device. */
    @TearDown
    public void close() {
        bench.close();
    }
}
