package dev.weft.benchmarks;

import dev.weft.benchmarks.work.AttentionWork;
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

/** Shared-KV attention at V4-Flash's shapes; one operation is a run over several caches, 2 G operations or more. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
public class AttentionBenchmark {
    /** Query rows. */
    @Param({"1", "64"})
    public int m = 1;

    /** Keys of a row, 128 of them in the window. */
    @Param({"640", "8320"})
    public int keys = 640;

    /** Heads on one latent row. */
    @Param("64")
    public int heads = 64;

    /** Width of a head. */
    @Param("512")
    public int width = 512;

    /** Distinct caches, 0 for as many as the measurement needs. */
    @Param("0")
    public int copies = 0;

    private final Bench bench = new Bench();

    /** Makes data and loads it. */
    @Setup
    public void open() {
        bench.open(
                copies == 0
                        ? new AttentionWork(m, keys, heads, width)
                        : new AttentionWork(m, keys, heads, width, copies));
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
